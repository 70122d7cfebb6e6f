package controller

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/api/v1alpha1"
)

func TestWhatAnEventSays(t *testing.T) {
	t.Parallel()
	const guide = "; see https://tokensync.dev/docs/failures#shortlifetime"
	long := strings.Repeat("é", 600) // 1,200 bytes
	for name, test := range map[string]struct {
		given notice
		want  string
	}{
		"something good is told as it is":             {notice{reason: v1alpha1.EventTokenIssued, about: "a token is there"}, "a token is there"},
		"a warning ends with the address of its page": {notice{true, v1alpha1.EventShortLifetime, "it is short"}, "it is short" + guide},
		"a sentence loses its full stop to it":        {notice{true, v1alpha1.EventShortLifetime, "It is short. Ask."}, "It is short. Ask" + guide},
		"a long text is cut at a character's border":  {notice{reason: v1alpha1.EventTokenIssued, about: long}, long[:1000]},
		"a long warning is cut, and its address never": {
			notice{true, v1alpha1.EventShortLifetime, long}, long[:(maxEventNote-len(guide))/2*2] + guide,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, test.given.note()); diff != "" {
				t.Errorf("the note differs (-want +got):\n%s", diff)
			}
		})
	}
}

// wantTold fails a test unless so many events of a reason were given.
func (r *rig) wantTold(reason string, want int, when string) {
	r.t.Helper()
	if got := strings.Count(r.told.String(), reason+": "); got != want {
		r.t.Errorf("%s: %d events %s, want %d: %s", when, got, reason, want, r.told.String())
	}
}

// change edits the OAuthToken's spec, as the next generation, and has it looked at.
func (r *rig) change(edit func(*v1alpha1.OAuthToken)) {
	r.t.Helper()
	token := r.token()
	edit(token)
	token.Generation++
	if err := r.api.Update(r.t.Context(), token); err != nil {
		r.t.Fatal(err)
	}
	r.reconcile(1)
}

const anHour = `{"access_token":"1","token_type":"Bearer","expires_in":3600}`

