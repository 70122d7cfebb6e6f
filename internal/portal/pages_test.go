package portal_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// elementsOf are the texts of a page's elements of a kind, without the marks around values.
func elementsOf(t *testing.T, page string, kind atom.Atom) []string {
	t.Helper()
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for node := range document.Descendants() {
		if node.DataAtom != kind {
			continue
		}
		var text strings.Builder
		for part := range node.Descendants() {
			if part.Type == html.TextNode {
				text.WriteString(part.Data)
			}
		}
		texts = append(texts, strings.TrimSpace(strings.NewReplacer("\u2068", "", "\u2069", "").Replace(text.String())))
	}
	return texts
}

// everyPage drives a portal to each page that it has. The ends come from the record, as the controller leaves them.
func everyPage(f *fixture, headers ...string) map[string]seen {
	f.t.Helper()
	pages := map[string]seen{}
	implicit := func(o *consent.Offer) { o.Request.Implicit, o.Request.PKCE = true, false }
	ticket, b := f.invite("orders"), f.newBrowser()
	pages["ask"] = b.get("/authorize/"+ticket, headers...)
	pages["ask, implicit"] = b.get("/authorize/"+f.invite("implicit", implicit), headers...)
	pages["foreign"] = b.send(http.MethodPost, "/authorize/"+ticket, nil, headers...)
	pages["fragment"] = b.get("/callback", headers...)
	pages["unknown"] = b.get("/authorize/x", headers...)
	pages["browser"] = b.get("/outcome/x", headers...)
	pages["absent"] = b.get("/nowhere", headers...)
	form := url.Values{"form": {b.get("/authorize/" + ticket).formToken()}}
	f.faults.Update = failing(f.t)
	pages["unavailable"] = b.send(http.MethodPost, "/authorize/"+ticket, form, headers...)
	f.faults.Update = nil
	state := b.setOut(ticket).Get("state")
	b.comeBack("state", state, "code", "the code")
	pages["used"] = b.get("/callback?code=the+code&state="+state, headers...)
	pages["waiting"] = f.outlasting(func() seen { return b.get("/outcome/"+attemptOf(state), headers...) })
	codes := []string{
		"login_required", "consent_required", "interaction_required", "account_selection_required", "invalid_scope", "invalid_request", "unauthorized_client",
		"unsupported_response_type", "server_error", "temporarily_unavailable", oauth.IssuerMismatch, oauth.UnusableAnswer, "words_of_its_own",
	}
	for _, result := range results() {
		pages["outcome "+string(result)] = f.endedWith(b, state, consent.Outcome{Result: result, Detail: "its words", Subject: "ada"}, headers...)
	}
	for _, code := range codes {
		pages["outcome with "+code] = f.endedWith(b, state, consent.Outcome{Result: consent.Refused, Code: code}, headers...)
	}
	old := f.inviteAgain("orders")
	f.clock.Step(consent.TicketLife)
	pages["expired"] = b.get("/authorize/"+old, headers...)
	for range guesses {
		b.get("/authorize/" + consent.NewSecret().Reveal())
	}
	pages["guesses"] = b.get("/authorize/"+ticket, headers...)
	f.clock.Step(time.Minute)
	observe := f.portal.Observe
	f.portal.Observe = func(string, string) { panic("the test says so") }
	f.handler = f.portal.Handler()
	b, state = f.setOutAs("broken")
	pages["broken"] = b.get("/callback?error=access_denied&state="+state, headers...)
	f.portal.Observe = observe
	return pages
}

func results() []consent.Result {
	return []consent.Result{
		consent.Completed, consent.Denied, consent.Refused, consent.ExchangeFailed, consent.Interrupted, consent.CodeExpired, consent.SubjectMismatch,
		consent.SpecChanged,
	}
}

// endedWith shows the outcome's page of OAuthToken orders.
func (f *fixture) endedWith(b *browser, state string, outcome consent.Outcome, headers ...string) seen {
	f.t.Helper()
	f.settle("orders", func(r consent.Record) consent.Record {
		return r.Settle(consent.Hash(oauth.NewSensitive(state)), outcome)
	})
	return b.get("/outcome/"+attemptOf(state), headers...)
}

