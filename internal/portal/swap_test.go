package portal_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// cookies are what a browser has, by name.
func (b *browser) cookies() map[string]string {
	b.f.t.Helper()
	held := map[string]string{}
	for _, c := range b.http.Jar.Cookies(must(url.Parse(b.f.server.URL))) {
		held[c.Name] = c.Value
	}
	return held
}

// inviteAgain gives a new link to an OAuthToken that has one, as the controller does.
func (f *fixture) inviteAgain(name string, change ...func(*consent.Offer)) string {
	f.t.Helper()
	ticket := consent.NewSecret()
	f.settle(name, func(r consent.Record) consent.Record { return r.Invite(f.clock.Now(), ticket, f.someOffer(change...)) })
	return ticket.Reveal()
}

func TestTwoAttemptsOfOneBrowserAreNotExchangedP3(t *testing.T) {
	f := newFixture(t, "")
	b, first := f.setOutAs("orders")
	second := b.setOut(f.inviteAgain("orders")).Get("state")
	held := b.cookies()
	for state, other := range map[string]string{first: second, second: first} {
		got := f.newBrowser().get("/callback?code=x&state="+state, "Cookie", cookieOf(state)+"="+held[cookieOf(other)])
		f.refused("orders", got, http.StatusNotFound)
	}
	for state, code := range map[string]string{first: "one", second: "two"} {
		if got := b.comeBack("state", state, "code", code); got.StatusCode != http.StatusSeeOther {
			t.Errorf("an attempt of two is answered with status %d", got.StatusCode)
		}
		for _, a := range f.record("orders").Attempts {
			if a.State == consent.Hash(oauth.NewSensitive(state)) && a.Answer.Reveal() != code {
				t.Errorf("code %s is not noted for the attempt that it is for", code)
			}
		}
	}
	if attempts := f.record("orders").Attempts; attempts[0].Verifier.Equal(attempts[1].Verifier) || attempts[0].Browser == attempts[1].Browser {
		t.Error("two attempts share a verifier or a key (rule P1)")
	}
}

func TestOneOfManyBrowsersUsesATicket(t *testing.T) {
	f := newFixture(t, "")
	ticket := f.invite("orders")
	const many = 6
	ready := make([]func() int, many)
	for i := range ready {
		b := f.newBrowser()
		form := url.Values{"form": {b.get("/authorize/" + ticket).formToken()}}
		ready[i] = func() int { return b.send(http.MethodPost, "/authorize/"+ticket, form).StatusCode }
	}
	if got, want := atOnce(ready), []int{303, 404, 404, 404, 404, 404}; !slices.Equal(got, want) {
		t.Errorf("browsers that press the button at once are answered %v, want %v", got, want)
	}
	if n := len(f.record("orders").Attempts); n != 1 {
		t.Errorf("%d attempts were begun", n)
	}
}

func TestOneOfManyCallbacksCountsP3(t *testing.T) {
	f := newFixture(t, "")
	b, state := f.setOutAs("orders")
	ready := make([]func() int, 6)
	for i := range ready {
		ready[i] = func() int { return b.comeBack("state", state, "code", "code-"+string(rune('a'+i))).StatusCode }
	}
	if got, want := atOnce(ready), []int{303, 409, 409, 409, 409, 409}; !slices.Equal(got, want) {
		t.Errorf("callbacks at once are answered %v, want %v", got, want)
	}
	if got := f.received("orders"); len(got) != 1 {
		t.Errorf("%d answers were taken", len(got))
	}
}

// atOnce runs all, and returns the statuses in order.
func atOnce(all []func() int) []int {
	statuses := make([]int, len(all))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, one := range all {
		wg.Go(func() {
			<-start
			statuses[i] = one()
		})
	}
	close(start)
	wg.Wait()
	slices.Sort(statuses)
	return statuses
}

