package controller

import (
	"context"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
)

// stopsBeforeItsWrite has something happen while the manager is stopped before the next write of a target.
func (r *rig) stopsBeforeItsWrite(meanwhile func()) {
	once := sync.OnceFunc(meanwhile)
	funcs := asCached()
	funcs.Create = func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.CreateOption) error {
		if object.GetName() == "api" && len((&client.CreateOptions{}).ApplyOptions(opts).DryRun) == 0 {
			once()
		}
		return c.Create(ctx, object, opts...)
	}
	funcs.Patch = func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
		if _, target := object.(*corev1.Secret); target {
			once()
		}
		return c.Patch(ctx, object, patch, opts...)
	}
	funcs.Apply = func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
		once()
		return c.Apply(ctx, object, opts...)
	}
	r.Client = interceptor.NewClient(r.api, funcs)
}

// stopsBeforeItsRead has something happen while the manager is stopped before the next look at a target that the cache can't have.
func (r *rig) stopsBeforeItsRead(meanwhile func()) {
	once := sync.OnceFunc(meanwhile)
	r.Live = interceptor.NewClient(r.api, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			if _, secret := object.(*corev1.Secret); secret && key.Name == "api" {
				once()
			}
			return c.Get(ctx, key, object, opts...)
		},
	})
}

// leads lets another manager lead a minute later, whose requests the vendor answers with a name.
func (r *rig) leads(name string) {
	r.t.Helper()
	r.clock.Step(time.Minute)
	r.vendor.gives(name)
	newRigOn(r.t, r.vendor, r.Platform.Catalogue, r.api, r.clock).reconcile(1)
}

// served is the access token in the target.
func (r *rig) served() string {
	r.t.Helper()
	return string(r.secret("api").Data[content.KeyAccessToken])
}

// A leader that is stopped between the write of its refresh token and that of the target must not bring back an access token that a refresh by
// whoever leads meanwhile may have ended.
func TestAnAnswerGivesWayToOneThatWasGotLater(t *testing.T) {
	for name, test := range map[string]struct {
		held  func(*rig)
		stops func(*rig, func())
	}{
		"at a renewal":         {func(r *rig) { r.reconcile(2); r.clock.Step(45 * time.Minute) }, (*rig).stopsBeforeItsWrite},
		"with the first token": {func(*rig) {}, (*rig).stopsBeforeItsWrite},
		"at a renewal of which a key goes": {func(r *rig) {
			r.vendor.body.Store(`{"access_token":"access first","token_type":"Bearer","expires_in":3600,"refresh_token":"first","id_token":"e30.e30.e30"}`)
			r.reconcile(2)
			r.clock.Step(45 * time.Minute)
		}, (*rig).stopsBeforeItsRead},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t)
			test.held(r)
			asked := r.vendor.asked.Load()
			r.vendor.gives("stopped")
			test.stops(r, func() { r.leads("later") })
			r.reconcile(1)
			r.expect(asked+2, "stopped", "by both leaders")
			if got := r.served(); got != "access later" {
				t.Errorf("%q is served", got)
			}
			r.reconcile(2)
			r.expect(asked+2, "stopped", "afterwards")
			if got := r.served(); got != "access later" || r.stored("api").RefreshToken.Reveal() != "later" {
				t.Errorf("afterwards %q is served, and %v is kept", got, texts(r.stored("api")))
			}
			if status := r.token().Status; len(status.Conditions) != 1 || status.Failures != nil {
				t.Errorf("status %+v", status)
			}
		})
	}
}

// The token in the target was asked for when a clock was ahead, and the one that replaces it later by all clocks but that one.
func TestAClockThatIsCorrectedKeepsNoAnswerFromTheTarget(t *testing.T) {
	r := newSeedRig(t)
	r.clock.Step(2 * time.Hour)
	r.reconcile(2)
	r.clock.SetTime(noon)
	r.vendor.gives("second")
	r.stopsBeforeItsWrite(func() { // so that it is tried again on what there is then
		r.changeSecret("api", func(s *corev1.Secret) { s.Labels["team"] = "payments" })
	})
	r.reconcile(1)
	r.expect(2, "first", "after the clock was corrected")
	if got := r.served(); got != "access second" {
		t.Errorf("%q is served", got)
	}
}

