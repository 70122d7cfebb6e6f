package portal_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

const (
	policyOfPages    = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
	policyWithScript = policyOfPages + "; script-src 'self'"
)

// guarded fails a test where an answer lacks a header that every answer bears.
func (b *browser) guarded(about string, got seen, wantStatus int, policy string) {
	b.f.t.Helper()
	want := map[string][]string{
		"Cache-Control": {"no-store"}, "Referrer-Policy": {"no-referrer"}, "X-Content-Type-Options": {"nosniff"}, "X-Frame-Options": {"DENY"},
		"Content-Security-Policy": {policy},
	}
	bears := map[string][]string{}
	for name := range want {
		bears[name] = got.Header.Values(name)
	}
	if diff := cmp.Diff(want, bears); diff != "" {
		b.f.t.Errorf("%s: headers (-want +got):\n%s", about, diff)
	}
	if got.StatusCode != wantStatus {
		b.f.t.Errorf("%s: status %d, want %d", about, got.StatusCode, wantStatus)
	}
	if got.Header.Get("Set-Cookie") != "" && wantStatus >= http.StatusBadRequest {
		b.f.t.Errorf("%s: a cookie is set", about)
	}
	if got.Header.Get("Access-Control-Allow-Origin") != "" || got.Header.Get("Server") != "" {
		b.f.t.Errorf("%s: headers that nobody needs", about)
	}
}

func TestEveryKindOfAnswerIsGuardedP7(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	form := url.Values{"form": {b.get("/authorize/" + ticket).formToken()}}
	authorize := "/authorize/" + ticket
	b.guarded("the page before", b.get(authorize), http.StatusOK, policyOfPages)
	b.guarded("its head", b.send(http.MethodHead, authorize, nil), http.StatusOK, policyOfPages)
	b.guarded("the style", b.get("/portal.css"), http.StatusOK, policyOfPages)
	b.guarded("the script", b.get("/callback.js"), http.StatusOK, policyOfPages)
	b.guarded("the page with the script", b.get("/callback"), http.StatusOK, policyWithScript)
	b.guarded("a path of nobody", b.get("/nowhere"), http.StatusNotFound, policyOfPages)
	b.guarded("the root", b.get("/"), http.StatusNotFound, policyOfPages)
	b.guarded("a ticket of nobody", b.get("/authorize/x"), http.StatusNotFound, policyOfPages)
	b.guarded("a form from nowhere", b.send(http.MethodPost, authorize, nil), http.StatusForbidden, policyOfPages)
	f.faults.Update = failing(t)
	b.guarded("an API server that is away", b.send(http.MethodPost, authorize, form), http.StatusServiceUnavailable, policyOfPages)
	f.faults.Update = nil
	left := b.send(http.MethodPost, authorize, form)
	b.guarded("the way to the vendor", left, http.StatusSeeOther, policyOfPages)
	state := must(left.Location()).Query().Get("state")
	b.guarded("a stranger's callback", f.newBrowser().comeBack("state", state, "code", "x"), http.StatusForbidden, policyOfPages)
	b.guarded("the way to the outcome", b.comeBack("state", state, "error", "access_denied"), http.StatusSeeOther, policyOfPages)
	b.guarded("the outcome", b.get("/outcome/"+consent.Hash(oauth.NewSensitive(state))[:16]), http.StatusOK, policyOfPages)
	b.guarded("a second callback", b.comeBack("state", state, "code", "x"), http.StatusConflict, policyOfPages)
	old := f.inviteAgain("orders")
	f.clock.Step(consent.TicketLife)
	b.guarded("an old link", b.get("/authorize/"+old), http.StatusGone, policyOfPages)
	for range guesses {
		b.get("/authorize/" + consent.NewSecret().Reveal())
	}
	b.guarded("too many guesses", b.get(authorize), http.StatusTooManyRequests, policyOfPages)
}

func TestMethodsThatAreNotTaken(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	before := f.state("orders").ResourceVersion
	for path, allowed := range map[string]string{
		"/authorize/" + ticket: "GET, HEAD, POST", "/callback": "GET, HEAD, POST", "/outcome/x": "GET, HEAD", "/portal.css": "GET, HEAD", "/callback.js": "GET, HEAD",
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "PROPFIND", "get"} {
			if strings.Contains(allowed, method) {
				continue
			}
			got := b.send(method, path, nil)
			b.guarded(method+" "+path, got, http.StatusMethodNotAllowed, policyOfPages)
			if got.Header.Get("Allow") != allowed { // RFC 9110, section 15.5.6
				t.Errorf("%s %s: allowed are %q, want %q", method, path, got.Header.Get("Allow"), allowed)
			}
		}
	}
	if f.state("orders").ResourceVersion != before {
		t.Error("a method that is not taken changes the state Secret")
	}
}

