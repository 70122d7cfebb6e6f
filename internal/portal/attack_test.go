package portal_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

type update = func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error

// failing is an API server that does not answer writes.
func failing(t *testing.T) update {
	t.Helper()
	return func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
		return apierrors.NewServiceUnavailable("the test says so: the code")
	}
}

// conflicting has somebody else write just before, once.
func conflicting(f *fixture, change func(*corev1.Secret)) update {
	return func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
		f.faults.Update = nil
		secret := f.state(strings.TrimSuffix(object.GetName(), v1alpha1.StateSecretSuffix)) //nolint:contextcheck // it has the test's
		change(secret)
		if err := f.client.Update(ctx, secret); err != nil {
			f.t.Error(err)
		}
		return c.Update(ctx, object, options...)
	}
}

func TestATicketIsUsedOnce(t *testing.T) {
	f := newFixture(t, "")
	ticket, b, other := f.invite("orders"), f.newBrowser(), f.newBrowser()
	page := other.get("/authorize/" + ticket)
	b.setOut(ticket)
	again := other.send(http.MethodPost, "/authorize/"+ticket, url.Values{"form": {page.formToken()}})
	if again.StatusCode != http.StatusNotFound || len(f.record("orders").Attempts) != 1 {
		t.Errorf("a second use is answered with status %d, and there are %d attempts", again.StatusCode, len(f.record("orders").Attempts))
	}
	if got := b.get("/authorize/" + ticket); got.StatusCode != http.StatusNotFound || got.formToken() != "" {
		t.Errorf("the page of a used ticket has status %d", got.StatusCode)
	}
}

// TestADoubleClickLeadsTheSameWay: browsers follow the answer to the last form that was sent, and may not even read the first.
func TestADoubleClickLeadsTheSameWay(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	page := b.get("/authorize/" + ticket)
	form, before := url.Values{"form": {page.formToken()}}, cookieHeader(b.cookies())
	ways := make([]string, 4)
	clicks := make([]func() int, len(ways))
	for i := range clicks {
		clicks[i] = func() int {
			got := f.newBrowser().send(http.MethodPost, "/authorize/"+ticket, form, "Cookie", before)
			ways[i] = got.Header.Get("Location")
			return got.StatusCode
		}
	}
	if got := atOnce(clicks); !slices.Equal(got, []int{303, 303, 303, 303}) {
		t.Fatalf("clicks at once are answered %v", got)
	}
	f.catchUp()
	last := f.newBrowser().send(http.MethodPost, "/authorize/"+ticket, form, "Cookie", before)
	for _, way := range ways {
		if way != last.Header.Get("Location") || len(f.record("orders").Attempts) != 1 {
			t.Errorf("clicks lead to %s and %s, and there are %d attempts", way, last.Header.Get("Location"), len(f.record("orders").Attempts))
		}
	}
	state := must(last.Location()).Query().Get("state")
	back := "/callback?code=x&state=" + state
	if got := f.newBrowser().get(back, "Cookie", before); got.StatusCode != http.StatusForbidden {
		t.Errorf("a callback without the attempt's cookie is answered with status %d", got.StatusCode)
	}
	if got := f.newBrowser().get(back, "Cookie", cookieHeader(map[string]string{cookieOf(state): last.Cookies()[0].Value})); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the callback is answered with status %d", got.StatusCode)
	}
	f.catchUp()
	if got := f.newBrowser().send(http.MethodPost, "/authorize/"+ticket, form, "Cookie", before); got.StatusCode != http.StatusConflict {
		t.Errorf("a click after the callback is answered with status %d", got.StatusCode)
	}
	if n := len(f.record("orders").Attempts); n != 1 {
		t.Errorf("%d attempts were begun", n)
	}
}

func TestATicketEnds(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	page := b.get("/authorize/" + ticket)
	f.clock.Step(consent.TicketLife)
	for _, got := range []seen{b.get("/authorize/" + ticket), b.send(http.MethodPost, "/authorize/"+ticket, url.Values{"form": {page.formToken()}})} {
		if got.StatusCode != http.StatusGone || !strings.Contains(got.body, "kubectl tokensync authorize") {
			t.Errorf("status %d", got.StatusCode)
		}
	}
}