// outlasting moves the clock until a page comes.
func (f *fixture) outlasting(page func() seen) seen {
	f.t.Helper()
	answered := make(chan seen, 1)
	go func() { answered <- page() }()
	var got seen
	f.eventually(func() string {
		select {
		case got = <-answered:
			return ""
		default:
			f.clock.Step(time.Second)
			return "the page does not come"
		}
	})
	return got
}

// TestEveryPageIsWholeInEveryLanguage looks for what is left of a text that is missing, or was not filled in.
func TestEveryPageIsWholeInEveryLanguage(t *testing.T) {
	spoken := map[string]map[string]seen{}
	for _, language := range []string{"en", "fr"} {
		spoken[language] = everyPage(newFixture(t, ""), "Accept-Language", language)
		for about, page := range spoken[language] {
			if left := regexp.MustCompile(`\{\d+\}|\b(ask|outcome|code|fact|waiting|fragment|unknown|expired|used|browser|foreign|guesses|unavailable|absent|broken)\.[A-Za-z_.]+\b`).FindString(page.body); left != "" &&
				!strings.HasPrefix(left, "callback.") && left != "code.words_of_its_own" {
				t.Errorf("%s in %s shows %s", about, language, left)
			}
			if strings.Contains(page.body, "%!") || strings.Contains(page.body, "<no value>") {
				t.Errorf("%s in %s is not filled in", about, language)
			}
			if page.Header.Get("Content-Language") != language || !strings.Contains(page.body, `<html lang="`+language+`">`) || page.Header.Get("Vary") != "Accept-Language" {
				t.Errorf("%s is not in %s", about, language)
			}
			if got := page.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
				t.Errorf("%s in %s is %q", about, language, got)
			}
			headings, titles := elementsOf(t, page.body, atom.H1), elementsOf(t, page.body, atom.Title)
			if len(headings) != 1 || len(titles) != 1 || headings[0] == "" || titles[0] != headings[0]+" – Tokensync" {
				t.Errorf("%s in %s has headings %q and titles %q", about, language, headings, titles)
			}
		}
	}
	for about, page := range spoken["en"] {
		french := spoken["fr"][about]
		if page.StatusCode != french.StatusCode {
			t.Errorf("%s has status %d in English and %d in French", about, page.StatusCode, french.StatusCode)
		}
		if diff := cmp.Diff(shape(t, page.body), shape(t, french.body)); diff != "" {
			t.Errorf("%s has other elements in French (-en +fr):\n%s", about, diff)
		}
		if cmp.Equal(elementsOf(t, page.body, atom.P), elementsOf(t, french.body, atom.P)) {
			t.Errorf("%s says the same in French", about)
		}
	}
}

// TestPagesNameNothingButThePortal looks at every address on every page.
func TestPagesNameNothingButThePortal(t *testing.T) {
	f := newFixture(t, "")
	for about, page := range everyPage(f) {
		document, err := html.Parse(strings.NewReader(page.body))
		if err != nil {
			t.Fatal(err)
		}
		for node := range document.Descendants() {
			if node.DataAtom == atom.Style || node.DataAtom == atom.Iframe || node.DataAtom == atom.Script && node.FirstChild != nil {
				t.Errorf("%s has <%s>", about, node.Data)
			}
			for _, a := range node.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "style":
					t.Errorf("%s has an attribute %s", about, a.Key)
				case (a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "data-target") && !strings.HasPrefix(a.Val, f.portal.URL.String()+"/"):
					t.Errorf("%s names %s", about, a.Val)
				}
			}
		}
	}
}

