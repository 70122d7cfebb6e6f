package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// renamedRig is a rig whose target was a, which stays with the token "first" of noon, and is b, with the token "second" of 12:45. It is 12:46.
func renamedRig(t *testing.T) *rig {
	t.Helper()
	r := givingRig(t)
	r.rename("a", v1alpha1.DeletionRetain)
	r.rename("b", v1alpha1.DeletionRetain)
	r.give("second")
	r.later(45 * time.Minute)
	r.clock.Step(time.Minute)
	r.wantTargets(2, map[string]string{"a": "first", "b": "second"})
	r.give("third")
	return r
}

// rename gives the target another name, and says what becomes of the one before.
func (r *rig) rename(name string, policy v1alpha1.DeletionPolicy) {
	r.t.Helper()
	r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Target = &v1alpha1.Target{Name: name, DeletionPolicy: policy} })
	r.reconcile(2)
}

// wantTargets fails a test unless that many tokens were asked for, and these Secrets hold them.
func (r *rig) wantTargets(asked int32, tokens map[string]string) {
	r.t.Helper()
	if got := r.vendor.asked.Load(); got != asked {
		r.t.Errorf("%d requests, want %d", got, asked)
	}
	for _, name := range []string{"a", "b", "c"} {
		got := ""
		if secret := r.secret(name); secret != nil {
			got = string(secret.Data["access_token"])
		}
		if got != tokens[name] {
			r.t.Errorf("Secret %s holds %q, want %q; conditions %+v", name, got, tokens[name], r.token().Status.Conditions)
		}
	}
}

// restarts has the manager forget what only memory tells of the token that was served.
func (r *rig) restarts() { r.repairs.forget(r.token().UID) }

func (r *rig) deletesSecret(name string) {
	r.t.Helper()
	if err := r.api.Delete(r.t.Context(), r.secret(name)); err != nil {
		r.t.Fatal(err)
	}
}

// refusesOnce has the API server refuse the next write of a target so.
func (r *rig) refusesOnce(refusal error) {
	refused := false
	r.Client = interceptor.NewClient(r.api, func() interceptor.Funcs {
		funcs := asCached()
		funcs.Apply = func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if !refused {
				refused = true
				return refusal
			}
			return c.Apply(ctx, o, opts...)
		}
		return funcs
	}())
}