func TestACallbackCountsOnceP3(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	state := b.setOut(ticket).Get("state")
	b.comeBack("state", state, "code", "first")
	if again := b.comeBack("state", state, "code", "second"); again.StatusCode != http.StatusConflict {
		t.Errorf("a second callback is answered with status %d", again.StatusCode)
	}
	if diff := cmp.Diff([]string{"first"}, f.received("orders")); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestCallbacksThatAreRefusedP3P5(t *testing.T) {
	f := newFixture(t, "")
	announced := func(o *consent.Offer) { o.Request.Issuer, o.Request.IssuerRequired = "https://vendor.example", true }
	for name, test := range map[string]struct {
		offer  func(*consent.Offer)
		attack func(b *browser, state, other string) seen
		want   int
	}{
		"another browser, without a cookie": {nil, func(_ *browser, state, _ string) seen {
			return f.newBrowser().comeBack("state", state, "code", "x")
		}, http.StatusForbidden},
		"another browser, with a cookie of its own": {nil, func(_ *browser, state, _ string) seen {
			stranger := f.newBrowser()
			name := "tokensync-" + consent.Hash(oauth.NewSensitive(state))[:16]
			return stranger.get("/callback?code=x&state="+state, "Cookie", name+"="+f.namespace+"/orders/"+consent.NewSecret().Reveal())
		}, http.StatusNotFound},
		"a forged state": {nil, func(b *browser, _, _ string) seen {
			return b.comeBack("state", consent.NewSecret().Reveal(), "code", "x")
		}, http.StatusForbidden},
		"a truncated state": {nil, func(b *browser, state, _ string) seen { return b.comeBack("state", state[:42], "code", "x") }, http.StatusForbidden},
		"a longer state":    {nil, func(b *browser, state, _ string) seen { return b.comeBack("state", state+"A", "code", "x") }, http.StatusForbidden},
		"two states":        {nil, func(b *browser, state, _ string) seen { return b.comeBack("state", state, "state", state, "code", "x") }, http.StatusNotFound},
		"no state":          {nil, func(b *browser, _, _ string) seen { return b.comeBack("code", "x", "state", "") }, http.StatusForbidden},
		"a state of another OAuthToken, whose cookie says this one": {nil, func(b *browser, state, other string) seen {
			name := "tokensync-" + consent.Hash(oauth.NewSensitive(other))[:16]
			jar := b.http.Jar.Cookies(must(url.Parse(f.server.URL)))
			key := ""
			for _, c := range jar {
				if c.Name == "tokensync-"+consent.Hash(oauth.NewSensitive(state))[:16] {
					key = c.Value
				}
			}
			return f.newBrowser().get("/callback?code=x&state="+other, "Cookie", name+"="+key)
		}, http.StatusNotFound},
		"a code that nobody asked for": {nil, func(*browser, string, string) seen {
			return f.newBrowser().comeBack("code", "x", "state", "y")
		}, http.StatusForbidden},
		"a cookie that names no OAuthToken": {nil, func(_ *browser, state, _ string) seen {
			name := "tokensync-" + consent.Hash(oauth.NewSensitive(state))[:16]
			return f.newBrowser().get("/callback?code=x&state="+state, "Cookie", name+"=kube-system/../nothing/x")
		}, http.StatusForbidden},
		"an attempt that is too old": {nil, func(b *browser, state, _ string) seen {
			f.clock.Step(consent.AttemptLife)
			return b.comeBack("state", state, "code", "x")
		}, http.StatusGone},
		"a mix-up: no iss, although it was announced": {announced, func(b *browser, state, _ string) seen {
			return b.comeBack("state", state, "code", "x")
		}, http.StatusSeeOther},
		"a mix-up: another iss": {announced, func(b *browser, state, _ string) seen {
			return b.comeBack("state", state, "code", "x", "iss", "https://attacker.example")
		}, http.StatusSeeOther},
		"a mix-up: another host, where the issuer is not known": {nil, func(b *browser, state, _ string) seen {
			return b.comeBack("state", state, "code", "x", "iss", "https://attacker.example")
		}, http.StatusSeeOther},
		"an error beside a code": {nil, func(b *browser, state, _ string) seen {
			return b.comeBack("state", state, "code", "x", "error", "access_denied")
		}, http.StatusSeeOther},
		"a parameter twice": {nil, func(b *browser, state, _ string) seen {
			return b.comeBack("state", state, "code", "x", "code", "y")
		}, http.StatusSeeOther},
		"a huge query": {nil, func(b *browser, state, _ string) seen {
			return b.comeBack("state", state, "code", strings.Repeat("x", consent.MaxAnswer))
		}, http.StatusNotFound},
		"a huge body": {nil, func(b *browser, state, _ string) seen {
			return b.send(http.MethodPost, "/callback", url.Values{"state": {state}, "access_token": {strings.Repeat("x", consent.MaxAnswer)}})
		}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ToLower(consent.Hash(oauth.NewSensitive(name))[:8])
			id = "t" + strings.NewReplacer("_", "a", "-", "b").Replace(id)
			offer := func(o *consent.Offer) {
				if test.offer != nil {
					test.offer(o)
				}
			}
			b := f.newBrowser()
			state := b.setOut(f.invite(id, offer)).Get("state")
			other := b.setOut(f.invite(id + "-other")).Get("state")
			got := test.attack(b, state, other)
			f.refused(id, got, test.want)
			if more := f.received(id + "-other"); len(more) > 0 {
				t.Error("an answer was taken for the other OAuthToken")
			}
		})
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestFormsFromElsewhereStartNothing(t *testing.T) {
	for kind, address := range map[string]string{"https": "https://tokens.example.com", "plain http on this machine": ""} {
		t.Run(kind, func(t *testing.T) {
			f := newFixture(t, address)
			ticket, b := f.invite("orders"), f.newBrowser()
			page := b.get("/authorize/" + ticket)
			var cookie string
			for _, c := range page.Cookies() {
				cookie = c.Name + "=" + c.Value
			}
			good := url.Values{"form": {page.formToken()}}
			for name, test := range map[string]struct {
				form    url.Values
				headers []string
			}{
				"from another site, as the browser says":   {good, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://attacker.example"}},
				"from a neighbouring site":                 {good, []string{"Sec-Fetch-Site", "same-site", "Origin", "https://other.example.com"}},
				"from another origin, by an old browser":   {good, []string{"Origin", "https://attacker.example"}},
				"from another site's page without origin":  {good, []string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}},
				"from no origin, without the form's token": {nil, []string{"Origin", "null"}},
				"without the form's token":                 {nil, nil},
				"with the token of another browser's form": {url.Values{"form": {f.newBrowser().get("/authorize/" + ticket).formToken()}}, nil},
				"with the token in the address":            {nil, nil},
			} {
				path := "/authorize/" + ticket
				if strings.Contains(name, "address") {
					path += "?form=" + page.formToken()
				}
				got := f.newBrowser().send(http.MethodPost, path, test.form, append(test.headers, "Cookie", cookie)...)
				if got.StatusCode != http.StatusForbidden {
					t.Errorf("a form %s is answered with status %d", name, got.StatusCode)
				}
			}
			if n := len(f.record("orders").Attempts); n != 0 {
				t.Errorf("%d attempts were begun", n)
			}
			without := f.newBrowser().send(http.MethodPost, "/authorize/"+ticket, good)
			if without.StatusCode != http.StatusForbidden {
				t.Errorf("a form without the cookie is answered with status %d", without.StatusCode)
			}
			own := f.newBrowser().send(http.MethodPost, "/authorize/"+ticket, good, "Cookie", cookie, "Origin", f.portal.URL.Scheme+"://"+f.portal.URL.Host)
			if own.StatusCode != http.StatusSeeOther {
				t.Errorf("the portal's own form is answered with status %d", own.StatusCode)
			}
		})
	}
}

// TestThePortalsOwnFormsCountWithoutAnOrigin: a page that sends no referrer has the origin null for browsers, and over plain http, or when they are
// old, they don't tell Sec-Fetch-Site either.
func TestThePortalsOwnFormsCountWithoutAnOrigin(t *testing.T) {
	for _, address := range []string{"http://10.0.0.5:30080", "http://tokens.corp", "https://tokens.example.com"} {
		t.Run(address, func(t *testing.T) {
			f := newFixture(t, address)
			held := map[string]string{} // the address is not the test server's, so that its browsers keep no cookies
			send := func(method, path string, form url.Values, headers ...string) seen {
				got := f.newBrowser().send(method, path, form, append(headers, "Cookie", cookieHeader(held))...)
				for _, c := range got.Cookies() {
					held[c.Name] = c.Value
				}
				return got
			}
			ticket := f.invite("orders", func(o *consent.Offer) { o.Request.Implicit, o.Request.PKCE = true, false })
			page := send(http.MethodGet, "/authorize/"+ticket, nil)
			left := send(http.MethodPost, "/authorize/"+ticket, url.Values{"form": {page.formToken()}}, "Origin", "null")
			if left.StatusCode != http.StatusSeeOther {
				t.Fatalf("the button is answered with status %d", left.StatusCode)
			}
			answer := url.Values{"state": {must(left.Location()).Query().Get("state")}, "access_token": {"x"}, "token_type": {"Bearer"}}
			if got := send(http.MethodPost, "/callback", answer, "Origin", "null", "Sec-Fetch-Site", "cross-site"); got.StatusCode != http.StatusForbidden {
				t.Errorf("another site's fragment is answered with status %d", got.StatusCode)
			}
			if got := f.newBrowser().send(http.MethodPost, "/callback", answer, "Origin", "null"); got.StatusCode != http.StatusForbidden {
				t.Errorf("a fragment without the browser's cookie is answered with status %d", got.StatusCode)
			}
			if got := send(http.MethodPost, "/callback", answer, "Origin", "null"); got.StatusCode != http.StatusSeeOther || len(f.received("orders")) != 1 {
				t.Errorf("the fragment is answered with status %d", got.StatusCode)
			}
		})
	}
}

func TestReadingStartsNothing(t *testing.T) {
	f := newFixture(t, "")
	ticket := f.invite("orders")
	before := f.state("orders").ResourceVersion
	for range 20 { // previews and scanners of links
		f.newBrowser().get("/authorize/" + ticket)
		f.newBrowser().send(http.MethodHead, "/authorize/"+ticket, nil)
		f.newBrowser().send(http.MethodPut, "/authorize/"+ticket, nil)
	}
	if after := f.state("orders").ResourceVersion; after != before {
		t.Error("reading a link changes the state Secret")
	}
	if got := f.newBrowser().send(http.MethodPut, "/authorize/"+ticket, nil); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT is answered with status %d", got.StatusCode)
	}
}

func TestWhoGuessesIsSlowedDown(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	for range 50 {
		if got := b.get("/authorize/" + ticket); got.StatusCode != http.StatusOK {
			t.Fatalf("a good link is answered with status %d", got.StatusCode)
		}
	}
	refused := 0
	for range 40 {
		if got := b.get("/authorize/" + consent.NewSecret().Reveal()); got.StatusCode == http.StatusTooManyRequests && got.Header.Get("Retry-After") != "" {
			refused++
		}
	}
	if refused != 10 {
		t.Errorf("%d of 40 guesses are refused unread, want 10", refused)
	}
	if got := b.get("/authorize/" + ticket); got.StatusCode != http.StatusOK {
		t.Errorf("after many guesses a good link is answered with status %d", got.StatusCode)
	}
}

// TestGuessesShutNobodyOut: behind a proxy all have one address, and whoever guesses without end leaves the rest their whole way.
func TestGuessesShutNobodyOut(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	_, old := f.setOutAs("old")
	stranger := f.newBrowser()
	guessing := func() {
		t.Helper()
		for path, status := range map[string]int{
			"/authorize/" + consent.NewSecret().Reveal():                  http.StatusTooManyRequests,
			"/callback?code=x&state=a&state=b":                            http.StatusTooManyRequests,
			"/callback?code=x&state=" + old:                               http.StatusTooManyRequests,
			"/outcome/" + consent.Hash(oauth.NewSensitive(old))[:16]:      http.StatusForbidden, // which nothing is read for
			"/outcome/" + consent.Hash(oauth.NewSensitive("forged"))[:16]: http.StatusTooManyRequests,
			"/callback?code=x&state=forged":                               http.StatusTooManyRequests,
		} {
			if got := stranger.get(path, "Cookie", cookieOf("forged")+"="+f.namespace+"/orders/x"); got.StatusCode != status {
				t.Errorf("a guess at %s is answered with status %d, want %d", path, got.StatusCode, status)
			}
		}
	}
	for range guesses {
		stranger.get("/authorize/" + consent.NewSecret().Reveal())
	}
	guessing()
	if got := b.get("/authorize/" + ticket); got.StatusCode != http.StatusOK {
		t.Errorf("a good link is answered with status %d", got.StatusCode)
	}
	state := b.setOut(ticket).Get("state")
	f.catchUp()
	guessing()
	if got := b.comeBack("state", state, "error", "access_denied"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a callback is answered with status %d", got.StatusCode)
	}
	guessing()
	if got := b.get("/outcome/" + consent.Hash(oauth.NewSensitive(state))[:16]); got.StatusCode != http.StatusOK {
		t.Errorf("the outcome is answered with status %d", got.StatusCode)
	}
	if got := b.comeBack("state", state, "code", "x"); got.StatusCode != http.StatusConflict {
		t.Errorf("a second callback is answered with status %d", got.StatusCode)
	}
	guessing()
}

func TestNothingLeadsElsewhereP7(t *testing.T) {
	f := newFixture(t, "https://tokens.example.com/prefix")
	ticket, b := f.invite("orders"), f.newBrowser()
	evil := "https://attacker.example/"
	query := "?redirect_uri=" + evil + "&next=" + evil + "&url=" + evil + "&return_to=" + evil + "&iss=" + evil
	headers := []string{"Host", "attacker.example", "X-Forwarded-Host", "attacker.example", "X-Forwarded-Proto", "javascript", "Forwarded", "host=attacker.example", "Referer", evil}
	for _, path := range []string{"/authorize/" + ticket, "/callback", "/outcome/x", "/", "//attacker.example/", "/%2f%2fattacker.example", "/authorize/../callback"} {
		got := b.get(path+query, headers...)
		if location := got.Header.Get("Location"); location != "" {
			t.Errorf("%s leads to %s", path, location)
		}
		if strings.Contains(got.body, "attacker.example") {
			t.Errorf("%s shows what came in the request", path)
		}
	}
}

// shape counts the elements of a page.
func shape(t *testing.T, page string) map[string]int {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	elements := map[string]int{}
	for node := range document.Descendants() {
		if node.Type == html.ElementNode {
			elements[node.Data]++
			for _, attribute := range node.Attr {
				elements[node.Data+" "+attribute.Key]++
			}
		}
	}
	return elements
}

func TestValuesStayText(t *testing.T) {
	f := newFixture(t, "")
	pages := func(name, value string) (ask, outcome map[string]int) {
		ticket, b := f.invite(name, func(o *consent.Offer) { o.Title, o.Scopes = value, []string{value} }), f.newBrowser()
		f.settle(name, func(r consent.Record) consent.Record {
			r.Subject = value
			return r
		})
		page := b.get("/authorize/" + ticket)
		state := b.setOut(ticket).Get("state")
		b.comeBack("state", state, "error", value, "error_description", value)
		hashed := consent.Hash(oauth.NewSensitive(state))
		f.settle(name, func(r consent.Record) consent.Record {
			r.Attempts[0].Outcome = &consent.Outcome{Result: consent.Refused, Code: value, Detail: value, Subject: value}
			return r
		})
		return shape(t, page.body), shape(t, b.get("/outcome/"+hashed[:16]).body)
	}
	ask, outcome := pages("harmless", "words")
	for i, value := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'-alert(1)-'`, `</title><svg onload=alert(1)>`, `{{.}}`, "\u202e\u2066<b>",
		`javascript:alert(1)`, `<!--`, `{1}{2}{3}`,
	} {
		gotAsk, gotOutcome := pages("attack-"+string(rune('a'+i)), value)
		if diff := cmp.Diff(ask, gotAsk); diff != "" {
			t.Errorf("%q changes the page before (-want +got):\n%s", value, diff)
		}
		if diff := cmp.Diff(outcome, gotOutcome); diff != "" {
			t.Errorf("%q changes the outcome's page (-want +got):\n%s", value, diff)
		}
	}
}

func TestEveryAnswerIsGuardedP7(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	want := map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
	}
	for _, path := range []string{"/authorize/" + ticket, "/authorize/x", "/callback", "/callback?state=x&code=y", "/outcome/x", "/nowhere", "/portal.css", "/callback.js"} {
		got := b.get(path)
		for name, value := range want {
			if got.Header.Get(name) != value {
				t.Errorf("%s: %s is %q", path, name, got.Header.Get(name))
			}
		}
		policy := got.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "form-action") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
	}
	if left := b.press(ticket); left.Header.Get("Referrer-Policy") != "no-referrer" || left.Header.Get("Cache-Control") != "no-store" {
		t.Error("the redirect to the vendor is not guarded")
	}
}

func TestCookiesAndLinksFollowTheAddressThatBrowsersSee(t *testing.T) {
	for address, test := range map[string]struct {
		name, path string
		secure     bool
	}{
		"https://tokens.example.com":        {"__Host-tokensync-", "/", true},
		"https://intranet.example.com/sync": {"__Host-tokensync-", "/", true},
		"https://example.com/authorize":     {"__Host-tokensync-", "/", true},
		"https://example.com/outcome":       {"__Host-tokensync-", "/", true},
		"http://localhost:8085":             {"tokensync-", "/", false},
		"http://localhost:8085/sync":        {"tokensync-", "/sync", false},
	} {
		t.Run(address, func(t *testing.T) {
			f := newFixture(t, address)
			for i, prefix := range []string{"", f.portal.URL.Path} { // a proxy may remove the prefix or pass it on
				name := []string{"stripped", "passed-on"}[i]
				ticket, b := f.invite(name), f.newBrowser()
				page := b.get(prefix + "/authorize/" + ticket)
				if !strings.Contains(page.body, `action="`+address+"/authorize/"+ticket+`"`) || !strings.Contains(page.body, `href="`+address+`/portal.css"`) {
					t.Errorf("%s: links do not begin with the address", name)
				}
				left := f.newBrowser().send(http.MethodPost, prefix+"/authorize/"+ticket, url.Values{"form": {page.formToken()}},
					"Cookie", page.Cookies()[0].Name+"="+page.Cookies()[0].Value, "Origin", "https://"+f.portal.URL.Host, "Sec-Fetch-Site", "same-origin")
				for _, c := range append(page.Cookies(), left.Cookies()...) {
					if !strings.HasPrefix(c.Name, test.name) || c.Path != test.path || c.Secure != test.secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
						t.Errorf("%s: cookie %+v", name, c)
					}
				}
				target := must(left.Location()).Query()
				back := f.newBrowser().get(prefix+"/callback?code=x&state="+target.Get("state"), "Cookie", left.Cookies()[0].Name+"="+left.Cookies()[0].Value)
				if !strings.HasPrefix(back.Header.Get("Location"), address+"/outcome/") {
					t.Errorf("%s: the outcome is at %s", name, back.Header.Get("Location"))
				}
			}
		})
	}
}

func TestNothingSecretIsLoggedOrShown(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	f.faults.Update = failing(t)
	b.press(ticket)
	f.faults.Update = nil
	state := b.setOut(ticket).Get("state")
	f.faults.Update = failing(t)
	b.comeBack("state", state, "code", "the code")
	f.faults.Update = nil
	b.comeBack("state", state, "code", "the code")
	logged.Lock()
	log := logged.String()
	logged.Unlock()
	if !strings.Contains(log, "ServiceUnavailable") {
		t.Errorf("the failure is not logged: %q", log)
	}
	verifier := f.record("orders").Attempts[0].Verifier.Reveal()
	token := &v1alpha1.OAuthToken{}
	if err := f.client.Get(t.Context(), client.ObjectKey{Namespace: f.namespace, Name: "orders"}, token); err != nil {
		t.Fatal(err)
	}
	seenByTenant := strings.Join([]string{log, must(jsonOf(token))}, "\n")
	for about, secret := range map[string]string{"ticket": ticket, "state": state, "code": "the code", "verifier": verifier} {
		if secret == "" || strings.Contains(seenByTenant, secret) {
			t.Errorf("the %s is in the log or in the OAuthToken", about)
		}
	}
}
