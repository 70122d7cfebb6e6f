package oauthtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFaultsStrikeCodeExchanges asks twice with one code: a first use that the vendor acted on is told by the second, which it refuses.
func TestFaultsStrikeCodeExchanges(t *testing.T) {
	released := make(chan struct{})
	close(released)
	type result struct {
		Status  int // 0: no answer
		Useful  bool
		Outcome Outcome
		Again   int // status of the second use
	}
	done, undone := 400, 200
	for name, test := range map[string]struct {
		fault Fault
		want  result
	}{
		"500 before acting":              {Status(500, "text/plain", "oops"), result{500, false, Faulted, undone}},
		"500 after acting":               {AfterActing(Status(500, "text/plain", "oops")), result{500, false, Issued, done}},
		"503 before acting":              {Unavailable(InSeconds(7)), result{503, false, Faulted, undone}},
		"503 after acting":               {AfterActing(Unavailable(nil)), result{503, false, Issued, done}},
		"429":                            {TooManyRequests(InSeconds(7)), result{429, false, Faulted, undone}},
		"an error code":                  {OAuthError("temporarily_unavailable"), result{400, false, Faulted, undone}},
		"a page":                         {HTMLPage(), result{200, false, Faulted, undone}},
		"a page after acting":            {AfterActing(HTMLPage()), result{200, false, Issued, done}},
		"nothing in the body":            {AfterActing(EmptyBody()), result{200, false, Issued, done}},
		"half a JSON":                    {HalfJSON(), result{200, false, Issued, done}},
		"no access token":                {WithoutMember("access_token"), result{200, false, Issued, done}},
		"dropped before acting":          {Drop(), result{0, false, Faulted, undone}},
		"dropped before it was read":     {DropUnread(), result{0, false, Faulted, undone}},
		"dropped after acting":           {AfterActing(Drop()), result{0, false, Issued, done}},
		"dropped in the answer":          {DropMidAnswer(), result{200, false, Issued, done}},
		"slow, and well":                 {Slow(time.Millisecond), result{200, true, Issued, done}},
		"held, and well":                 {Held(released), result{200, true, Issued, done}},
		"another content type, and well": {ContentType("text/plain"), result{200, true, Issued, done}},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now)
			s.Fail(Match{Grant: AuthorizationCode, ClientID: "shop"}, test.fault, Times(1))
			code := answered(t, asks(s)).Get("code")
			w, dropped := struck(s, code)
			var got result
			if got.Status = w.Code; dropped && w.Body.Len() == 0 {
				got.Status = 0
			}
			body := w.Body.String()
			got.Useful = strings.Contains(body, `"access_token"`) && strings.HasSuffix(body, "}")
			got.Outcome = s.Requests()[1].Outcome
			got.Again = exchanged(s, code).Code
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// struck exchanges a code, and tells whether the connection was dropped.
func struck(s *Server, code string) (w *httptest.ResponseRecorder, dropped bool) {
	w = httptest.NewRecorder()
	defer func() { dropped = recover() != nil }()
	r := httptest.NewRequest(http.MethodPost, genericPath, strings.NewReader(exchanging(code)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("shop", "change-me")
	s.ServeHTTP(w, r)
	return w, false
}

func TestAClientThatLeavesASlowExchangeKeepsItsCode(t *testing.T) {
	for name, test := range map[string]struct {
		fault Fault
		want  int // status of the next use
	}{
		"before acting": {Held(nil), 200},
		"after acting":  {AfterActing(Held(nil)), 400},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now)
			takeBack := s.Fail(Match{Grant: AuthorizationCode}, test.fault)
			code := answered(t, asks(s)).Get("code")
			ctx, leave := context.WithCancel(t.Context())
			leave()
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, genericPath, strings.NewReader(exchanging(code)))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("shop", "change-me")
			func() {
				defer func() { _ = recover() }() // nobody is there to answer
				s.ServeHTTP(httptest.NewRecorder(), r)
			}()
			takeBack()
			if w := exchanged(s, code); w.Code != test.want {
				t.Errorf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
		})
	}
}