// TestWhoAnswersP5 looks at what is noted, so that an answer that is refused for another reason does not pass.
func TestWhoAnswersP5(t *testing.T) {
	f := newFixture(t, "")
	announced := func(o *consent.Offer) { o.Request.Issuer, o.Request.IssuerRequired = "https://vendor.example", true }
	known := func(o *consent.Offer) { o.Request.Issuer = "https://vendor.example" }
	unknown := func(*consent.Offer) {}
	for name, test := range map[string]struct {
		offer  func(*consent.Offer)
		answer []string
		want   string // the code of the refusal; empty: the answer is taken
	}{
		"announced-and-there":            {announced, []string{"code", "x", "iss", "https://vendor.example"}, ""},
		"announced-and-missing":          {announced, []string{"code", "x"}, oauth.IssuerMismatch},
		"announced-and-empty":            {announced, []string{"code", "x", "iss", ""}, oauth.IssuerMismatch},
		"announced-and-another":          {announced, []string{"code", "x", "iss", "https://attacker.example"}, oauth.IssuerMismatch},
		"announced-with-a-slash-more":    {announced, []string{"code", "x", "iss", "https://vendor.example/"}, oauth.IssuerMismatch},
		"announced-in-capitals":          {announced, []string{"code", "x", "iss", "https://VENDOR.example"}, oauth.IssuerMismatch},
		"announced-beside-an-error":      {announced, []string{"error", "access_denied"}, oauth.IssuerMismatch},
		"known-and-missing":              {known, []string{"code", "x"}, ""},
		"known-and-another":              {known, []string{"code", "x", "iss", "https://attacker.example"}, oauth.IssuerMismatch},
		"unknown-and-missing":            {unknown, []string{"code", "x"}, ""},
		"unknown-and-of-the-same-host":   {unknown, []string{"code", "x", "iss", "https://vendor.example/a-path"}, ""},
		"unknown-and-of-another-host":    {unknown, []string{"code", "x", "iss", "https://attacker.example"}, oauth.IssuerMismatch},
		"unknown-and-of-a-host-below":    {unknown, []string{"code", "x", "iss", "https://vendor.example.attacker.example"}, oauth.IssuerMismatch},
		"unknown-with-the-host-as-user":  {unknown, []string{"code", "x", "iss", "https://vendor.example@attacker.example"}, oauth.IssuerMismatch},
		"unknown-and-no-address":         {unknown, []string{"code", "x", "iss", "vendor.example"}, oauth.IssuerMismatch},
		"no-answer":                      {unknown, []string{}, oauth.UnusableAnswer},
		"an-empty-code":                  {unknown, []string{"code", ""}, oauth.UnusableAnswer},
		"a-code-twice":                   {unknown, []string{"code", "x", "code", "x"}, oauth.UnusableAnswer},
		"an-error-beside-a-code":         {unknown, []string{"code", "x", "error", "server_error"}, "server_error"},
		"an-error-of-another-server":     {known, []string{"error", "login_required", "iss", "https://attacker.example"}, oauth.IssuerMismatch},
		"a-token-where-a-code-was-asked": {unknown, []string{"access_token", "x", "token_type", "Bearer"}, oauth.UnusableAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			b, state := f.setOutAs(name, test.offer)
			back := b.comeBack(append(test.answer, "state", state)...)
			attempt := f.record(name).Attempts[0]
			if back.StatusCode != http.StatusSeeOther || attempt.ReceivedAt.IsZero() {
				t.Fatalf("status %d: the callback is not noted", back.StatusCode)
			}
			got := ""
			if attempt.Outcome != nil {
				got = attempt.Outcome.Code
			}
			if got != test.want || attempt.Answer.IsEmpty() != (test.want != "") || attempt.Verifier.IsEmpty() != (test.want != "") {
				t.Errorf("refused with %q, want %q; an answer was kept: %t, the verifier: %t", got, test.want, !attempt.Answer.IsEmpty(), !attempt.Verifier.IsEmpty())
			}
		})
	}
}

