package controller

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// givingRig is a rig whose vendor has a token for its OAuthToken.
func givingRig(t *testing.T) *rig {
	t.Helper()
	catalogue := loadCatalogue(t, "")
	vendor := newAnswering(t)
	token := someToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.GrantType, o.Spec.Endpoints = v1alpha1.GrantClientCredentials, &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(vendor.URL + "/token")}
	})
	secret := credentialsSecret("", map[string]string{"client_id": "me", "client_secret": "change-me"})
	secret.Namespace = token.Namespace
	r := newRig(t, vendor, catalogue, token, secret)
	t.Cleanup(func() { r.metrics.forget(client.ObjectKeyFromObject(token)) })
	r.give("first")
	return r
}

// issuedRig is a rig whose OAuthToken got a token at noon, for an hour.
func issuedRig(t *testing.T) *rig {
	t.Helper()
	r := givingRig(t)
	r.reconcile(2)
	if got := r.token().Status.ExpiresAt; got == nil || !got.Time.Equal(noon.Add(time.Hour)) {
		t.Fatalf("no token was issued: %+v", r.token().Status)
	}
	return r
}

// give has the vendor answer with a token.
func (r *rig) give(accessToken string) {
	r.vendor.body.Store(fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, accessToken))
	r.vendor.status.Store(http.StatusOK)
}

// token is the OAuthToken as it stands.
func (r *rig) token() *v1alpha1.OAuthToken {
	r.t.Helper()
	token := &v1alpha1.OAuthToken{}
	if err := r.api.Get(r.t.Context(), client.ObjectKeyFromObject(someToken()), token); err != nil {
		r.t.Fatal(err)
	}
	return token
}

// pass lets time go by and has the OAuthToken looked at then.
func (r *rig) pass(span time.Duration) {
	r.t.Helper()
	r.clock.Step(span)
	r.reconcile(1)
}

// suspend sets spec.suspend, and has the OAuthToken looked at.
func (r *rig) suspend(value bool) {
	r.t.Helper()
	token := r.token()
	token.Spec.Suspend = value
	if err := r.api.Update(r.t.Context(), token); err != nil {
		r.t.Fatal(err)
	}
	r.reconcile(1)
}

// restart loses what was told of the OAuthToken, as the end of a process does.
func (r *rig) restart() { r.metrics.forget(client.ObjectKeyFromObject(someToken())) }

// latenesses is how many renewals were observed, in all tests so far.
func (r *rig) latenesses() uint64 {
	r.t.Helper()
	var got dto.Metric
	if err := r.metrics.lateness.Write(&got); err != nil {
		r.t.Fatal(err)
	}
	return got.GetHistogram().GetSampleCount()
}

// TestARenewalThatASuspensionHeldBackIsNotLate has a user end a suspension: the manager is not to blame for what was due meanwhile.
func TestARenewalThatASuspensionHeldBackIsNotLate(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for about, c := range map[string]struct {
		before func(*rig) // the renewal
		want   uint64
	}{
		"a renewal that the manager missed is late": {func(r *rig) { r.pass(week) }, 1},
		"a token that ended during a suspension": {func(r *rig) {
			r.suspend(true)
			r.pass(week)
			r.suspend(false)
		}, 0},
		"one that was due during a suspension": {func(r *rig) {
			r.suspend(true)
			r.pass(45 * time.Minute)
			r.suspend(false)
		}, 0},
		"one whose first request after that failed": {func(r *rig) {
			r.suspend(true)
			r.pass(week)
			r.vendor.status.Store(http.StatusBadGateway)
			r.suspend(false)
			r.give("second")
			r.pass(time.Minute)
		}, 0},
		"one that found no place at the gate after that": {func(r *rig) {
			r.suspend(true)
			r.pass(week)
			var inside []types.NamespacedName
			for i := range maxInFlight {
				inside = append(inside, named(fmt.Sprintf("inside-%d", i)))
				r.gate.enter(r.clock.Now(), r.vendor.URL+"/token", inside[i], noon)
			}
			r.suspend(false)
			for _, key := range inside {
				r.gate.leave(r.clock.Now(), r.vendor.URL+"/token", key)
			}
			r.pass(time.Second)
		}, 0},
		"one whose suspension ended while no manager ran": {func(r *rig) {
			r.suspend(true)
			r.restart()
			r.clock.Step(week)
			r.suspend(false)
		}, 0},
		"the renewal after that is late again": {func(r *rig) {
			r.suspend(true)
			r.pass(week)
			r.suspend(false)
			r.give("third")
			r.pass(week)
		}, 1},
	} {
		t.Run(about, func(t *testing.T) {
			r := issuedRig(t)
			r.give("second")
			before := r.latenesses()
			c.before(r)
			if !r.token().Status.ExpiresAt.After(r.clock.Now()) {
				t.Fatalf("no token was issued: %+v", r.token().Status)
			}
			if got := r.latenesses() - before; got != c.want {
				t.Errorf("%d renewals were observed, want %d", got, c.want)
			}
		})
	}
}
