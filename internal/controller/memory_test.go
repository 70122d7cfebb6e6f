package controller

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"tokensync.dev/tokensync/api/v1alpha1"
)

func TestAnAnswerIsKeptUntilItIsWritten(t *testing.T) {
	var kept answers
	if kept.get("a") != nil {
		t.Error("an answer from nowhere")
	}
	first, second := &answer{}, &answer{}
	kept.put("a", first)
	kept.put("b", second)
	if kept.get("a") != first || kept.get("b") != second {
		t.Error("answers got mixed up")
	}
	kept.drop("a")
	kept.drop("a")
	if kept.get("a") != nil || kept.get("b") != second {
		t.Error("the wrong answer was dropped")
	}
}

func TestAStatusThatCouldNotBeWrittenIsNotForgotten(t *testing.T) {
	var kept reports
	failed := v1alpha1.OAuthTokenStatus{Failures: &v1alpha1.FailureStatus{Count: 1}}
	stale := someToken()
	if kept.take(stale); stale.Status.Failures != nil || kept.pending(stale.UID) {
		t.Error("a status from nowhere")
	}
	kept.put(stale, failed)

	read := someToken(func(o *v1alpha1.OAuthToken) { o.ResourceVersion = "2" })
	kept.take(read)
	if read.Status.Failures == nil || !kept.pending(read.UID) {
		t.Fatal("the failure was forgotten")
	}
	read.Status.Failures.Count = 99
	again := someToken()
	if kept.take(again); again.Status.Failures.Count != 1 {
		t.Error("the kept status shares memory with the one that was given out")
	}

	present := kept.put(again, v1alpha1.OAuthTokenStatus{})
	if present.Status.Failures != nil {
		t.Error("the next patch is made against what the API server never had")
	}
	kept.drop(again.UID)
	if kept.pending(again.UID) {
		t.Error("a written status is still pending")
	}
}

func TestWhatMemoryHoldsIsOfOneOAuthToken(t *testing.T) {
	var kept reports
	kept.put(someToken(), v1alpha1.OAuthTokenStatus{SecretName: "api"})
	other := someToken(func(o *v1alpha1.OAuthToken) { o.UID = types.UID("other") })
	if kept.take(other); other.Status.SecretName != "" {
		t.Error("an OAuthToken got the status of another one of its name")
	}
}

// kept are the OAuthTokens of which memory holds something by their UID.
func (r *rig) kept() []types.UID {
	var uids []types.UID
	for _, held := range [][]types.UID{
		slices.Collect(maps.Keys(r.answers.byUID)), slices.Collect(maps.Keys(r.reports.byUID)), slices.Collect(maps.Keys(r.repairs.byUID)),
		slices.Collect(maps.Keys(r.unsent.uses)), slices.Collect(maps.Values(r.uids.byKey)),
	} {
		uids = append(uids, held...)
	}
	r.revoked.Range(func(uid, _ any) bool {
		if uid, ok := uid.(types.UID); ok {
			uids = append(uids, uid)
		}
		return true
	})
	slices.Sort(uids)
	return slices.Compact(uids)
}

// refuseStatus has the API server refuse every write of status.
func (r *rig) refuseStatus() {
	cached := asCached()
	cached.SubResourcePatch = func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
		return errors.New("etcd is away")
	}
	r.Client = interceptor.NewClient(r.api, cached)
}

// remove deletes the OAuthToken and its target, as garbage collection does.
func (r *rig) remove() (gone *v1alpha1.OAuthToken) {
	r.t.Helper()
	gone = r.token()
	for _, object := range []client.Object{gone.DeepCopy(), r.secret(targetName(gone))} {
		if err := r.api.Delete(r.t.Context(), object); client.IgnoreNotFound(err) != nil {
			r.t.Fatal(err)
		}
	}
	return gone
}

// replace deletes the OAuthToken and makes another one of its name, before anybody has looked.
func (r *rig) replace() {
	r.t.Helper()
	next := r.remove()
	next.UID, next.ResourceVersion, next.Status = "0c0c", "", v1alpha1.OAuthTokenStatus{}
	if err := r.api.Create(r.t.Context(), next); err != nil {
		r.t.Fatal(err)
	}
}

// TestWhatMemoryHoldsGoesWithItsOAuthToken leaves something in all that memory keeps by UID. An answer is an access token.
func TestWhatMemoryHoldsGoesWithItsOAuthToken(t *testing.T) {
	for about, c := range map[string]struct {
		refused bool // no status is ever written
		end     func(*rig)
		want    []types.UID
	}{
		"deleted": {end: func(r *rig) { r.remove() }},
		"deleted before a status could be written": {refused: true, end: func(r *rig) { r.remove() }},
		"replaced": {end: (*rig).replace, want: []types.UID{"0c0c"}},
		"replaced before a status could be written": {refused: true, end: (*rig).replace, want: []types.UID{"0c0c"}},
	} {
		t.Run(about, func(t *testing.T) {
			r := givingRig(t)
			if c.refused {
				r.refuseStatus()
			}
			r.reconcile(1)
			old := someToken().UID
			r.answers.put(old, &answer{})
			r.reports.put(r.token(), v1alpha1.OAuthTokenStatus{})
			r.unsent.begin(old, exchange{})
			r.revoked.Store(old, true)
			if diff := cmp.Diff([]types.UID{old}, r.kept()); diff != "" {
				t.Fatalf("while it is there (-want +got):\n%s", diff)
			}
			c.end(r)
			r.give("second")
			r.reconcile(2)
			if diff := cmp.Diff(c.want, r.kept()); diff != "" {
				t.Errorf("after its end (-want +got):\n%s", diff)
			}
		})
	}
}