func TestAnswersComeTheWayThatWasAskedFor(t *testing.T) {
	f := newFixture(t, "")
	implicit := func(o *consent.Offer) { o.Request.Implicit, o.Request.PKCE = true, false }
	token := url.Values{"access_token": {"the token"}, "token_type": {"Bearer"}}
	for name, test := range map[string]struct {
		offer   func(*consent.Offer)
		method  string
		answer  url.Values
		headers []string
		want    int
	}{
		"a-code-in-the-query":                {func(*consent.Offer) {}, http.MethodGet, url.Values{"code": {"x"}}, nil, http.StatusSeeOther},
		"a-code-posted":                      {func(*consent.Offer) {}, http.MethodPost, url.Values{"code": {"x"}}, nil, http.StatusNotFound},
		"a-token-posted":                     {implicit, http.MethodPost, token, []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, http.StatusSeeOther},
		"a-token-in-the-query":               {implicit, http.MethodGet, token, nil, http.StatusNotFound},
		"a-token-posted-from-another-site":   {implicit, http.MethodPost, token, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"a-token-posted-from-a-neighbour":    {implicit, http.MethodPost, token, []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"a-token-posted-from-another-origin": {implicit, http.MethodPost, token, []string{"Origin", "https://attacker.example"}, http.StatusForbidden},
		"a-token-posted-as-json":             {implicit, http.MethodPost, token, []string{"Content-Type", "application/json"}, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			b, state := f.setOutAs(name, test.offer)
			answer := url.Values{"state": {state}}
			maps.Copy(answer, test.answer)
			path := "/callback"
			if test.method == http.MethodGet {
				path += "?" + answer.Encode()
			}
			got := b.send(test.method, path, answer, test.headers...)
			if taken := len(f.received(name)) == 1; got.StatusCode != test.want || taken != (test.want == http.StatusSeeOther) {
				t.Errorf("status %d, want %d; taken: %t", got.StatusCode, test.want, taken)
			}
		})
	}
}

// TestOnlyTheStateSecretCounts has Secrets of the right name that are not the controller's.
func TestOnlyTheStateSecretCounts(t *testing.T) {
	f := newFixture(t, "")
	for name, change := range map[string]func(*corev1.Secret){
		"without-the-label":    func(s *corev1.Secret) { delete(s.Labels, v1alpha1.RoleLabel) },
		"of-another-role":      func(s *corev1.Secret) { s.Labels[v1alpha1.RoleLabel] = "credentials" },
		"of-another":           func(s *corev1.Secret) { s.Annotations[v1alpha1.OwnerAnnotation] = "another" },
		"of-nobody":            func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.OwnerAnnotation) },
		"owned-by-a-namesake":  func(s *corev1.Secret) { own(s, "Deployment", "owned-by-a-namesake") },
		"owned-by-another":     func(s *corev1.Secret) { own(s, "OAuthToken", "another") },
		"with-a-record-broken": func(s *corev1.Secret) { s.Data[consent.Key] = []byte("{") },
		"without-a-record":     func(s *corev1.Secret) { delete(s.Data, consent.Key) },
		"without-anything":     func(s *corev1.Secret) { s.Data = nil },
	} {
		t.Run(name, func(t *testing.T) {
			b, state := f.setOutAs(name)
			waiting := f.inviteAgain(name)
			form := url.Values{"form": {b.get("/authorize/" + waiting).formToken()}}
			secret := f.state(name)
			change(secret)
			if err := f.client.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			before := f.state(name)
			statuses := []int{
				b.get("/authorize/" + waiting).StatusCode, b.send(http.MethodPost, "/authorize/"+waiting, form).StatusCode,
				b.comeBack("state", state, "code", "x").StatusCode,
			}
			if diff := cmp.Diff([]int{404, 404, 404}, statuses); diff != "" {
				t.Errorf("the link, its button and a callback (-want +got):\n%s", diff)
			}
			if f.state(name).ResourceVersion != before.ResourceVersion {
				t.Error("the portal writes into a Secret that is not its own")
			}
		})
	}
}

func own(s *corev1.Secret, kind, name string) {
	yes := true
	s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: kind, Name: name, UID: types.UID("1"), Controller: &yes}}
}

func TestALinkEndsWithItsOAuthToken(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	token := &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "orders"}}
	if err := f.client.Delete(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	f.eventually(func() string {
		if got := b.get("/authorize/" + ticket); got.StatusCode != http.StatusNotFound || !strings.Contains(got.body, "This link leads nowhere") {
			f.clock.Step(1000000000)
			return "the link of an OAuthToken that is gone still works"
		}
		return ""
	})
}
