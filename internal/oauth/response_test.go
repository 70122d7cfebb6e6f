package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answered is an answer of the token endpoint to a request.
func answered(r *Request, status int, header http.Header, body string) *answer {
	return &answer{from: tokenEndpoint, request: r, status: status, header: header, body: []byte(body), now: noon}
}

// read is what is made of a 200.
func read(body string) (*Token, *Error) {
	return readToken(answered(&Request{}, http.StatusOK, nil, body))
}

func TestA1_AnswersThatAreTokens(t *testing.T) {
	for what, body := range map[string]string{
		"an object with a token and its type":             `{"access_token":"abc","token_type":"Bearer"}`,
		"unknown members are no fault":                    `{"access_token":"abc","token_type":"Bearer","unknown":{"a":[1]}}`,
		"a trailing comma, as one vendor's manual prints": `{"access_token":"abc","token_type":"Bearer",}`,
		"comments":                                 "{\"access_token\":\"abc\", // the token\n\"token_type\":\"Bearer\" /* its type */}",
		"a byte order mark":                        "\xef\xbb\xbf" + `{"access_token":"abc","token_type":"Bearer"}`,
		"a byte order mark and a trailing comma":   "\xef\xbb\xbf" + `{"access_token":"abc","token_type":"Bearer",}`,
		"white space around":                       "\r\n\t {\"access_token\":\"abc\",\"token_type\":\"Bearer\"} \r\n",
		"a member of another case beside it":       `{"Access_Token":"other","access_token":"abc","ACCESS_TOKEN":"other","token_type":"Bearer"}`,
		"an error that is null":                    `{"access_token":"abc","token_type":"Bearer","error":null}`,
		"an error that is empty":                   `{"access_token":"abc","token_type":"Bearer","error":""}`,
		"an error that is false":                   `{"access_token":"abc","token_type":"Bearer","error":false}`,
		"a refresh token that is null":             `{"access_token":"abc","token_type":"Bearer","refresh_token":null}`,
		"a refresh token that is no text":          `{"access_token":"abc","token_type":"Bearer","refresh_token":17,"id_token":{},"scope":3}`,
		"bytes that are no UTF-8 in other members": "{\"access_token\":\"abc\",\"token_type\":\"Bearer\",\"name\":\"caf\xe9\"}",
	} {
		t.Run(what, func(t *testing.T) {
			token, failure := read(body)
			if failure != nil {
				t.Fatal(failure)
			}
			if token.AccessToken.Reveal() != "abc" || token.TokenType != "Bearer" || !token.RefreshToken.IsEmpty() || token.Scope != "" {
				t.Errorf("got access token %q of type %q", token.AccessToken.Reveal(), token.TokenType)
			}
		})
	}
}

func TestA1_AnswersThatAreNone(t *testing.T) {
	for what, c := range map[string]struct{ body, message string }{
		"an empty body":                       {"", "an empty body"},
		"white space":                         {" \r\n", "an empty body"},
		"an HTML page":                        {"<!DOCTYPE html><html><body>Login</body></html>", "an HTML page"},
		"an HTML page without a doctype":      {"\n<html><body>" + theSecret, "an HTML page"},
		"XML":                                 {`<?xml version="1.0"?><token>abc</token>`, "XML"},
		"half an object":                      {`{"access_token":"abc","tok`, "broken or incomplete"},
		"text behind the object":              {`{"access_token":"abc","token_type":"Bearer"} and more`, "broken or incomplete"},
		"a second object":                     {`{"access_token":"abc","token_type":"Bearer"}{}`, "broken or incomplete"},
		"a list":                              {`[{"access_token":"abc"}]`, "not a JSON object"},
		"null":                                {`null`, "not a JSON object"},
		"a form, as some old servers answer":  {`access_token=abc&token_type=Bearer`, "not a JSON object"},
		"no access_token":                     {`{"token_type":"Bearer"}`, "without an access_token"},
		"only an access_token in other case":  {`{"Access_Token":"abc","token_type":"Bearer"}`, "without an access_token"},
		"an empty access_token":               {`{"access_token":"","token_type":"Bearer"}`, "without an access_token"},
		"an access_token of spaces":           {`{"access_token":"  ","token_type":"Bearer"}`, "without an access_token"},
		"an access_token that is null":        {`{"access_token":null,"token_type":"Bearer"}`, "without an access_token"},
		"an access_token that is a number":    {`{"access_token":12345,"token_type":"Bearer"}`, "without an access_token"},
		"an access_token that is an object":   {`{"access_token":{"value":"abc"},"token_type":"Bearer"}`, "without an access_token"},
		"an access_token with a line break":   {`{"access_token":"abc\r\nX-Admin: 1","token_type":"Bearer"}`, "no HTTP header may hold"},
		"an access_token with a NUL":          {`{"access_token":"abc\u0000","token_type":"Bearer"}`, "no HTTP header may hold"},
		"an access_token with a DEL":          {`{"access_token":"abc\u007f","token_type":"Bearer"}`, "no HTTP header may hold"},
		"an access_token that is not ASCII":   {`{"access_token":"abcé","token_type":"Bearer"}`, "no HTTP header may hold"},
		"nesting without end":                 {strings.Repeat("[", maxAnswerBytes), "not a JSON object"},
		"nesting without end behind a comma,": {`{"a":[1,],"b":` + strings.Repeat("[", maxAnswerBytes/2), "broken or incomplete"},
	} {
		t.Run(what, func(t *testing.T) {
			token, failure := read(c.body)
			if token != nil {
				t.Fatalf("took it for a token")
			}
			want := &Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: http.StatusOK, Sent: true}
			wantFailure(t, failure, want, c.message)
		})
	}
}

