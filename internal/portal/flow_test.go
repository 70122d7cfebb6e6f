package portal_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

func TestTheWayToTheVendorAndBack(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	page := b.get("/authorize/" + ticket)
	for _, part := range []string{"Example Shop", f.namespace + "/orders", "vendor.example", "<bdi>users</bdi>"} {
		if !strings.Contains(page.body, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	sent := b.setOut(ticket)
	if sent.Get("client_id") != "shop" || len(sent.Get("state")) != 43 || len(sent.Get("code_challenge")) != 43 || sent.Get("code_challenge_method") != "S256" {
		t.Errorf("the vendor is sent %v (rules P1, P3)", sent)
	}
	kept := f.state("orders")
	if string(kept.Data["refresh_token"]) != "the refresh token" || kept.Annotations["example.com/kept"] != "as it is" {
		t.Error("the portal changes what is not its own")
	}
	back := b.comeBack("state", sent.Get("state"), "code", "the code")
	if location := back.Header.Get("Location"); back.StatusCode != http.StatusSeeOther || !strings.HasPrefix(location, f.portal.URL.String()+"/outcome/") || strings.Contains(location, "code") {
		t.Errorf("status %d, to %q", back.StatusCode, location)
	}
	if got := f.received("orders"); !slices.Equal(got, []string{"the code"}) {
		t.Errorf("the state Secret holds %v", got)
	}
	attempt := f.record("orders").Attempts[0]
	if oauth.NewSensitive("").Equal(attempt.Verifier) || strings.Contains(page.body+back.body, attempt.Verifier.Reveal()) {
		t.Error("there is no verifier, or a page shows it")
	}
}

// outcomes are what the pages of the ends say, in a few words.
func TestOutcomes(t *testing.T) {
	f := newFixture(t, "")
	for result, want := range map[consent.Result]string{
		consent.Completed: "is connected", consent.Denied: "Access was denied", consent.Refused: "refused", consent.ExchangeFailed: "did not give a token",
		consent.Interrupted: "The answer was lost", consent.CodeExpired: "That took too long", consent.SubjectMismatch: "That is another account",
		consent.SpecChanged: "The request has changed",
	} {
		t.Run(string(result), func(t *testing.T) {
			name := strings.ToLower(string(result))
			ticket, b := f.invite(name), f.newBrowser()
			state := oauth.NewSensitive(b.setOut(ticket).Get("state"))
			outcome := "/outcome/" + consent.Hash(state)[:16]
			f.settle(name, func(r consent.Record) consent.Record {
				return r.Receive(f.clock.Now(), consent.Hash(state), oauth.NewSensitive("code"), nil).
					Settle(consent.Hash(state), consent.Outcome{Result: result, Detail: "the vendor's words", Subject: "ada"})
			})
			page := b.get(outcome)
			if page.StatusCode != http.StatusOK || !strings.Contains(page.body, want) || !strings.Contains(page.body, "the vendor&#39;s words") {
				t.Errorf("status %d: %s", page.StatusCode, page.body)
			}
			if other := f.newBrowser().get(outcome); other.StatusCode != http.StatusForbidden {
				t.Errorf("another browser is shown the outcome, with status %d", other.StatusCode)
			}
		})
	}
}

func TestAFailureLeadsToTheNextLink(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	state := b.setOut(ticket).Get("state")
	back := b.comeBack("state", state, "error", "access_denied", "error_description", "The person said no")
	token := &v1alpha1.OAuthToken{}
	key := client.ObjectKey{Namespace: f.namespace, Name: "orders"}
	if err := f.client.Get(t.Context(), key, token); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"https://elsewhere.example/authorize/x", f.portal.URL.String() + "/authorize/next"} {
		token.Status.Authorization = &v1alpha1.AuthorizationStatus{URL: link}
		if err := f.client.Status().Update(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		f.eventually(func() string {
			cached := &v1alpha1.OAuthToken{}
			if f.portal.Client.Get(t.Context(), key, cached) != nil || cached.Status.Authorization == nil || cached.Status.Authorization.URL != link {
				return "the cache is behind"
			}
			return ""
		})
		page := b.get(strings.TrimPrefix(back.Header.Get("Location"), f.portal.URL.String()))
		if shown := strings.Contains(page.body, `href="`+link+`"`); shown != strings.HasPrefix(link, f.portal.URL.String()) {
			t.Errorf("link %s is shown: %t", link, shown)
		}
	}
	if diff := cmp.Diff([]string{"shop Denied"}, *f.counted); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	select {
	case event := <-f.events.Events:
		if !strings.Contains(event, v1alpha1.ReasonAccessDenied) || !strings.Contains(event, "The person said no") {
			t.Errorf("the event says %q", event)
		}
	default:
		t.Error("no event tells of the denial (rule P4)")
	}
}

func TestARefusalsEventHasTheReasonOfItsError(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	b.comeBack("state", b.setOut(ticket).Get("state"), "error", "invalid_scope", "error_description", "No such scope.")
	select {
	case event := <-f.events.Events:
		want := "Warning InvalidScope somebody was to authorize, and the vendor answered invalid_scope: No such scope; see " +
			v1alpha1.FailureGuide(v1alpha1.ReasonInvalidScope)
		if diff := cmp.Diff(want, event); diff != "" {
			t.Errorf("the event (-want +got):\n%s", diff)
		}
	default:
		t.Error("no event tells of the refusal")
	}
}

func TestAWaitingPageLooksAgain(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	state := b.setOut(ticket).Get("state")
	b.comeBack("state", state, "code", "the code")
	answered := make(chan seen, 1)
	go func() { answered <- b.get("/outcome/" + consent.Hash(oauth.NewSensitive(state))[:16]) }()
	var page seen
	f.eventually(func() string {
		select {
		case page = <-answered:
			return ""
		default:
			f.clock.Step(1000000000) // a second
			return "the page waits for ever"
		}
	})
	if page.StatusCode != http.StatusOK || page.Header.Get("Refresh") != "5" || !strings.Contains(page.body, "Look now") {
		t.Errorf("status %d, Refresh %q", page.StatusCode, page.Header.Get("Refresh"))
	}
}

func TestFragmentsArePosted(t *testing.T) {
	f := newFixture(t, "")
	implicit := func(o *consent.Offer) { o.Request.Implicit, o.Request.PKCE = true, false }
	ticket, b := f.invite("orders", implicit), f.newBrowser()
	sent := b.setOut(ticket)
	page := b.get("/callback")
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self'") || !strings.Contains(page.body, "/callback.js") {
		t.Errorf("the page has no script of its own: %s", policy)
	}
	if script := b.get("/callback.js"); !strings.Contains(script.body, "replaceState") {
		t.Error("the script leaves the fragment in the address bar")
	}
	if sent.Has("code_challenge") {
		t.Error("the implicit grant has no code challenge")
	}
	answer := url.Values{"state": {sent.Get("state")}, "access_token": {"the token"}, "token_type": {"Bearer"}, "expires_in": {"3600"}}
	f.refused("orders", b.comeBack("state", sent.Get("state"), "access_token", "the token", "token_type", "Bearer"), http.StatusNotFound)
	if got := b.send(http.MethodPost, "/callback", answer); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the fragment is answered with status %d", got.StatusCode)
	}
	if got := f.received("orders"); len(got) != 1 || !strings.Contains(got[0], "the token") {
		t.Errorf("the state Secret holds %d answers", len(got))
	}

	f.portal.Implicit = false
	f.handler = f.portal.Handler()
	if got := b.get("/callback"); strings.Contains(got.body, "callback.js") {
		t.Error("without --enable-implicit the page has a script")
	}
	if got := b.send(http.MethodPost, "/callback", answer); got.StatusCode != http.StatusForbidden {
		t.Errorf("without --enable-implicit a fragment is answered with status %d", got.StatusCode)
	}
}