func TestADiscouragedGrantIsToldOncePerGeneration(t *testing.T) {
	for about, stated := range map[string]bool{"the spec names it": true, "it is the vendor's only one": false} {
		t.Run(about, func(t *testing.T) {
			r, secret := idlePasswordRig(t, anHour)
			r.change(func(o *v1alpha1.OAuthToken) {
				if !stated {
					o.Spec.Vendor, o.Spec.GrantType, o.Spec.Scopes = "sfr-global-contact-center", "", nil
					o.Spec.Parameters = map[string]v1alpha1.ParameterValue{"tenant": "acme"}
				}
			})
			create := func() {
				again := secret.DeepCopy()
				if err := r.api.Create(t.Context(), again); err != nil {
					t.Fatal(err)
				}
				r.reconcile(2)
			}
			create()
			if r.token().Status.IssuedAt == nil {
				t.Fatalf("no token was issued: %+v", r.token().Status)
			}
			r.wantTold(v1alpha1.EventDiscouragedGrant, 1, "credentials that came later")
			r.change(func(o *v1alpha1.OAuthToken) { o.Spec.Renewal = &v1alpha1.Renewal{RenewBeforePercentage: 30} })
			r.wantTold(v1alpha1.EventDiscouragedGrant, 2, "the next generation")
			if err := r.api.Delete(t.Context(), secret.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			r.reconcile(1)
			create()
			r.wantTold(v1alpha1.EventDiscouragedGrant, 2, "credentials that were away")
			if err := r.api.Delete(t.Context(), secret.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			r.change(func(o *v1alpha1.OAuthToken) { o.Spec.Renewal = nil })
			create()
			r.wantTold(v1alpha1.EventDiscouragedGrant, 3, "a generation whose credentials came later")
			r.pass(45 * time.Minute)
			r.reconcile(2)
			r.wantTold(v1alpha1.EventDiscouragedGrant, 3, "a renewal")
		})
	}
}

// TestAGrantThatIsNotKnownYetIsNotTheOneBefore has a spec leave the password whose credentials are away.
func TestAGrantThatIsNotKnownYetIsNotTheOneBefore(t *testing.T) {
	r := passwordRig(t, anHour)
	r.change(func(o *v1alpha1.OAuthToken) {
		o.Spec.GrantType, o.Spec.CredentialsSecretRef.Name = v1alpha1.GrantClientCredentials, "absent"
	})
	r.wantTold(v1alpha1.EventDiscouragedGrant, 1, "the grant before")
}

// answer has the vendor answer so from now on, with an access token of its own.
func (r *rig) answer(accessToken, members string) {
	r.vendor.body.Store(fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer"%s}`, accessToken, members))
}

// renew has a token that lives for an hour be renewed twice.
func (r *rig) renewTwice(name, members string) {
	r.t.Helper()
	for _, which := range []string{"-1", "-2"} {
		r.answer(name+which, members)
		r.pass(45 * time.Minute)
		if got := string(r.secret("api").Data["access_token"]); got != name+which {
			r.t.Fatalf("it was not renewed: %s", got)
		}
	}
}

func TestAClampIsToldWhenTheSpecAsksForIt(t *testing.T) {
	r := issuedRig(t)
	r.change(func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RenewBefore: new(v1alpha1.Duration("50m"))}
	})
	r.wantTold(v1alpha1.EventRenewBeforeClamped, 1, "a spec that asks for it of a token that is there")
	r.renewTwice("next", `,"expires_in":3600`)
	r.wantTold(v1alpha1.EventRenewBeforeClamped, 1, "renewals")
	r.vendor.status.Store(http.StatusBadGateway)
	r.pass(45 * time.Minute)
	r.change(func(o *v1alpha1.OAuthToken) { o.Spec.Renewal.RenewBefore = new(v1alpha1.Duration("55m")) })
	r.vendor.status.Store(http.StatusOK)
	r.wantTold(v1alpha1.EventRenewBeforeClamped, 2, "a spec that asks for more while the vendor is away")
	r.renewTwice("later", `,"expires_in":3600`)
	r.wantTold(v1alpha1.EventRenewBeforeClamped, 2, "renewals after that")
}

func TestALifetimeThatIsNotStatedAnyMoreIsTold(t *testing.T) {
	const hour = `,"expires_in":3600` // as long as what is assumed
	r := issuedRig(t)
	r.renewTwice("stated", hour)
	r.wantTold(v1alpha1.EventLifetimeUnknown, 0, "answers that state it")
	r.renewTwice("silent", "")
	r.wantTold(v1alpha1.EventLifetimeUnknown, 1, "answers that do not")
	r.repairs = repairs{}
	r.renewTwice("restarted", "")
	r.wantTold(v1alpha1.EventLifetimeUnknown, 1, "a restart")
	r.renewTwice("stated again", hour)
	r.renewTwice("silent again", "")
	r.wantTold(v1alpha1.EventLifetimeUnknown, 2, "answers that have stated it meanwhile")
	r.renewTwice("longer", `,"expires_in":4000`)
	r.repairs = repairs{}
	r.renewTwice("silent after a restart", "")
	r.wantTold(v1alpha1.EventLifetimeUnknown, 3, "answers that state it no more after a restart, where the lifetime shows it")
}

func TestScopesThatNarrowLaterAreTold(t *testing.T) {
	const hour = `,"expires_in":3600`
	r := passwordRig(t, `{"access_token":"1","token_type":"Bearer","expires_in":3600,"scope":"a b"}`)
	r.wantTold(v1alpha1.EventScopeNarrowed, 0, "all that was asked for")
	r.renewTwice("narrow", hour+`,"scope":"a"`)
	r.wantTold(v1alpha1.EventScopeNarrowed, 1, "less than before")
	r.repairs = repairs{}
	r.renewTwice("restarted", hour+`,"scope":"a"`)
	r.wantTold(v1alpha1.EventScopeNarrowed, 1, "a restart")
	r.renewTwice("wide", hour+`,"scope":"a b"`)
	r.renewTwice("narrow again", hour+`,"scope":"b"`)
	r.wantTold(v1alpha1.EventScopeNarrowed, 2, "less once more")
	r.vendor.status.Store(http.StatusBadGateway)
	r.pass(time.Minute)
	r.change(func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = []v1alpha1.Scope{"a", "b", "c"} })
	r.vendor.status.Store(http.StatusOK)
	r.renewTwice("another spec", hour+`,"scope":"b"`)
	r.wantTold(v1alpha1.EventScopeNarrowed, 3, "another spec, which the vendor answers later")
}