func TestA2_TokenTypeIsBearerInAnyCase(t *testing.T) {
	for member, isBearer := range map[string]bool{
		`,"token_type":"Bearer"`: true, `,"token_type":"bearer"`: true, `,"token_type":"BEARER"`: true, `,"token_type":" bearer "`: true,
		``: true, `,"token_type":null`: true, `,"token_type":""`: true,
		`,"token_type":"mac"`: false, `,"token_type":"DPoP"`: false, `,"token_type":"N_A"`: false, `,"token_type":"BearerToken"`: false,
		`,"token_type":7`: false, `,"token_type":["Bearer"]`: false, `,"token_type":true`: false, `,"token_type":" "`: false,
	} {
		t.Run(member, func(t *testing.T) {
			token, failure := read(`{"access_token":"abc"` + member + `}`)
			if isBearer {
				if failure != nil || token.TokenType != "Bearer" {
					t.Errorf("got %v", failure)
				}
				return
			}
			want := &Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: http.StatusOK, Sent: true}
			wantFailure(t, failure, want, "only Bearer tokens can be used")
		})
	}
}

func TestA5_Lifetimes(t *testing.T) {
	const fault = "The answer's expires_in is not a number of seconds."
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	for value, want := range map[string]struct {
		lifetime time.Duration
		fault    string
	}{
		`3599`: {seconds(3599), ""}, `"3599"`: {seconds(3599), ""}, `3599.0`: {seconds(3599), ""}, `"3599.0"`: {seconds(3599), ""},
		`" 3599 "`: {seconds(3599), ""}, `"\t3599\n"`: {seconds(3599), ""}, `"+3599"`: {seconds(3599), ""}, `"3599."`: {seconds(3599), ""},
		`3599.9`: {seconds(3599), ""}, `1e3`: {seconds(1000), ""}, `"1e3"`: {seconds(1000), ""}, `1E+3`: {seconds(1000), ""},
		`38880000`: {seconds(38880000), ""}, `2147483647`: {seconds(2147483647), ""}, `1`: {seconds(1), ""},
		`3153599999`: {seconds(3153599999), ""}, `3153600000`: {maxLifetime, ""}, `3153600001`: {maxLifetime, ""},
		`9223372036854775807`: {maxLifetime, ""}, `18446744073709551616`: {maxLifetime, ""}, `1e999`: {maxLifetime, ""},
		`"` + strings.Repeat("9", 5000) + `"`: {maxLifetime, ""},
		`0`:                                   {}, `null`: {}, ``: {}, `""`: {}, `"  "`: {}, `"0"`: {}, `"null"`: {}, `0.5`: {}, `-0`: {}, `1e-999`: {},
		`true`: {0, fault}, `false`: {0, fault}, `[1]`: {0, fault}, `{}`: {0, fault}, `"never"`: {0, fault}, `"1h"`: {0, fault},
		`"0x10"`: {0, fault}, `"1_000"`: {0, fault}, `"Inf"`: {0, fault}, `"NaN"`: {0, fault}, `"-"`: {0, fault}, `"3599 s"`: {0, fault},
		`"2031-01-01T00:00:00Z"`: {0, fault},
	} {
		t.Run(shorten(value), func(t *testing.T) {
			member := ""
			if value != "" {
				member = `,"expires_in":` + value
			}
			token, failure := read(`{"access_token":"abc","token_type":"Bearer"` + member + `}`)
			if failure != nil {
				t.Fatal(failure)
			}
			if token.Lifetime != want.lifetime || token.LifetimeFault != want.fault {
				t.Errorf("got %v %q, want %v %q", token.Lifetime, token.LifetimeFault, want.lifetime, want.fault)
			}
		})
	}
}

