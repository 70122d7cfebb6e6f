package oauth

import (
	"encoding/base64"
	"html"
	"net/url"
	"strings"
	"testing"
)

// telling is a request with a secret in every place that one can be in.
func telling() *Request {
	basic := url.QueryEscape("client one") + ":" + url.QueryEscape(`c/s+"ü`+"secret")
	return &Request{
		authorization: NewSensitive("Basic " + base64.StdEncoding.EncodeToString([]byte(basic))),
		body: NewSensitive(url.Values{
			"grant_type": {"password"}, "username": {"Admin@acme.example"}, "password": {`pa"ss wörd&+`},
			"assertion": {strings.Repeat("PHNhbWw+", 40)}, "refresh_token": {"abcd"}, "tenant": {"acme-tenant"}, "x": {"abc"},
		}.Encode()),
		credentials: Credentials{"seed": NewSensitive("seed-of-old"), "saml_signing_key": NewSensitive("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n")},
	}
}

func TestE6_NothingThatWasSentIsQuoted(t *testing.T) {
	password := `pa"ss wörd&+`
	clientSecret := `c/s+"üsecret`
	for what, c := range map[string]struct{ said, want string }{
		"the password":                 {"bad password " + password, "bad password [redacted]"},
		"the password, form-encoded":   {"body password=" + url.QueryEscape(password) + "!", "body password=[redacted]!"},
		"the password, path-encoded":   {"at /" + url.PathEscape(password), "at /[redacted]"},
		"the password in HTML":         {"bad " + html.EscapeString(password), "bad [redacted]"},
		"the password in base64":       {"got " + base64.StdEncoding.EncodeToString([]byte(password)), "got [redacted]=="},
		"the user in other case":       {"no user ADMIN@ACME.EXAMPLE", "no user [redacted]"},
		"the user, cut":                {"no user admin@ac...", "no user [redacted]..."},
		"the client's secret":          {"secret " + clientSecret + " is wrong", "secret [redacted] is wrong"},
		"the client's secret, encoded": {"secret " + url.QueryEscape(clientSecret) + " is wrong", "secret [redacted] is wrong"},
		"the client's id":              {"client one is unknown", "[redacted] is unknown"},
		"the client's id, spaced out":  {"client \t one is unknown", "[redacted] is unknown"},
		"the client's id, hidden":      {"cli\x00ent \\one is unknown", "[redacted] is unknown"},
		"the header":                   {"header was " + telling().authorization.Reveal(), "header was [redacted]"},
		"the header, cut":              {"header was " + telling().authorization.Reveal()[:20] + "...", "header was [redacted]..."},
		"a long assertion, cut":        {"could not parse PHNhbWw+PHNhbWw+PHN", "could not parse [redacted]"},
		"a short refresh token":        {"token abcd is spent", "token [redacted] is spent"},
		"a parameter":                  {"no such tenant: acme-tenant", "no such tenant: [redacted]"},
		"what another request sent":    {"token seed-of-old is spent", "token [redacted] is spent"},
		"a line of a key":              {"can't read migHAGEAMBMG", "can't read [redacted]"},
		"the grant is no secret":       {"password is not served", "password is not served"},
		"values too short to be found": {"abc is the alphabet", "abc is the alphabet"},
	} {
		t.Run(what, func(t *testing.T) {
			if got := telling().quote(c.said, maxDescriptionLength); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestE6_OnlyTheCharactersOfTheStandardAreQuoted(t *testing.T) {
	for what, c := range map[string]struct{ said, want string }{
		"plain words":              {"The user is unknown.", "The user is unknown."},
		"quotes and backslashes":   {`The "user" is \unknown`, "The user is unknown"},
		"line breaks":              {"one\r\ntwo\tthree\u2028four", "one two three four"},
		"control characters":       {"a\x00\x1b[31mb\x7f", "a[31mb"},
		"letters beyond ASCII":     {"Der Nutzer ist gesperrt – größer", "Der Nutzer ist gesperrt grer"},
		"bytes that are no UTF-8":  {"caf\xe9 \xff\xfe", "caf"},
		"bidirectional overrides":  {"abc\u202edef", "abcdef"},
		"more than fits":           {strings.Repeat("word ", 100), strings.TrimSpace(strings.Repeat("word ", 40))},
		"a mebibyte":               {strings.Repeat("x", 1<<20), strings.Repeat("x", maxDescriptionLength)},
		"markup stays, as text":    {"<b>no</b>", "<b>no</b>"},
		"nothing":                  {"", ""},
		"nothing that can be kept": {"\u00e9\u00e8", ""},
	} {
		t.Run(what, func(t *testing.T) {
			if got := (&Request{}).quote(c.said, maxDescriptionLength); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestE6_WhatDiffersEachTimeIsNotQuoted(t *testing.T) {
	for said, want := range map[string]string{
		"AADSTS7000215: Invalid client secret provided. Trace ID: 0d1c2b3a-4f5e-6789-abcd-ef0123456789 Correlation ID: " +
			"99999999-aaaa-bbbb-cccc-dddddddddddd Timestamp: 2031-05-06 12:00:00Z": "AADSTS7000215: Invalid client secret provided. " +
			"Trace ID: * Correlation ID: * Timestamp: * *",
		"Retry the request in [42] seconds":                 "Retry the request in [*] seconds",
		"try again in 7s or at 2031-05-06T12:00:00.1Z":      "try again in * or at *",
		"trace_id=4bf92f3577b34da6a3ce929d0e0e4736":         "trace_id=*",
		"request req_8Hj2kLmN0pQrStUv failed":               "request * failed",
		"from 10.1.2.3 denied":                              "from * denied",
		"OAuth 2.0 says no":                                 "OAuth 2.0 says no",
		"see urn:ietf:params:oauth:grant-type:saml2-bearer": "see urn:ietf:params:oauth:grant-type:saml2-bearer",
		"https://vendor.example/errors/e42.":                "https://vendor.example/errors/e42.",
		"unsupported_grant_type":                            "unsupported_grant_type",
	} {
		t.Run(said, func(t *testing.T) {
			if got := (&Request{}).quote(said, maxDescriptionLength); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestE6_TheCodeIsQuotedWithTheSameCare(t *testing.T) {
	got := fail(telling(), 400, `{"error":"bad\n\"acme-tenant\" é`+strings.Repeat("y", 200)+`","error_description":["list"]}`)
	if want := "bad [redacted] " + strings.Repeat("y", maxCodeLength-len("bad [redacted] ")); got.Code != want {
		t.Errorf("code %q, want %q", got.Code, want)
	}
}