func TestPagesHoldNothingSecret(t *testing.T) {
	f := newFixture(t, "")
	b, state := f.setOutAs("orders")
	verifier := f.record("orders").Attempts[0].Verifier.Reveal()
	back := b.comeBack("state", state, "code", "the code")
	waits := f.outlasting(func() seen { return b.get("/outcome/" + attemptOf(state)) })
	again := b.comeBack("state", state, "code", "the code")
	ended := f.endedWith(b, state, consent.Outcome{Result: consent.ExchangeFailed, Detail: "its words"})
	key := b.cookies()[cookieOf(state)]
	key = key[strings.LastIndex(key, "/")+1:]
	for about, page := range map[string]seen{"the way to the outcome": back, "the page that waits": waits, "a second callback": again, "the outcome": ended} {
		all := page.body + page.Header.Get("Location") + page.Header.Get("Refresh") + strings.Join(page.Header.Values("Set-Cookie"), "")
		for secret, value := range map[string]string{"state": state, "code": "the code", "verifier": verifier, "key": key, "refresh token": "the refresh token"} {
			if value == "" || strings.Contains(all, value) {
				t.Errorf("%s shows the %s", about, secret)
			}
		}
	}
}

// TestWhatATenantSees reads all that somebody may read who has no access to Secrets: the OAuthToken, and what its link shows to a stranger.
func TestWhatATenantSees(t *testing.T) {
	f := newFixture(t, "")
	b, state := f.setOutAs("orders")
	verifier := f.record("orders").Attempts[0].Verifier.Reveal()
	next := f.inviteAgain("orders")
	b.comeBack("state", state, "code", "the code")
	key := b.cookies()[cookieOf(state)]
	key = key[strings.LastIndex(key, "/")+1:]
	token := &v1alpha1.OAuthToken{}
	if err := f.client.Get(t.Context(), client.ObjectKey{Namespace: f.namespace, Name: "orders"}, token); err != nil {
		t.Fatal(err)
	}
	tenant := f.newBrowser()
	sees := []string{must(jsonOf(token))}
	for _, got := range []seen{
		tenant.get("/authorize/" + next), tenant.get("/outcome/" + attemptOf(state)), tenant.get("/callback?code=x&state=" + attemptOf(state)),
		tenant.get("/outcome/"+attemptOf(state), "Cookie", cookieOf(state)+"="+f.namespace+"/orders/"+consent.Hash(oauth.NewSensitive(key))),
		tenant.get("/outcome/"+attemptOf(state), "Cookie", cookieOf(state)+"="+f.namespace+"/orders/"),
	} {
		sees = append(sees, got.body)
		for _, values := range got.Header {
			sees = append(sees, values...)
		}
	}
	for secret, value := range map[string]string{
		"state": state, "code": "the code", "verifier": verifier, "key": key, "refresh token": "the refresh token", "hash of the key": consent.Hash(oauth.NewSensitive(key)),
	} {
		if value == "" || strings.Contains(strings.Join(sees, "\n"), value) {
			t.Errorf("a tenant sees the %s", secret)
		}
	}
}

func TestOutcomesSayWhatIsToBeDone(t *testing.T) {
	f := newFixture(t, "")
	b, state := f.setOutAs("orders")
	b.comeBack("state", state, "code", "the code")
	of := f.namespace + "/orders"
	for about, test := range map[string]struct {
		outcome  consent.Outcome
		facts    []string
		commands []string
		quotes   []string
		tone     string
	}{
		"well": {consent.Outcome{Result: consent.Completed, Subject: "ada"}, []string{of, "ada"}, nil, nil, "good"},
		"with another account": {
			consent.Outcome{Result: consent.SubjectMismatch, Detail: "its words"},
			[]string{of},
			[]string{"kubectl annotate oauthtoken orders -n " + f.namespace + " tokensync.dev/allow-subject-change=true"},
			[]string{"its words"},
			"bad",
		},
		"with an error": {consent.Outcome{Result: consent.Refused, Code: "login_required", Detail: "Sign in"}, []string{of, "login_required"}, nil, []string{"Sign in"}, "bad"},
		"by time":       {consent.Outcome{Result: consent.CodeExpired}, []string{of}, nil, nil, "bad"},
	} {
		t.Run(about, func(t *testing.T) {
			page := f.endedWith(b, state, test.outcome)
			got := map[string][]string{
				"facts": elementsOf(t, page.body, atom.Dd), "commands": elementsOf(t, page.body, atom.Code), "quotes": elementsOf(t, page.body, atom.Blockquote),
			}
			if diff := cmp.Diff(map[string][]string{"facts": test.facts, "commands": test.commands, "quotes": test.quotes}, got); diff != "" {
				t.Errorf("the page (-want +got):\n%s", diff)
			}
			if !strings.Contains(page.body, `<main class="`+test.tone+`">`) {
				t.Errorf("the page does not look %s", test.tone)
			}
		})
	}
}

