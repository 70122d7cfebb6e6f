package oauth

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// noon is when everything here happens.
var noon = time.Date(2031, time.May, 6, 12, 0, 0, 0, time.UTC)

// wantFailure compares all but the message, of which a part is given.
func wantFailure(t *testing.T, got, want *Error, message string) {
	t.Helper()
	if got == nil {
		t.Fatal("got no failure")
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Error{}, "Message", "cause"), cmpopts.IgnoreUnexported(Error{})); diff != "" {
		t.Errorf("%v\n%s", got, diff)
	}
	if !strings.Contains(got.Message, message) {
		t.Errorf("message %q does not hold %q", got.Message, message)
	}
	if !strings.HasSuffix(got.Message, ".") || strings.Contains(got.Message, "  ") {
		t.Errorf("message %q is not made of sentences", got.Message)
	}
}

// fail is what is made of a failing answer.
func fail(r *Request, status int, body string, header ...string) *Error {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return readFailure(answered(r, status, h, body))
}

func TestE1_ClassIsByCodeFirstAndByStatusSecond(t *testing.T) {
	for what, c := range map[string]struct {
		status int
		body   string
		want   Error
	}{
		"invalid_client as 400":        {400, `{"error":"invalid_client"}`, Error{Class: Rejected, Reason: ReasonInvalidClient, Definite: true}},
		"invalid_client as 401":        {401, `{"error":"invalid_client"}`, Error{Class: Rejected, Reason: ReasonInvalidClient, Definite: true}},
		"invalid_client as 500":        {500, `{"error":"invalid_client"}`, Error{Class: Rejected, Reason: ReasonInvalidClient}},
		"invalid_scope as 403":         {403, `{"error":"invalid_scope"}`, Error{Class: Rejected, Reason: ReasonInvalidScope, Definite: true}},
		"invalid_grant as 401":         {401, `{"error":"invalid_grant"}`, Error{Class: Rejected, Reason: ReasonInvalidGrant, Definite: true}},
		"server_error as 500":          {500, `{"error":"server_error"}`, Error{Class: Transient, Reason: ReasonVendorUnavailable}},
		"server_error as 400":          {400, `{"error":"server_error"}`, Error{Class: Transient, Reason: ReasonVendorUnavailable, Definite: true}},
		"temporarily_unavailable, 503": {503, `{"error":"temporarily_unavailable"}`, Error{Class: Transient, Reason: ReasonVendorUnavailable}},
		"slow_down as 400":             {400, `{"error":"slow_down"}`, Error{Class: Throttled, Reason: ReasonRateLimited, Definite: true}},
		"a trailing comma":             {400, `{"error":"invalid_scope",}`, Error{Class: Rejected, Reason: ReasonInvalidScope, Definite: true}},
		"an unknown code as 401":       {401, `{"error":"who_are_you"}`, Error{Class: Rejected, Reason: ReasonInvalidClient, Definite: true}},
		"an unknown code as 500":       {500, `{"error":"oops"}`, Error{Class: Transient, Reason: ReasonVendorUnavailable}},
		"a code in another case":       {400, `{"error":"Invalid_Client"}`, Error{Class: Rejected, Reason: ReasonInvalidRequest, Definite: true}},
	} {
		t.Run(what, func(t *testing.T) {
			c.want.StatusCode, c.want.Sent = c.status, true
			c.want.Code = strings.Split(c.body, `"`)[3]
			wantFailure(t, fail(&Request{}, c.status, c.body), &c.want, c.want.Code)
		})
	}
}

func TestE2_CodesThatOnlyAPersonCanMend(t *testing.T) {
	for code, want := range map[string]struct {
		reason Reason
		remedy string
	}{
		"invalid_client":         {ReasonInvalidClient, "client_secret in the credentials Secret"},
		"unauthorized_client":    {ReasonUnauthorizedClient, "spec.grantType"},
		"unsupported_grant_type": {ReasonUnsupportedGrantType, "spec.grantType"},
		"invalid_scope":          {ReasonInvalidScope, "spec.scopes"},
		"scope_invalid":          {ReasonInvalidScope, "spec.scopes"},
		"invalid_request":        {ReasonInvalidRequest, "spec.parameters"},
		"invalid_target":         {ReasonInvalidRequest, "spec.parameters"},
		"access_denied":          {ReasonAccessDenied, "at the vendor"},
		"invalid_grant":          {ReasonInvalidGrant, "credentials Secret"},
		"invalid_code":           {ReasonInvalidGrant, "credentials Secret"},
	} {
		t.Run(code, func(t *testing.T) {
			got := fail(&Request{}, http.StatusBadRequest, `{"error":"`+code+`"}`)
			wantFailure(t, got, &Error{Class: Rejected, Reason: want.reason, Code: code, StatusCode: 400, Sent: true, Definite: true}, want.remedy)
		})
	}
}