// Of the targets under former names, the new one is written from the one that was served last, without a request, and only what is not needed any
// more is removed.
func TestATargetIsWrittenFromTheFormerOneThatWasServedLast(t *testing.T) {
	const keeps, removes = v1alpha1.DeletionRetain, v1alpha1.DeletionDelete
	away := apierrors.NewInternalError(errors.New("the store is away"))
	conflict := apierrors.NewConflict(corev1.Resource("secrets"), "a", errors.New("somebody has written it"))
	for name, test := range map[string]struct {
		happens func(*rig)
		asked   int32
		want    map[string]string
	}{
		"renamed again": {func(r *rig) { r.rename("c", keeps) }, 2, map[string]string{"a": "first", "b": "second", "c": "second"}},
		"renamed again, and the one before is to go": {
			func(r *rig) { r.rename("c", removes) }, 2, map[string]string{"a": "first", "b": "second", "c": "second"},
		},
		"renamed again, and the one before is owned": {
			func(r *rig) {
				r.rename("b", removes)
				r.rename("c", removes)
			}, 2, map[string]string{"a": "first", "c": "second"},
		},
		"renamed again, and status is gone": {
			func(r *rig) { r.wipeStatus(); r.rename("c", keeps) }, 2, map[string]string{"a": "first", "b": "second", "c": "second"},
		},
		"renamed back": {func(r *rig) { r.rename("a", keeps) }, 2, map[string]string{"a": "second", "b": "second"}},
		"renamed back, and the one before is owned": {
			func(r *rig) { r.rename("b", removes); r.rename("a", removes) }, 2, map[string]string{"a": "second"},
		},
		"renamed back, and status is gone": {
			func(r *rig) { r.wipeStatus(); r.rename("a", keeps) }, 2, map[string]string{"a": "second", "b": "second"},
		},
		"renamed back, and the first write fails": {
			func(r *rig) { r.rename("b", removes); r.refusesOnce(away); r.rename("a", removes) }, 2, map[string]string{"a": "second"},
		},
		"renamed back after a restart, and the first write fails": {
			func(r *rig) { r.rename("b", removes); r.restarts(); r.refusesOnce(away); r.rename("a", removes) }, 2, map[string]string{"a": "second"},
		},
		"renamed back, the first write meets a conflict, and then the manager is started anew": {
			func(r *rig) {
				r.rename("b", removes)
				r.refusesOnce(conflict)
				r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Target.Name = "a" })
				r.reconcile(1)
				r.restarts()
				r.reconcile(2)
			}, 2, map[string]string{"a": "second"},
		},
		"renamed back after the token has ended": {
			func(r *rig) { r.clock.Step(2 * time.Hour); r.rename("a", keeps) }, 3, map[string]string{"a": "third", "b": "second"},
		},
		"renamed back with the spec of then": {
			func(r *rig) {
				r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = []v1alpha1.Scope{"users"} })
				r.reconcile(2)
				r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = nil })
				r.rename("a", keeps)
			}, 3, map[string]string{"a": "first", "b": "third"},
		},
		"renamed back with a template that fails": {
			func(r *rig) {
				r.rename("b", removes)
				r.changeToken(func(o *v1alpha1.OAuthToken) {
					o.Spec.Target.Name = "a"
					o.Spec.Target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"x": "{{substr 5 2 .TokenType}}"}}
				})
				r.reconcile(3)
			}, 2, map[string]string{"a": "first", "b": "second"},
		},
		"deleted while an older one is there": {
			func(r *rig) { r.deletesSecret("b"); r.reconcile(2) }, 3, map[string]string{"a": "first", "b": "third"},
		},
		"deleted while an older one is there, and no token is to be had": {
			func(r *rig) { r.vendor.status.Store(500); r.deletesSecret("b"); r.reconcile(3) }, 3, map[string]string{"a": "first"},
		},
		"deleted while an older one is there, no token is to be had, and the manager was started anew": {
			func(r *rig) {
				r.restarts()
				r.reconcile(1)
				r.vendor.status.Store(500)
				r.deletesSecret("b")
				r.reconcile(3)
			}, 3, map[string]string{"a": "first"},
		},
		"deleted while the same token is there": {
			func(r *rig) { r.rename("c", keeps); r.deletesSecret("c"); r.reconcile(2) }, 2, map[string]string{"a": "first", "b": "second", "c": "second"},
		},
		"edited while an older one is there, and status is gone": {
			func(r *rig) {
				r.wipeStatus()
				r.changeSecret("b", func(s *corev1.Secret) { s.Data["access_token"] = []byte("edited") })
				r.reconcile(2)
			}, 3, map[string]string{"a": "first", "b": "third"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := renamedRig(t)
			test.happens(r)
			r.wantTargets(test.asked, test.want)
			r.reconcile(2)
			r.wantTargets(test.asked, test.want)
		})
	}
}

// A token of a time before the clock was stepped back looks newer than it is.
func TestAFormerTargetOfAClockThatWasAheadReplacesNothing(t *testing.T) {
	r := givingRig(t)
	r.clock.Step(2 * time.Hour)
	r.rename("a", v1alpha1.DeletionRetain)
	r.clock.SetTime(noon)
	r.give("second")
	r.rename("b", v1alpha1.DeletionRetain)
	r.later(time.Minute)
	r.wantTargets(2, map[string]string{"a": "first", "b": "second"})
	r.give("third")
	r.later(45 * time.Minute)
	r.give("fourth")
	r.later(45 * time.Minute)
	r.wantTargets(4, map[string]string{"a": "first", "b": "fourth"})
}