func TestThePageBeforeTellsWhoAsks(t *testing.T) {
	f := newFixture(t, "")
	ticket := f.invite("orders", func(o *consent.Offer) { o.Request.Implicit = true })
	f.settle("orders", func(r consent.Record) consent.Record {
		r.Subject = "ada"
		return r
	})
	page := f.newBrowser().get("/authorize/" + ticket)
	if diff := cmp.Diff([]string{f.namespace + "/orders", "Example Shop", "orders users", "vendor.example", "ada"}, elementsOf(t, page.body, atom.Dd)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if !strings.Contains(page.body, "renewed without you") {
		t.Error("the page does not tell that this access ends")
	}
}

func TestConflictsOnTheWayBack(t *testing.T) {
	f := newFixture(t, "")
	for name, test := range map[string]struct {
		theirs func(*corev1.Secret)
		want   int
		taken  []string
	}{
		"with-another-change": {func(s *corev1.Secret) { s.Data["refresh_token"] = []byte("a newer one") }, http.StatusSeeOther, []string{"mine"}},
		"with-the-same-callback": {func(s *corev1.Secret) {
			r := consent.Parse(s.Data[consent.Key])
			s.Data[consent.Key] = r.Receive(f.clock.Now(), r.Attempts[0].State, oauth.NewSensitive("theirs"), nil).Encode()
		}, http.StatusConflict, []string{"theirs"}},
		"with-the-end-of-the-attempt": {func(s *corev1.Secret) {
			r := consent.Parse(s.Data[consent.Key])
			s.Data[consent.Key] = r.Settle(r.Attempts[0].State, consent.Outcome{Result: consent.SpecChanged}).Encode()
		}, http.StatusConflict, nil},
		"with-nothing-left": {func(s *corev1.Secret) { delete(s.Data, consent.Key) }, http.StatusNotFound, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, state := f.setOutAs(name)
			f.faults.Update = conflicting(f, test.theirs)
			if got := b.comeBack("state", state, "code", "mine"); got.StatusCode != test.want {
				t.Errorf("status %d, want %d", got.StatusCode, test.want)
			}
			if diff := cmp.Diff(test.taken, f.received(name)); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			if name == "with-another-change" && string(f.state(name).Data["refresh_token"]) != "a newer one" {
				t.Error("the other's change is lost")
			}
		})
	}
}

func TestATicketThatSomebodyUsedMeanwhile(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	f.faults.Update = conflicting(f, func(s *corev1.Secret) {
		s.Data[consent.Key] = consent.Parse(s.Data[consent.Key]).Withdraw().Encode()
	})
	got := b.press(ticket)
	if got.StatusCode != http.StatusNotFound || len(got.Cookies()) > 0 || len(f.record("orders").Attempts) != 0 {
		t.Errorf("status %d, %d cookies", got.StatusCode, len(got.Cookies()))
	}
}

func TestAConflictWithoutEndIsGivenUp(t *testing.T) {
	f := newFixture(t, "")
	b, state := f.setOutAs("orders")
	tries := 0
	f.faults.Update = func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
		tries++
		return apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, "orders", nil)
	}
	if got := b.comeBack("state", state, "code", "x"); got.StatusCode != http.StatusServiceUnavailable || tries < 2 || tries > 20 {
		t.Errorf("status %d after %d tries", got.StatusCode, tries)
	}
	f.faults.Update = nil
	if got := b.comeBack("state", state, "code", "x"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a callback after that is answered with status %d", got.StatusCode)
	}
}
