// Package browser_test lets Chromium go the whole way: the portal's page, the vendor's, and back, against an authorization server that this
// project did not write.
package browser_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
	"tokensync.dev/tokensync/test/judge"
)

// newWorld has a manager that serves the portal.
func newWorld(t *testing.T) *harness.World {
	t.Helper()
	w := harness.NewWorld(t, nil, "--leader-elect=false")
	w.Join().Start()
	return w
}

func TestCodeFlow(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSurfer(t)
	w.Create("orders")
	s.goTo(w.Link("orders"))
	s.awaitTone("ask")
	if host := read[string](s, `document.querySelector("main").textContent`); !strings.Contains(host, w.Judge.URL[len("https://"):]) {
		t.Error("the page does not say where the browser will go")
	}
	s.inspect("ask")
	s.press("button")
	s.signIn(judge.Person, judge.Password, "allow")
	s.awaitTone("good")
	s.inspect("connected")
	if address := read[string](s, `location.href`); strings.Contains(address, "code") || strings.Contains(address, "state") || !strings.HasPrefix(address, w.PortalURL()) {
		t.Errorf("the address bar shows %s", address)
	}
	if shown := read[string](s, `document.querySelector("main").textContent`); !strings.Contains(shown, judge.Person) {
		t.Error("the page does not say who it was")
	}
	harness.Eventually(t, func() string {
		token := w.Token("orders")
		if !harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) || token.Status.Authorization == nil || token.Status.Authorization.Subject != judge.Person {
			return "the token is not there, or status does not say who authorized"
		}
		return ""
	})
	if !w.Judge.Accepts(w.Served("orders")) || !w.Judge.Refreshes(w.Kept("orders")) || w.Judge.Granted("authorization_code") != 1 {
		t.Error("the vendor does not know the tokens, or the code was sent more than once")
	}
	s.do(chromedp.Reload())
	s.awaitTone("good") // a reload asks nothing of anybody
	w.Renew("orders", "now")
	harness.Eventually(t, func() string {
		if w.Judge.Granted("refresh_token") != 1 || !w.Judge.Refreshes(w.Kept("orders")) {
			return "the token was not renewed"
		}
		return ""
	})
}

func TestImplicitFlow(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSurfer(t)
	w.Create("orders", func(o *v1alpha1.OAuthToken) {
		o.Spec.GrantType, o.Spec.Scopes = v1alpha1.GrantImplicit, []v1alpha1.Scope{"orders"}
	})
	s.goTo(w.Link("orders"))
	s.awaitTone("ask")
	s.inspect("ask-implicit")
	s.press("button")
	s.signIn(judge.Person, judge.Password, "allow")
	s.awaitTone("good")
	if address := read[string](s, `location.href + " " + document.referrer`); strings.Contains(address, "access_token") {
		t.Error("the address bar shows the token")
	}
	harness.Eventually(t, func() string {
		if served := w.Served("orders"); served == "" || !w.Judge.Accepts(served) {
			return "the token is not there"
		}
		return ""
	})
	entries, err := chromedp.Run(s.ctx, chromedp.NavigationEntries())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries.Entries {
		if strings.Contains(entry.URL, "access_token") {
			t.Error("the browser's history holds the token")
		}
	}
	s.goTo(w.PortalURL() + "/callback")
	harness.Eventually(t, func() string {
		if read[bool](s, `document.getElementById("empty").hidden`) {
			return "the page does not say that there is no answer"
		}
		return ""
	})
	s.inspect("callback-without-answer")
}

func TestDenialAndAnotherTry(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSurfer(t)
	s.speak("fr")
	w.Create("orders")
	link := w.Link("orders")
	s.goTo(link)
	s.awaitTone("ask")
	if language := read[string](s, `document.documentElement.lang`); language != "fr" {
		t.Errorf("a French reader gets the language %q", language)
	}
	s.inspect("ask-french")
	s.do(chromedp.KeyEvent(kb.Tab)) // the only thing to press is reached with one key
	if focused := read[string](s, `document.activeElement.tagName`); focused != "BUTTON" {
		t.Errorf("the first tab stop is %s", focused)
	}
	s.press("button")
	s.signIn(judge.Person, "", "deny")
	s.awaitTone("bad")
	s.inspect("denied-french")
	if harness.Has(w.Token("orders"), v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) || w.Judge.Granted("authorization_code") != 0 {
		t.Error("a denial led to a token request")
	}
	harness.Eventually(t, func() string { // the link to try again comes with the controller's next look
		if read[bool](s, `document.querySelector(".onward a") !== null`) {
			return ""
		}
		s.do(chromedp.Reload())
		return "there is no way to try again"
	})
	s.press(".onward a")
	s.awaitTone("ask")
	s.press("button")
	s.signIn(judge.Person, judge.Password, "allow")
	s.awaitTone("good")
	s.goTo(link)
	s.awaitTone("bad")
	s.inspect("used-french")
}

func TestAnotherBrowserCantFinish(t *testing.T) {
	t.Parallel()
	w, first, second := newWorld(t), newSurfer(t), newSurfer(t)
	w.Create("orders")
	first.goTo(w.Link("orders"))
	first.awaitTone("ask")
	first.press("button")
	vendor := read[string](first, `location.href`)
	second.goTo(vendor) // somebody was sent the vendor's address, with the state of the first browser
	second.signIn(judge.Person, judge.Password, "allow")
	second.awaitTone("bad")
	second.inspect("another-browser")
	if w.Judge.Granted("authorization_code") != 0 {
		t.Error("a code that another browser brought was exchanged")
	}
	first.signIn(judge.Person, judge.Password, "allow")
	first.awaitTone("good")
}

func TestPagesWithoutAWay(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSurfer(t)
	for name, path := range map[string]string{"unknown-link": "/authorize/nothing", "absent": "/nowhere"} {
		s.goTo(w.PortalURL() + path)
		s.awaitTone("bad")
		s.inspect(name)
		if s.heading() == "" {
			t.Errorf("%s has no heading", path)
		}
	}
}

// TestTheCheckerFindsSomething shows that silence of the accessibility checker means something.
func TestTheCheckerFindsSomething(t *testing.T) {
	t.Parallel()
	s := newSurfer(t)
	s.goTo(`data:text/html,<html><body><img src="x"><p style="color:%23ccc;background:%23fff">pale</p></body></html>`)
	found := map[string]bool{}
	for _, v := range s.check() {
		found[v.ID] = true
	}
	for _, id := range []string{"image-alt", "color-contrast", "html-has-lang", "document-title"} {
		if !found[id] {
			t.Errorf("%s is not found on a page that has it: %v", id, found)
		}
	}
}