func shorten(text string) string { return text[:min(len(text), 30)] }

func TestA5_ANegativeLifetimeIsMalformed(t *testing.T) {
	for _, value := range []string{`-1`, `"-1"`, `" -1 "`, `-0.5`, `-1e999`} {
		t.Run(value, func(t *testing.T) {
			_, failure := read(`{"access_token":"abc","token_type":"Bearer","expires_in":` + value + `}`)
			want := &Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: http.StatusOK, Sent: true}
			wantFailure(t, failure, want, "expires_in is negative")
		})
	}
}

func TestA5_LifetimesOfRefreshTokens(t *testing.T) {
	for members, want := range map[string]time.Duration{
		``:                                   0,
		`,"refresh_expires_in":1800`:         30 * time.Minute,
		`,"refresh_expires_in":"1800"`:       30 * time.Minute,
		`,"refresh_token_expires_in":" 6e1"`: time.Minute,
		`,"refresh_token_expires_in":60,"refresh_expires_in":120`: time.Minute,
		`,"refresh_token_expires_in":"?","refresh_expires_in":60`: time.Minute,
		`,"refresh_expires_in":0`:                                 0,
		`,"refresh_expires_in":-1`:                                0,
		`,"refresh_expires_in":[]`:                                0,
		`,"refresh_expires_in":1e30`:                              maxLifetime,
	} {
		t.Run(members, func(t *testing.T) {
			token, failure := read(`{"access_token":"abc","token_type":"Bearer"` + members + `}`)
			if failure != nil || token.RefreshTokenLifetime != want {
				t.Errorf("got %v, want %v", token.RefreshTokenLifetime, want)
			}
		})
	}
}

func TestA6_ScopeIsThatOfTheAnswer(t *testing.T) {
	for member, want := range map[string]string{
		``: "", `,"scope":null`: "", `,"scope":"a b"`: "a b", `,"scope":" a  b "`: "a b", `,"scope":["a","b"]`: "a b", `,"scope":7`: "",
		`,"scope":"a\nb"`: "a b", `,"scope":"aé\"b"`: "ab",
	} {
		t.Run(member, func(t *testing.T) {
			token, failure := read(`{"access_token":"abc","token_type":"Bearer"` + member + `}`)
			if failure != nil || token.Scope != want {
				t.Errorf("got %q, want %q", token.Scope, want)
			}
		})
	}
}

func TestA7_RefreshTokenOfTheAnswer(t *testing.T) {
	token, failure := read(`{"access_token":"abc","token_type":"Bearer","refresh_token":"r2","id_token":"h.p.s"}`)
	if failure != nil {
		t.Fatal(failure)
	}
	if got := [2]string{token.RefreshToken.Reveal(), token.IDToken.Reveal()}; got != [2]string{"r2", "h.p.s"} {
		t.Errorf("got %q", got)
	}
}

func TestA7_TheRefreshTokenOfAnAnswerThatCanNotBeUsedIsKept(t *testing.T) {
	for what, body := range map[string]string{
		"no access_token":       `{"refresh_token":"def","refresh_expires_in":60,"id_token":"ghi","token_type":"Bearer"}`,
		"a line break":          `{"access_token":"a\nb","refresh_token":"def","refresh_expires_in":60,"id_token":"ghi","token_type":"Bearer"}`,
		"a negative lifetime":   `{"access_token":"abc","expires_in":-5,"refresh_token":"def","refresh_expires_in":60,"id_token":"ghi","token_type":"Bearer"}`,
		"another type of token": `{"access_token":"abc","refresh_token":"def","refresh_expires_in":60,"id_token":"ghi","token_type":"mac"}`,
	} {
		t.Run(what, func(t *testing.T) {
			token, failure := read(body)
			if failure == nil || failure.Class != Malformed || token != nil {
				t.Fatalf("failure %v", failure)
			}
			rest := failure.Rest
			if rest == nil || rest.RefreshToken.Reveal() != "def" || rest.RefreshTokenLifetime != time.Minute || rest.IDToken.Reveal() != "ghi" {
				t.Errorf("kept %+v", rest)
			}
			if rest != nil && !rest.AccessToken.IsEmpty() {
				t.Error("the access token is kept")
			}
			if text := fmt.Sprintf("%v %+v %#v", failure, failure, failure); strings.Contains(text, "def") {
				t.Errorf("printed with it: %s", text)
			}
		})
	}
	if _, failure := read(`{"token_type":"Bearer"}`); failure == nil || failure.Rest != nil {
		t.Errorf("without one: %v", failure)
	}
	if _, failure := read(`{"error":"invalid_grant","refresh_token":"def"}`); failure == nil || failure.Rest != nil {
		t.Errorf("beside an error: %v", failure)
	}
}

