package controller_test

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// badAnswers are those that a browser can bring in place of a code or a token: the errors of RFC 6749, sections 4.1.2.1 and 4.2.2.1, of
// OpenID Connect Core, section 3.1.2.6, and answers that can't be used.
func badAnswers() map[string]url.Values {
	all := map[string]url.Values{
		"of-another-issuer": {"iss": {"https://login.acme.example"}, "code": {"c-1"}, "access_token": {"at-1"}, "token_type": {"bearer"}},
		"of-nothing":        {},
		"twice":             {"code": {"c-1", "c-2"}, "access_token": {"at-1", "at-2"}, "token_type": {"bearer"}},
	}
	for _, code := range []string{
		"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error",
		"temporarily_unavailable", "login_required", "consent_required", "interaction_required", "a_word_of_its_own",
	} {
		all[dashed(code)] = url.Values{"error": {code}, "error_description": {"Ask your administrator."}}
	}
	return all
}

// badFragments are tokens that are none.
func badFragments() map[string]url.Values {
	return map[string]url.Values{
		"born-expired":       {"access_token": {"at-1"}, "token_type": {"bearer"}, "expires_in": {"-1"}},
		"another-token-type": {"access_token": {"at-1"}, "token_type": {"mac"}, "expires_in": {"3600"}},
		"no-token":           {"token_type": {"bearer"}, "expires_in": {"3600"}},
	}
}

// brings lets a browser come back with an answer that is refused, as the portal notes it.
func (v *visit) brings(answer url.Values) {
	v.w.t.Helper()
	_, refusal := v.offer.Request.Read(answer)
	if refusal == nil {
		v.w.t.Errorf("%s: the answer is taken", v.name)
		return
	}
	ended := &consent.Outcome{Result: consent.Refused, Code: refusal.Code, Detail: refusal.Description}
	v.w.changeRecord(v.name, func(r consent.Record) consent.Record {
		return r.Receive(v.w.clock.Now(), consent.Hash(v.state), oauth.Sensitive{}, ended)
	})
}