// What was got for another spec is no newer token: both leaders look at the spec as it is, and one request makes it right.
func TestAnAnswerForAnotherSpecIsReplaced(t *testing.T) {
	r := newSeedRig(t)
	r.reconcile(2)
	r.clock.Step(45 * time.Minute)
	r.vendor.gives("stopped")
	r.stopsBeforeItsWrite(func() {
		r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = []v1alpha1.Scope{"users"} })
		r.leads("later")
	})
	r.reconcile(1)
	r.vendor.gives("last")
	r.later(time.Minute)
	r.expect(4, "later", "in the end")
	if got := r.served(); got != "access last" {
		t.Errorf("%q is served", got)
	}
}

func TestWhichAnswersAreOutdated(t *testing.T) {
	now := fingerprint{keyID: "key", spec: "spec", credentials: "credentials"}
	at := func(issued, repeated time.Time, asked fingerprint) record {
		return record{IssuedAt: issued, ExpiresAt: issued.Add(time.Hour), RepeatedAt: repeated, RequestHash: asked.String()}
	}
	minutes := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	given := &answer{issued: issued{record: at(minutes(45), time.Time{}, now)}, replaces: noon}
	for name, test := range map[string]struct {
		there  record
		change func(*corev1.Secret)
		answer *answer
		want   bool
	}{
		"by a newer token":                       {at(minutes(46), time.Time{}, now), nil, given, true},
		"by the same token, which came again":    {at(noon, minutes(46), now), nil, given, true},
		"not by the one that it replaces":        {at(noon, time.Time{}, now), nil, given, false},
		"not by one of the same time":            {at(minutes(45), time.Time{}, now), nil, given, false},
		"not by an older one":                    {at(minutes(44), time.Time{}, now), nil, given, false},
		"not by one for another spec":            {at(minutes(46), time.Time{}, fingerprint{keyID: "key", spec: "other", credentials: "credentials"}), nil, given, false},
		"not by one for other credentials":       {at(minutes(46), time.Time{}, fingerprint{keyID: "key", spec: "spec", credentials: "other"}), nil, given, false},
		"not where somebody has edited the data": {at(minutes(46), time.Time{}, now), func(s *corev1.Secret) { s.Data[content.KeyAccessToken] = []byte("x") }, given, false},
		"not where somebody has edited its time": {at(minutes(44), time.Time{}, now), func(s *corev1.Secret) { s.Annotations[v1alpha1.IssuedAtAnnotation] = formatTime(minutes(46)) }, given, false},
		"not where it is somebody else's":        {at(minutes(46), time.Time{}, now), func(s *corev1.Secret) { s.OwnerReferences[0].Name = "other" }, given, false},
		"not by the one that it replaces, of a clock that was ahead": {
			at(minutes(90), time.Time{}, now), nil, &answer{issued: given.issued, replaces: minutes(90)}, false,
		},
		"and no repair is": {at(minutes(46), time.Time{}, now), nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			rendered, err := render(someToken(), issued{AccessToken: "token", record: test.there})
			if err != nil {
				t.Fatal(err)
			}
			secret := rendered.secret()
			if test.change != nil {
				test.change(secret)
			}
			p := &plan{fingerprint: now, answer: test.answer}
			if got := p.outdated(&observation{target: viewTarget(someToken(), hashed(secret))}); got != test.want {
				t.Errorf("outdated: %t, want %t", got, test.want)
			}
		})
	}
	if p := (&plan{answer: given}); p.outdated(&observation{}) {
		t.Error("outdated without a target")
	}
}