func TestA1_OtherMembersAreExtra(t *testing.T) {
	token, failure := read(`{"access_token":"abc","token_type":"Bearer","expires_in":60,"refresh_token":"r","id_token":"i","scope":"s",
		"instance_url":"https://acme.example","id":12345678901234567890,"nested":{"list":[1.50,true,null]},"Access_Token":"x"}`)
	if failure != nil {
		t.Fatal(failure)
	}
	want := map[string]any{
		"instance_url": "https://acme.example", "id": json.Number("12345678901234567890"),
		"nested": map[string]any{"list": []any{json.Number("1.50"), true, nil}}, "Access_Token": "x",
	}
	if diff := cmp.Diff(want, token.Extra); diff != "" {
		t.Error(diff)
	}
}

func TestA9_AnErrorWithStatus200IsAFailure(t *testing.T) {
	for what, c := range map[string]struct {
		body string
		want Error
	}{
		"a code that RFC 6749 knows": {
			`{"error":"invalid_client"}`, Error{Class: Rejected, Reason: ReasonInvalidClient, Code: "invalid_client"},
		},
		"a token beside it": {
			`{"access_token":"abc","token_type":"Bearer","error":"invalid_scope"}`,
			Error{Class: Rejected, Reason: ReasonInvalidScope, Code: "invalid_scope"},
		},
		"a failure of the server's own": {
			`{"error":"server_error"}`, Error{Class: Transient, Reason: ReasonVendorUnavailable, Code: "server_error"},
		},
		"a code of the server's own": {
			`{"error":"E_NOPE"}`, Error{Class: Rejected, Reason: ReasonInvalidRequest, Code: "E_NOPE"},
		},
		"an object": {
			`{"error":{"code":"x","message":"y"},"access_token":"abc"}`, Error{Class: Rejected, Reason: ReasonInvalidRequest},
		},
		"an object with a code that RFC 6749 knows": {
			`{"error":{"code":"invalid_client"}}`, Error{Class: Rejected, Reason: ReasonInvalidClient, Code: "invalid_client"},
		},
		"true":   {`{"error":true,"access_token":"abc"}`, Error{Class: Rejected, Reason: ReasonInvalidRequest}},
		"a list": {`{"error":["invalid_client"],"access_token":"abc"}`, Error{Class: Rejected, Reason: ReasonInvalidRequest}},
	} {
		t.Run(what, func(t *testing.T) {
			_, failure := read(c.body)
			c.want.StatusCode, c.want.Sent = http.StatusOK, true // not definite: 2xx without a usable token is ambiguous
			wantFailure(t, failure, &c.want, "")
		})
	}
}

func TestAnswersPrintedInTheVendorsDocumentsAreRead(t *testing.T) {
	for file, want := range map[string]Token{
		"sfr-global-contact-center": {
			AccessToken: NewSensitive("eyJhbG..."), TokenType: "Bearer", Scope: "supervisor_api", Lifetime: 24 * time.Hour,
		},
		"bright-pattern": {
			AccessToken: NewSensitive("eyJhbGciOiJSUzI1NiI5q9Jgt...6HznsvPWy7UP3MINA"), TokenType: "Bearer", Lifetime: 3599 * time.Second,
		},
	} {
		t.Run(file, func(t *testing.T) {
			body, err := os.ReadFile("testdata/answers/" + file + ".json")
			if err != nil {
				t.Fatal(err)
			}
			got, failure := read(string(body))
			if failure != nil {
				t.Fatal(failure)
			}
			want.Extra = map[string]any{}
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDescribeNamesCompressedContent(t *testing.T) {
	a := answered(&Request{}, http.StatusOK, http.Header{"Content-Encoding": {"gzip"}}, "\x1f\x8b\x08")
	_, failure := readToken(a)
	wantFailure(t, failure, &Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 200, Sent: true}, "compressed content")
}
