package controller

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// aPersons makes the grant of a seed's rig a person's.
func aPersons(o *v1alpha1.OAuthToken, _ *corev1.Secret) {
	o.Spec.GrantType = v1alpha1.GrantAuthorizationCode
	o.Spec.Endpoints.AuthorizationURL = "https://" + deserted + "/authorize"
}

// newConsentSeedRig is a seed's rig whose grant is a person's.
func newConsentSeedRig(t *testing.T) *rig {
	t.Helper()
	r := newSeedRig(t, aPersons)
	r.reach(deserted)
	return r
}

// link is where status sends a person; empty: nowhere.
func (r *rig) link() string {
	r.t.Helper()
	if shown := r.token().Status.Authorization; shown != nil {
		return shown.URL
	}
	return ""
}

// asksNobody fails a test unless a good token is served and that is all there is to tell.
func (r *rig) asksNobody(when string) {
	r.t.Helper()
	r.wantConditions(when, "Ready: "+v1alpha1.ReasonTokenIssued)
	if link := r.link(); link != "" {
		r.t.Errorf("%s status shows the link %q", when, link)
	}
}

func TestASeedStandsForAPersonsConsent(t *testing.T) {
	r := newConsentSeedRig(t)
	r.reconcile(2)
	r.expect(1, "seed", "at first")
	r.asksNobody("at first")
	if r.stored("api").RefreshToken.Reveal() != "first" {
		t.Errorf("%v is kept", texts(r.stored("api")))
	}
	r.vendor.gives("second")
	r.later(50 * time.Minute)
	r.expect(2, "first", "at the renewal")
	r.holds("refresh_token", "")
	r.later(time.Minute)
	r.expect(2, "first", "after it was tidied away")
	r.vendor.gives("third")
	r.holds("refresh_token", "new")
	r.later(time.Minute)
	r.expect(3, "new", "with a new one")

	r.vendor.refuses("invalid_grant")
	r.later(50 * time.Minute)
	r.expect(4, "third", "when it is refused")
	if got := r.says(v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired); got == "" || r.link() == "" {
		t.Errorf("nobody is asked: link %q, conditions %+v", r.link(), r.token().Status.Conditions)
	}
	r.later(2 * time.Hour)
	r.expect(4, "third", "afterwards")
	r.vendor.gives("fourth")
	r.holds("refresh_token", "newest")
	r.later(time.Minute)
	r.expect(5, "newest", "with the newest")
	r.asksNobody("with the newest")
}

// A seed is of use above all where nobody can be asked in a browser.
func TestWithoutThePortalASeedStandsForAPersonsConsent(t *testing.T) {
	r := newConsentSeedRig(t)
	r.turnsPortal("")
	r.reconcile(2)
	r.expect(1, "seed", "at first")
	r.wantConditions("at first", "Ready: TokenIssued")
	r.vendor.refuses("invalid_grant")
	r.later(2 * time.Hour)
	r.expect(2, "first", "when it is refused")
	r.wantConditions("when a person is needed", "Stalled: InvalidSpec", "not Ready: InvalidSpec")
	r.vendor.gives("second")
	r.holds("refresh_token", "new")
	r.later(time.Minute)
	r.expect(3, "new", "with a new one")
	r.wantConditions("with a new one", "Ready: TokenIssued")
}

func TestARefusedSeedAsksThePerson(t *testing.T) {
	r := newConsentSeedRig(t)
	r.vendor.refuses("invalid_grant")
	r.reconcile(3)
	r.expect(1, "seed", "at first")
	if got := r.reasonOf("api"); got != v1alpha1.ReasonAuthorizationRequired || r.link() == "" {
		t.Errorf("reason %s, link %q", got, r.link())
	}
	r.vendor.gives("first")
	r.codeComes()
	r.reconcile(2)
	r.expect(2, "", "with the code")
	r.vendor.gives("second")
	r.later(50 * time.Minute)
	r.expect(3, "first", "at the renewal")
}

func TestALostAnswerToASeedIsDoubt(t *testing.T) {
	r := newConsentSeedRig(t)
	r.vendor.status.Store(http.StatusInternalServerError)
	r.reconcile(3)
	if got := r.reasonOf("api"); got != v1alpha1.ReasonRefreshInterrupted || r.link() == "" {
		t.Errorf("reason %s, link %q", got, r.link())
	}
	r.vendor.gives("first")
	r.later(time.Minute)
	r.expect(2, "seed", "where no token is served")
	r.asksNobody("when it was not spent")
}

// Whoever shares the Secret has a way without the seed.
func TestWhoSharesASeedAsksAPerson(t *testing.T) {
	r := newConsentSeedRig(t)
	r.share("second", noon.Add(time.Second))
	r.lookAt("second")
	r.expect(0, "", "while the older has not sent it")
	if got := r.reasonOf("second"); got != v1alpha1.ReasonAuthorizationRequired {
		t.Errorf("the second's reason is %s", got)
	}
	r.reconcile(2)
	r.expect(1, "seed", "by the older")
}

func TestAPersonsStateSecretCallsThoseWhoShareItsSeed(t *testing.T) {
	r := newConsentSeedRig(t)
	r.share("second", noon.Add(time.Second))
	r.reconcile(2)
	var called []string
	for _, request := range r.affected(t.Context(), r.secret("api"+v1alpha1.StateSecretSuffix)) {
		called = append(called, request.Name)
	}
	slices.Sort(called)
	if got := strings.Join(called, " "); got != "api second" {
		t.Errorf("called %q", got)
	}
}
