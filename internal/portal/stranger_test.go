package portal_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// guesses is what limit.go allows at once.
const guesses = 30

// live is the API server as the portal reads it: it counts, and can be made to fail.
type live struct {
	client.Reader

	reads   atomic.Int64
	failure error
}

func (l *live) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	l.reads.Add(1)
	if l.failure != nil {
		return l.failure
	}
	return l.Reader.Get(ctx, key, object, options...)
}

// watchReads puts a live between the portal and the API server.
func (f *fixture) watchReads() *live {
	f.t.Helper()
	between := &live{Reader: f.portal.Live}
	f.portal.Live = between
	f.handler = f.portal.Handler()
	return between
}

// cookieOf is the name of an attempt's cookie.
func cookieOf(state string) string {
	return "tokensync-" + consent.Hash(oauth.NewSensitive(state))[:16]
}

func TestAForgedCookieLeadsNowhere(t *testing.T) {
	f := newFixture(t, "")
	f.setOutAs("orders")
	name := consent.Hash(oauth.NewSensitive("forged"))[:16]
	for about, value := range map[string]string{
		"empty":                               "",
		"of two parts":                        f.namespace + "/orders",
		"without a key":                       f.namespace + "/orders/",
		"with the key of nobody":              f.namespace + "/orders/" + consent.NewSecret().Reveal(),
		"of an OAuthToken that is not there":  f.namespace + "/nothing/x",
		"of a namespace that is not there":    "nowhere/orders/x",
		"with dots for a namespace":           "../orders/x",
		"with a dot for a namespace":          "./orders/x",
		"with an escape in the namespace":     "%2e%2e/orders/x",
		"with an escape in the name":          f.namespace + "/%2f/x",
		"with a lone percent sign":            f.namespace + "/%/x",
		"with capitals":                       "KUBE-SYSTEM/Orders/x",
		"with a query":                        f.namespace + "/orders?watch=true/x",
		"with a fragment":                     f.namespace + "/#/x",
		"with a name of 20,000 characters":    f.namespace + "/" + strings.Repeat("a", 20000) + "/x",
		"with a namespace of 20,000 letters":  strings.Repeat("a", 20000) + "/orders/x",
		"with letters that no object can use": f.namespace + "/\u00e9\u00fc/x",
	} {
		t.Run(about, func(t *testing.T) {
			f.clock.Step(time.Minute) // what was wrong before is forgotten
			cookie := cookieOf("forged") + "=" + value
			for _, path := range []string{"/callback?state=forged&code=x", "/outcome/" + name} {
				got := f.newBrowser().get(path, "Cookie", cookie)
				switch got.StatusCode {
				case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
				default:
					t.Errorf("%s is answered with status %d", path, got.StatusCode)
				}
			}
		})
	}
	if got := f.received("orders"); len(got) > 0 {
		t.Error("an answer was taken")
	}
}

// setOutAs is a browser on the way to the vendor, for a new OAuthToken.
func (f *fixture) setOutAs(name string, change ...func(*consent.Offer)) (b *browser, state string) {
	f.t.Helper()
	b = f.newBrowser()
	return b, b.setOut(f.invite(name, change...)).Get("state")
}

func TestStrangersCannotKeepTheAPIServerBusy(t *testing.T) {
	const requests = 3 * guesses
	for about, path := range map[string]string{
		"callbacks": "/callback?state=forged&code=x",
		"outcomes":  "/outcome/" + consent.Hash(oauth.NewSensitive("forged"))[:16],
	} {
		t.Run(about, func(t *testing.T) {
			f := newFixture(t, "")
			f.setOutAs("orders")
			reads := f.watchReads()
			refused := 0
			for range requests {
				got := f.newBrowser().get(path, "Cookie", cookieOf("forged")+"="+f.namespace+"/orders/x", "X-Forwarded-For", "192.0.2.1")
				if got.StatusCode == http.StatusTooManyRequests && got.Header.Get("Retry-After") != "" {
					refused++
				}
			}
			if refused != requests-guesses || reads.reads.Load() > guesses {
				t.Errorf("%d of %d are refused unread, and the API server is asked %d times", refused, requests, reads.reads.Load())
			}
		})
	}
}

func TestAFailureOfTheAPIServerIsNoGuess(t *testing.T) {
	f := newFixture(t, "")
	ticket, b := f.invite("orders"), f.newBrowser()
	state := b.setOut(f.invite("users")).Get("state")
	outcome := "/outcome/" + consent.Hash(oauth.NewSensitive(state))[:16]
	reads := f.watchReads()
	reads.failure = errors.New("the API server is away: the refresh token")
	for range guesses + 1 {
		for _, path := range []string{"/authorize/" + ticket, "/callback?code=x&state=" + state} {
			got := b.get(path)
			if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || strings.Contains(got.body, "refresh token") {
				t.Fatalf("%s: status %d", path, got.StatusCode)
			}
		}
	}
	reads.failure = nil
	if got := b.get("/authorize/" + ticket); got.StatusCode != http.StatusOK {
		t.Errorf("the link is answered with status %d when the API server is back", got.StatusCode)
	}
	if got := b.comeBack("state", state, "code", "x"); !strings.HasSuffix(got.Header.Get("Location"), outcome) {
		t.Errorf("the callback is answered with status %d when the API server is back", got.StatusCode)
	}
	logged.Lock()
	defer logged.Unlock()
	if strings.Contains(logged.String(), "the refresh token") {
		t.Error("the log quotes an error of the API server")
	}
}
