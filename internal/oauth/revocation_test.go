package oauth

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"
)

func TestRevocationAnswers(t *testing.T) {
	for what, c := range map[string]struct {
		status int
		body   string
		header string
		want   *Error // nil: nothing is left to do
	}{
		"200":                                  {status: 200},
		"200 for a token that nobody knows":    {status: 200, body: "<html>whatever</html>"},
		"204":                                  {status: 204},
		"a kind of token that is not revoked":  {status: 400, body: `{"error":"unsupported_token_type"}`},
		"the same as 503":                      {status: 503, body: `{"error":"unsupported_token_type"}`},
		"a wrong client":                       {401, `{"error":"invalid_client"}`, "", &Error{Class: Rejected, Reason: ReasonInvalidClient, Code: "invalid_client", Definite: true}},
		"503: the token must be thought alive": {503, "", "", &Error{Class: Transient, Reason: ReasonVendorUnavailable}},
		"503 with Retry-After":                 {503, "", "7", &Error{Class: Throttled, Reason: ReasonRateLimited, RetryAfter: 7 * time.Second, Definite: true}},
		"a redirect":                           {302, "", "", &Error{Class: Malformed, Reason: ReasonMalformedResponse}},
		"no such place":                        {404, "", "", &Error{Class: Malformed, Reason: ReasonMalformedResponse}},
	} {
		t.Run(what, func(t *testing.T) {
			var body []byte
			e := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ = io.ReadAll(r.Body)
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			request := e.request()
			request.body = NewSensitive("token=r1&token_type_hint=refresh_token")
			err := newTestClient(t).Revoke(t.Context(), request)
			if string(body) != "token=r1&token_type_hint=refresh_token" {
				t.Errorf("sent %q", body)
			}
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var failure *Error
			if !errors.As(err, &failure) {
				t.Fatalf("got %v", err)
			}
			c.want.StatusCode, c.want.Sent = c.status, true
			wantFailure(t, failure, c.want, "The revocation endpoint ")
		})
	}
}

func TestRevocationNeedsAConnection(t *testing.T) {
	err := newTestClient(t).Revoke(t.Context(), &Request{URL: "https://127.0.0.1:1/", hints: map[string]string{"VendorUnavailable": "Hint."}})
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("got %v", err)
	}
	wantFailure(t, failure, &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "refuses connections")
	wantFailure(t, failure, &Error{Class: Transient, Reason: ReasonVendorUnavailable}, "Hint.")
}