// ownVendor gives an OAuthToken a vendor entry of its own, so that what is counted by vendor is counted for it alone.
func (w *world) ownVendor(route, name string) string {
	w.t.Helper()
	vendor, token := "answers-"+route+"-"+name, w.vendor.TokenURL(oauthtest.Generic)
	entry := fmt.Sprintf("name: %s\ntitle: Answers\ndocumentation: https://docs.acme.example\nendpoints:\n  tokenURL: %s\n  authorizationURL: %s\n"+
		"clientAuthentication: ClientSecretBasic\nrefreshTokenRotation: Unknown\ngrants:\n  AuthorizationCode: {}\n  Implicit: {}\n",
		vendor, token, strings.Replace(token, "/token", "/authorize", 1))
	if err := os.WriteFile(filepath.Join(w.vendors, vendor+".yaml"), []byte(entry), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return vendor
}

// authorizations are the attempts of persons that the leader has counted for a vendor, by result. What a browser brings from the vendor's page
// instead of a code or a token is counted by whoever serves the portal.
func authorizations(vendor string) map[string]float64 {
	return seriesOf("tokensync_authorizations_total", "vendor", vendor, "result")
}

// TestFaultMatrixOfAuthorizationAnswers brings every bad answer to each interactive grant, before there is a token and while one is served:
// nobody asks the vendor for anything, nor is to later; what is served stays, a new link is shown, and the next person's consent mends it.
func TestFaultMatrixOfAuthorizationAnswers(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]route{
		"code-first":       {grant: v1alpha1.GrantAuthorizationCode},
		"implicit-first":   {grant: v1alpha1.GrantImplicit},
		"implicit-renewal": {grant: v1alpha1.GrantImplicit, served: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := fakeTime()
			w := newIdleWorld(t, withPlatform(withPortal), withClock(clock))
			answers := badAnswers()
			if r.grant == v1alpha1.GrantImplicit {
				maps.Copy(answers, badFragments())
			}
			names, vendors, completed := slices.Sorted(maps.Keys(answers)), map[string]string{}, map[string]float64{}
			for _, bad := range names {
				vendors[bad] = w.ownVendor(name, bad)
			}
			w.start()
			for _, bad := range names {
				w.interactive(bad, oauthtest.Client{Scopes: []string{"users"}}, func(o *v1alpha1.OAuthToken) {
					o.Spec.GrantType, o.Spec.Vendor = r.grant, vendors[bad]
				})
			}
			used, tokens, served := map[string]oauth.Sensitive{}, map[string]int{}, map[string]string{}
			if r.served {
				for _, bad := range names {
					used[bad] = w.link(bad, oauth.Sensitive{})
					v := w.setOut(bad, used[bad])
					v.comesBack(v.consents())
				}
				for _, bad := range names {
					w.awaitReady(bad, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
					served[bad] = w.secret(bad).ResourceVersion
				}
				completed["Completed"]++
				w.settled()
				w.pass(clock, 50*time.Minute, names...)
			}
			for _, bad := range names {
				used[bad] = w.link(bad, used[bad])
				tokens[bad] = w.vendor.Count(oauthtest.Match{ClientID: bad})
				w.setOut(bad, used[bad]).brings(answers[bad])
			}
			for _, bad := range names {
				used[bad] = w.link(bad, used[bad])
			}
			w.settled()
			w.pass(clock, time.Minute, names...)
			for _, bad := range names {
				w.checkRefused(bad, r)
				if got := w.vendor.Count(oauthtest.Match{ClientID: bad}); got != tokens[bad] {
					t.Errorf("%s: the vendor was asked %d times", bad, got-tokens[bad])
				}
				if r.served && w.secret(bad).ResourceVersion != served[bad] {
					t.Errorf("%s: the target Secret was written", bad)
				}
				if !r.served && w.exists(bad) {
					t.Errorf("%s: there is a target Secret without a token", bad)
				}
				if diff := cmp.Diff(completed, authorizations(vendors[bad])); diff != "" {
					t.Errorf("%s: authorizations in the metrics (-want +got):\n%s", bad, diff)
				}
			}
			completed["Completed"]++
			for _, bad := range names {
				v := w.setOut(bad, used[bad])
				v.comesBack(v.consents())
			}
			for _, bad := range names {
				w.eventually(func() string {
					if token := w.oauthToken(bad); len(token.Status.Conditions) != 1 || !w.exists(bad) || w.secret(bad).ResourceVersion == served[bad] {
						return fmt.Sprintf("%s: the next consent does not mend it: %+v", bad, token.Status.Conditions)
					}
					return ""
				})
				if diff := cmp.Diff(completed, authorizations(vendors[bad])); diff != "" {
					t.Errorf("%s: authorizations in the metrics after the next consent (-want +got):\n%s", bad, diff)
				}
			}
		})
	}
}

// checkRefused looks at what an OAuthToken says while a person is to authorize once more.
func (w *world) checkRefused(name string, r route) {
	w.t.Helper()
	want := []string{v1alpha1.ConditionAuthorizationRequired, v1alpha1.ConditionStalled}
	if r.served {
		want = []string{v1alpha1.ConditionAuthorizationRequired, v1alpha1.ConditionReady}
	}
	var standing []string
	token := w.oauthToken(name)
	for _, c := range token.Status.Conditions {
		if c.Status == metav1.ConditionTrue && c.Type != v1alpha1.ConditionRenewalFailing {
			standing = append(standing, c.Type)
		}
	}
	slices.Sort(standing)
	if diff := cmp.Diff(want, standing); diff != "" {
		w.t.Errorf("%s: conditions (-want +got):\n%s", name, diff)
	}
	if failures := token.Status.Failures; failures != nil {
		w.t.Errorf("%s: no request has failed, and status has a next attempt: %+v", name, failures)
	}
	if got := w.gauge("tokensync_token_ready", name); got != map[bool]float64{true: 1}[r.served] {
		w.t.Errorf("%s: token_ready is %g", name, got)
	}
	if n := w.events(name)[v1alpha1.ReasonAuthorizationRequired]; n != 1+map[bool]int{true: 1}[r.served] {
		w.t.Errorf("%s: %d events say that a person is asked: %v", name, n, w.events(name))
	}
}

// gauge is the value of a metric of one OAuthToken.
func (w *world) gauge(metric, name string) float64 {
	return seriesOf(metric, "namespace", w.namespace, "name", "name="+name)[name]
}
