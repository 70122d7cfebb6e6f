package controller

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// portalIsOff is what a user is told once a person is needed whom nobody can ask.
const portalIsOff = "spec.grantType AuthorizationCode needs a person's consent in a browser, and the portal is turned off: use a grant that needs none, " +
	"put a refresh token that was obtained elsewhere under the key refresh_token of the credentials Secret, or start the manager with --portal-bind-address and --portal-url"

// turnsPortal starts the manager anew with the portal at an address; empty: without it.
func (r *rig) turnsPortal(url string) {
	r.Platform.PortalURL = url
	r.planner.platform = r.Platform
}

// conditions are those that are True or, as Ready, False, each with its reason.
func (r *rig) conditions() []string {
	r.t.Helper()
	var told []string
	for _, c := range r.token().Status.Conditions {
		kind := c.Type
		if c.Status != metav1.ConditionTrue {
			kind = "not " + kind
		}
		told = append(told, kind+": "+c.Reason)
		if strings.Contains(c.Message, "status.authorization.url") {
			r.t.Errorf("condition %s sends people to a link that can't be made: %s", c.Type, c.Message)
		}
	}
	slices.Sort(told)
	return told
}

// wantConditions fails a test unless just these conditions stand, now and at the next looks.
func (r *rig) wantConditions(when string, want ...string) {
	r.t.Helper()
	for range 3 {
		if diff := cmp.Diff(want, r.conditions()); diff != "" {
			r.t.Errorf("conditions %s (-want +got):\n%s", when, diff)
			return
		}
		r.reconcile(1)
	}
}

func TestWithoutThePortalARefreshTokenServesOn(t *testing.T) {
	r := authorizingRig(t)
	r.turnsPortal("")
	r.later(time.Minute)
	r.wantConditions("once the portal is off", "Ready: TokenIssued")
	r.vendor.gives("second")
	r.later(50 * time.Minute)
	r.expect(2, "first", "at the renewal")
	r.wantConditions("after a renewal", "Ready: TokenIssued")

	r.vendor.refuses("invalid_client")
	r.later(50 * time.Minute)
	r.wantConditions("while the client is refused", "Ready: TokenIssued", "RenewalFailing: InvalidClient")
	r.vendor.refuses("invalid_grant")
	r.later(7 * time.Hour)
	r.expect(4, "second", "when it is refused")
	r.wantConditions("when a person is needed", "Stalled: InvalidSpec", "not Ready: InvalidSpec")
	if got := r.says(v1alpha1.ConditionStalled, v1alpha1.ReasonInvalidSpec); got != portalIsOff {
		t.Errorf("the message is %q", got)
	}
	r.wantTold(v1alpha1.ReasonInvalidSpec, 1, "in all")
	r.turnsPortal("https://tokens.example")
	r.later(time.Minute)
	if shown := r.token().Status.Authorization; shown == nil || shown.URL == "" {
		t.Errorf("there is no link once the portal is on: %+v", r.token().Status)
	}
}

func TestWithoutThePortalAPersonIsAskedForAheadOfTheEnd(t *testing.T) {
	r := authorizingRig(t)
	r.changeToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: new(v1alpha1.Duration("10h"))}
	})
	r.turnsPortal("")
	r.vendor.gives("second")
	r.later(50 * time.Minute)
	r.wantConditions("at first", "Ready: TokenIssued")
	r.later(5 * time.Hour)
	r.wantConditions("ahead of its end", "AuthorizationRequired: InvalidSpec", "Ready: TokenIssued")
	if got := r.says(v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonInvalidSpec); got != portalIsOff {
		t.Errorf("the message is %q", got)
	}
	r.later(5 * time.Hour)
	r.wantConditions("past its end", "Stalled: InvalidSpec", "not Ready: InvalidSpec")
	if status := r.token().Status; status.Authorization != nil {
		t.Errorf("status shows a link: %+v", status.Authorization)
	}
}

func TestWithoutThePortalNoLinkIsShown(t *testing.T) {
	r := authorizingRig(t)
	r.changeToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: new(v1alpha1.Duration("10h"))}
	})
	r.vendor.gives("second")
	r.later(6 * time.Hour)
	if shown := r.token().Status.Authorization; shown == nil || shown.URL == "" {
		t.Fatalf("there is no link with the portal: %+v", r.token().Status)
	}
	r.turnsPortal("")
	r.later(time.Minute)
	r.wantConditions("once the portal is off", "AuthorizationRequired: InvalidSpec", "Ready: TokenIssued")
	if shown := r.token().Status.Authorization; shown != nil || r.stored("api").Consent.Ticket != "" {
		t.Errorf("status shows a link: %+v", shown)
	}
}

// Nobody can be asked to authorize before the refresh token is tried again.
func TestWithoutThePortalALostAnswerIsToldWithoutALink(t *testing.T) {
	r := authorizingRig(t)
	r.turnsPortal("")
	r.vendor.status.Store(http.StatusInternalServerError)
	r.later(50 * time.Minute)
	r.wantConditions("while a good token is served", "Ready: TokenIssued", "RenewalFailing: RefreshInterrupted")
	want := "the answer to a refresh was lost, and the refresh token may be spent: it is left alone while a good token is served, until that token's end " +
		"is near, and then tried again; the portal, where somebody could authorize anew before, is turned off"
	if got := r.says(v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonRefreshInterrupted); got != want {
		t.Errorf("the message is %q", got)
	}
	r.vendor.gives("second")
	r.later(6 * time.Minute)
	r.expect(3, "first", "near the end")
	r.wantConditions("when it was not spent", "Ready: TokenIssued")
}

func TestWithoutThePortalAndWithoutARefreshTokenNothingIsAskedFor(t *testing.T) {
	r := authorizingRig(t)
	r.changeSecret("client", func(s *corev1.Secret) { s.Data["client_id"] = []byte("another") })
	r.turnsPortal("")
	r.later(50 * time.Minute)
	r.expect(1, "kept", "with a refresh token of another client")
	r.wantConditions("then", "Ready: TokenIssued", "RenewalFailing: InvalidSpec")
	r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = []v1alpha1.Scope{"not\"one"} })
	r.changeSecret("client", func(s *corev1.Secret) { s.Data["client_id"] = []byte("me") })
	r.later(time.Minute)
	if got := r.says(v1alpha1.ConditionStalled, v1alpha1.ReasonInvalidSpec); !strings.Contains(got, "is no scope") || !strings.Contains(got, portalIsOff) {
		t.Errorf("not every fault is named: %q", got)
	}
}

// Nobody is asked for a revocation.
func TestWithoutThePortalTokensAreRevoked(t *testing.T) {
	r := authorizingRig(t)
	r.changeToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.RevokeOnDelete, o.Spec.Endpoints.RevocationURL = true, v1alpha1.URL(r.vendor.URL+"/revoke")
	})
	r.turnsPortal("")
	r.reconcile(2)
	asked := r.vendor.asked.Load()
	if err := r.api.Delete(t.Context(), r.token()); err != nil {
		t.Fatal(err)
	}
	r.reconcile(1)
	if got := r.vendor.asked.Load() - asked; got != 2 {
		t.Errorf("%d revocations, want those of both tokens; events: %s", got, r.told.String())
	}
	r.wantTold(v1alpha1.EventTokenRevoked, 1, "at the deletion")
	if err := r.api.Get(t.Context(), client.ObjectKeyFromObject(someToken()), &v1alpha1.OAuthToken{}); err == nil {
		t.Error("the OAuthToken is still there")
	}
}