// TestAMistakeOfOursTellsNothing has a part of the program fail that the portal is given.
func TestAMistakeOfOursTellsNothing(t *testing.T) {
	f := newFixture(t, "")
	b, state := f.setOutAs("orders")
	f.portal.Observe = func(string, string) { panic("the test fails with state " + state) }
	f.handler = f.portal.Handler()
	got := b.comeBack("state", state, "error", "access_denied")
	b.guarded("a page that could not be made", got, http.StatusInternalServerError, policyOfPages)
	if !strings.Contains(got.body, "This page could not be made") || strings.Contains(got.body, state) {
		t.Error("the page does not say what happened, or too much")
	}
	logged.Lock()
	defer logged.Unlock()
	if log := logged.String(); !strings.Contains(log, "a page could not be made") || strings.Contains(log, state) {
		t.Error("the log says nothing, or too much")
	}
}

// elsewhere are the headers by which somebody may hope to change where things lead.
func elsewhere() []string {
	const host = "attacker.example"
	return []string{
		"Host", host, "X-Forwarded-Host", host, "X-Forwarded-Proto", "javascript", "X-Forwarded-Port", "666", "X-Forwarded-Prefix", "//" + host,
		"X-Forwarded-Server", host, "X-Original-URL", "https://" + host + "/", "X-Rewrite-URL", "//" + host + "/", "Forwarded", "host=" + host + ";proto=http",
		"X-Host", host, "Referer", "https://" + host + "/",
	}
}

// TestTheWholeWayLeadsNowhereElseP7 goes it with such headers, and with parameters that ask for another address, at every step.
func TestTheWholeWayLeadsNowhereElseP7(t *testing.T) {
	for _, address := range []string{"https://tokens.example.com", "https://tokens.example.com/prefix", "http://localhost:8085"} {
		t.Run(address, func(t *testing.T) {
			f := newFixture(t, address)
			ticket := f.invite("orders")
			evil := url.Values{}
			for _, name := range []string{"redirect_uri", "redirect", "next", "url", "return_to", "returnTo", "continue", "target", "RelayState", "request_uri", "issuer"} {
				evil.Set(name, "https://attacker.example/")
			}
			held := map[string]string{}
			step := func(method, path string, form url.Values) seen {
				got := f.newBrowser().send(method, path, form, append(elsewhere(), "Cookie", cookieHeader(held))...)
				for _, c := range got.Cookies() {
					held[c.Name] = c.Value
					if c.Domain != "" {
						t.Errorf("%s: the cookie is for %q", path, c.Domain)
					}
				}
				if strings.Contains(got.body+fmt.Sprint(got.Header), "attacker.example") {
					t.Errorf("%s shows or repeats what came in the request", path)
				}
				return got
			}
			page := step(http.MethodGet, "/authorize/"+ticket+"?"+evil.Encode(), nil)
			if !strings.Contains(page.body, `action="`+address+"/authorize/"+ticket+`"`) {
				t.Error("the form is not posted to the portal's address")
			}
			evil.Set("form", page.formToken())
			left := step(http.MethodPost, "/authorize/"+ticket+"?"+evil.Encode(), evil)
			if location := left.Header.Get("Location"); left.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, "https://vendor.example/authorize?") {
				t.Fatalf("status %d, to %s", left.StatusCode, location)
			}
			sent := must(left.Location()).Query()
			if got := slices.Sorted(maps.Keys(sent)); !slices.Equal(got, []string{"client_id", "code_challenge", "code_challenge_method", "response_type", "state"}) {
				t.Errorf("the vendor is sent %v", got)
			}
			evil.Set("state", sent.Get("state"))
			evil.Set("code", "x")
			back := step(http.MethodGet, "/callback?"+evil.Encode(), nil)
			outcome := "/outcome/" + consent.Hash(oauth.NewSensitive(sent.Get("state")))[:16]
			if back.StatusCode != http.StatusSeeOther || back.Header.Get("Location") != address+outcome {
				t.Fatalf("status %d, to %s", back.StatusCode, back.Header.Get("Location"))
			}
			f.settle("orders", func(r consent.Record) consent.Record {
				return r.Settle(r.Attempts[0].State, consent.Outcome{Result: consent.Interrupted})
			})
			if ended := step(http.MethodGet, outcome+"?"+evil.Encode(), nil); ended.StatusCode != http.StatusOK || ended.Header.Get("Refresh") != "" {
				t.Errorf("the outcome has status %d", ended.StatusCode)
			}
		})
	}
}

func cookieHeader(held map[string]string) string {
	var parts []string
	for name, value := range held {
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, "; ")
}