func TestE3_InvalidGrantDependsOnWhatWasBrought(t *testing.T) {
	form := func(body string) *Request { return &Request{body: NewSensitive(body)} }
	for what, c := range map[string]struct {
		request *Request
		class   Class
		remedy  string
	}{
		"a refresh token": {&Request{refresh: true, body: NewSensitive("grant_type=refresh_token")}, Reauthorize, "A new authorization is needed"},
		"a password":      {form("grant_type=password"), Rejected, "username and password"},
		"a code":          {form("grant_type=authorization_code"), Rejected, "Authorize again"},
		"an assertion":    {form("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer"), Rejected, "saml_signing_key"},
		"anything else":   {form("grant_type=client_credentials"), Rejected, "Correct the credentials Secret"},
	} {
		t.Run(what, func(t *testing.T) {
			want := &Error{Class: c.class, Reason: ReasonInvalidGrant, Code: "invalid_grant", StatusCode: 400, Sent: true, Definite: true}
			wantFailure(t, fail(c.request, http.StatusBadRequest, `{"error":"invalid_grant"}`), want, c.remedy)
		})
	}
}

func TestE4_RetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"42": 42 * time.Second, " 42 ": 42 * time.Second, "3600": time.Hour, "3601": time.Hour, "99999999999999999999": time.Hour,
		"4294967295": time.Hour, "1": time.Second, "0": time.Second,
		"": 0, "-5": 0, "soon": 0, "1.5": 0, "4 2": 0, "0x10": 0,
		"Tue, 06 May 2031 12:01:30 GMT":   90 * time.Second,
		"Tuesday, 06-May-31 12:01:30 GMT": 90 * time.Second,
		"Tue May  6 12:01:30 2031":        90 * time.Second,
		"Tue, 06 May 2031 12:00:00 GMT":   time.Second,
		"Tue, 06 May 2031 11:00:00 GMT":   time.Second,
		"Fri, 06 May 1931 11:00:00 GMT":   time.Second,
		"Wed, 06 May 2981 12:00:00 GMT":   time.Hour,
	} {
		t.Run(value, func(t *testing.T) {
			if got := parseRetryAfter(value, noon); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestE4_ServersThatAskForAPause(t *testing.T) {
	for what, c := range map[string]struct {
		status           int
		body, retryAfter string
		want             Error
	}{
		"429":                             {429, "", "42", Error{Class: Throttled, Reason: ReasonRateLimited, RetryAfter: 42 * time.Second, Definite: true}},
		"429 without Retry-After":         {429, "", "", Error{Class: Throttled, Reason: ReasonRateLimited, Definite: true}},
		"429 with a code":                 {429, `{"error":"access_denied"}`, "5", Error{Class: Throttled, Reason: ReasonRateLimited, RetryAfter: 5 * time.Second, Definite: true, Code: "access_denied"}},
		"503 with Retry-After":            {503, "", "5", Error{Class: Throttled, Reason: ReasonRateLimited, RetryAfter: 5 * time.Second, Definite: true}},
		"503 with a code":                 {503, `{"error":"temporarily_unavailable"}`, "5", Error{Class: Throttled, Reason: ReasonRateLimited, RetryAfter: 5 * time.Second, Definite: true, Code: "temporarily_unavailable"}},
		"503 without Retry-After":         {503, "", "", Error{Class: Transient, Reason: ReasonVendorUnavailable}},
		"503 with unreadable Retry-After": {503, "", "soon", Error{Class: Transient, Reason: ReasonVendorUnavailable}},
		"500 with Retry-After":            {500, "", "5", Error{Class: Transient, Reason: ReasonVendorUnavailable, RetryAfter: 5 * time.Second}},
	} {
		t.Run(what, func(t *testing.T) {
			c.want.StatusCode, c.want.Sent = c.status, true
			wantFailure(t, fail(&Request{}, c.status, c.body, "Retry-After", c.retryAfter), &c.want, "")
		})
	}
}

func TestE5_BodiesThatAreNoOAuthErrors(t *testing.T) {
	genesys, err := os.ReadFile("testdata/answers/genesys-cloud-429.json")
	if err != nil {
		t.Fatal(err)
	}
	const page = "<html><body>Bad Gateway " + theSecret + "</body></html>"
	for what, c := range map[string]struct {
		status int
		body   string
		class  Class
		reason Reason
		hint   string
	}{
		"400 and no body":         {400, "", Rejected, ReasonInvalidRequest, "HTTP status 400"},
		"403 and no body":         {403, "", Rejected, ReasonAccessDenied, "HTTP status 403"},
		"401 in HTML":             {401, page, Rejected, ReasonInvalidClient, "HTTP status 401"},
		"400 in HTML":             {400, page, Malformed, ReasonMalformedResponse, "HTTP status 400 and an HTML page"},
		"403 in HTML":             {403, page, Malformed, ReasonMalformedResponse, "Check that the endpoint is right"},
		"403 in its own JSON":     {403, `{"message":"no"}`, Rejected, ReasonAccessDenied, "HTTP status 403"},
		"404 in HTML":             {404, page, Malformed, ReasonMalformedResponse, "HTTP status 404 and an HTML page"},
		"404 and no body":         {404, "", Malformed, ReasonMalformedResponse, "Correct the endpoint"},
		"404 in JSON of somebody": {404, `{"message":"no Route matched"}`, Malformed, ReasonMalformedResponse, "Correct the endpoint"},
		"405":                     {405, "", Malformed, ReasonMalformedResponse, "Correct the endpoint"},
		"408 in HTML":             {408, page, Transient, ReasonVendorUnavailable, "HTTP status 408"},
		"410":                     {410, "", Rejected, ReasonInvalidRequest, "Correct the endpoint"},
		"429 in HTML":             {429, page, Throttled, ReasonRateLimited, "asks for a pause"},
		"408":                     {408, "", Transient, ReasonVendorUnavailable, "HTTP status 408"},
		"422 in own JSON":         {422, `{"message":"no"}`, Rejected, ReasonInvalidRequest, "HTTP status 422"},
		"a list":                  {400, `["invalid_client"]`, Rejected, ReasonInvalidRequest, "HTTP status 400"},
		"an error of numbers":     {400, `{"error":42,"error_description":17}`, Rejected, ReasonInvalidRequest, "HTTP status 400"},
		"an error of nothing":     {400, `{"error":null}`, Rejected, ReasonInvalidRequest, "HTTP status 400"},
		"an error of objects":     {400, `{"error":{"code":400,"status":"INVALID"}}`, Rejected, ReasonInvalidRequest, "HTTP status 400"},
		"502 in HTML":             {502, page, Transient, ReasonVendorUnavailable, "HTTP status 502"},
		"500 and no body":         {500, "", Transient, ReasonVendorUnavailable, "HTTP status 500"},
		"a redirect":              {302, `{"error":"invalid_client"}`, Malformed, ReasonMalformedResponse, "HTTP status 302, a redirect"},
		"304":                     {304, "", Malformed, ReasonMalformedResponse, "a redirect"},
		"Genesys Cloud's own 429": {429, string(genesys), Throttled, ReasonRateLimited, "asks for a pause"},
	} {
		t.Run(what, func(t *testing.T) {
			got := fail(&Request{}, c.status, c.body)
			code := got.Code
			got.Code = ""
			want := &Error{Class: c.class, Reason: c.reason, StatusCode: c.status, Sent: true, Definite: c.status == 429}
			wantFailure(t, got, want, c.hint)
			if strings.Contains(got.Message, theSecret) || code != "" && c.status != 302 {
				t.Errorf("message %q, code %q", got.Message, code)
			}
		})
	}
}

func TestE5_APageIsOneWhateverXMLItIsWrittenIn(t *testing.T) {
	const page = `<?xml version="1.0"?><!DOCTYPE html><html><body>Forbidden</body></html>`
	for contentType, want := range map[string]Error{
		"text/html; charset=utf-8": {Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 403, Sent: true},
		"Application/XHTML+XML":    {Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 403, Sent: true},
		"text/xml":                 {Class: Rejected, Reason: ReasonAccessDenied, StatusCode: 403, Sent: true},
	} {
		wantFailure(t, fail(&Request{}, http.StatusForbidden, page, "Content-Type", contentType), &want, "HTTP status 403")
	}
	got := fail(&Request{}, http.StatusForbidden, `{"error":"access_denied"}`, "Content-Type", "text/html")
	wantFailure(t, got, &Error{Class: Rejected, Reason: ReasonAccessDenied, Code: "access_denied", StatusCode: 403, Sent: true, Definite: true}, "")
}

func TestE5_AnErrorCodeCountsAlsoWhereNothingElseAnswers(t *testing.T) {
	for code, reason := range map[string]Reason{"invalid_client": ReasonInvalidClient, "no_such_tenant": ReasonInvalidRequest} {
		got := fail(&Request{}, http.StatusNotFound, `{"error":"`+code+`"}`)
		wantFailure(t, got, &Error{Class: Rejected, Reason: reason, Code: code, StatusCode: 404, Sent: true, Definite: true}, "")
	}
}

func TestE5_AKnownCodeInAnObjectIsFound(t *testing.T) {
	for _, body := range []string{
		`{"error":{"code":"invalid_client","message":"x"}}`, `{"error":{"error":"invalid_client"}}`, `{"error":{"type":"invalid_client"}}`,
	} {
		got := fail(&Request{}, http.StatusBadRequest, body)
		want := &Error{Class: Rejected, Reason: ReasonInvalidClient, Code: "invalid_client", StatusCode: 400, Sent: true, Definite: true}
		wantFailure(t, got, want, "")
	}
}

func TestAmbiguousIsWhatMayHaveSpentARefreshToken(t *testing.T) {
	r := &Request{refresh: true, body: NewSensitive("grant_type=refresh_token&refresh_token=r1")}
	for what, c := range map[string]struct {
		failure   *Error
		ambiguous bool
	}{
		"a 4xx with an error code":  {fail(r, 400, `{"error":"invalid_grant"}`), false},
		"a 4xx with an unknown one": {fail(r, 400, `{"error":"own"}`), false},
		"a 4xx without":             {fail(r, 400, `<html>`), true},
		"429":                       {fail(r, 429, ``), false},
		"503 with Retry-After":      {fail(r, 503, ``, "Retry-After", "3"), false},
		"503 without":               {fail(r, 503, ``), true},
		"another 5xx":               {fail(r, 500, `{"error":"server_error"}`), true},
		"a redirect":                {fail(r, 307, ``), true},
		"a 200 that is HTML":        {second(readToken(answered(r, 200, nil, "<html>"))), true},
		"a 200 with an error":       {second(readToken(answered(r, 200, nil, `{"error":"invalid_grant"}`))), true},
		"nothing written":           {&Error{Sent: false}, false},
		"cut off":                   {&Error{Sent: true}, true},
	} {
		t.Run(what, func(t *testing.T) {
			if got := c.failure.Ambiguous(); got != c.ambiguous {
				t.Errorf("got %v, want %v", got, c.ambiguous)
			}
		})
	}
}

func second(_ *Token, failure *Error) *Error { return failure }

func TestHintsOfTheVendorFollowTheMessage(t *testing.T) {
	hints := map[string]string{"invalid_grant": "By code.", "InvalidGrant": "By reason.", "VendorUnavailable": "See the status page."}
	for want, failure := range map[string]*Error{
		"It failed. By code.":             {Message: "It failed.", Code: "invalid_grant", Reason: ReasonInvalidGrant},
		"It failed. By reason.":           {Message: "It failed.", Code: "invalid_code", Reason: ReasonInvalidGrant},
		"It failed. See the status page.": {Message: "It failed.", Reason: ReasonVendorUnavailable},
		"It failed.":                      {Message: "It failed.", Reason: ReasonAccessDenied},
	} {
		if got := failure.withHint(hints).Message; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