func TestTheAPIServerMayBeAwayForAMoment(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	f.faults.Update = failing(t)
	if got := b.press(ticket); got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("status %d", got.StatusCode)
	}
	f.faults.Update = nil
	state := b.setOut(ticket).Get("state")
	f.faults.Update = failing(t)
	if got := b.comeBack("state", state, "code", "the code"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", got.StatusCode)
	}
	f.faults.Update = nil
	if got := b.comeBack("state", state, "code", "the code"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a second try is answered with status %d", got.StatusCode)
	}
}

func TestAConflictKeepsTheOthersChange(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	f.faults.Update = conflicting(f, func(s *corev1.Secret) { s.Data["refresh_token"] = []byte("a newer one") })
	b.setOut(ticket)
	if kept := f.state("orders"); string(kept.Data["refresh_token"]) != "a newer one" || len(f.record("orders").Attempts) != 1 {
		t.Error("one of two changes is lost")
	}
}

func TestLanguages(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	for accepted, want := range map[string][2]string{
		"":                          {"en", "Continue"},
		"fr":                        {"fr", "Continuer"},
		"fr-CA,en;q=0.5":            {"fr", "Continuer"},
		"de-DE, en;q=0.8, fr;q=0.3": {"en", "Continue"},
		"de":                        {"en", "Continue"},
		"\xff, garbage;q=nothing":   {"en", "Continue"},
	} {
		page := b.get("/authorize/"+ticket, "Accept-Language", accepted)
		if page.Header.Get("Content-Language") != want[0] || !strings.Contains(page.body, `<html lang="`+want[0]+`">`) || !strings.Contains(page.body, ">"+want[1]+"</button>") {
			t.Errorf("%q gets %q", accepted, page.Header.Get("Content-Language"))
		}
	}
}

func jsonOf(object any) (string, error) {
	text, err := json.Marshal(object)
	return string(text), err
}
