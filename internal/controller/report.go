package controller

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// soonest is the shortest time after which an OAuthToken is looked at again.
const soonest = 100 * time.Millisecond

// report writes status, events and metrics, and says when to look again. A status that can't be written is kept in memory, since failed
// requests count.
func (r *Reconciler) report(ctx context.Context, o *observation, p *plan, outcome *result) (ctrl.Result, error) {
	now := r.Clock.Now()
	again := ctrl.Result{RequeueAfter: max(soonest, r.next(now, o, p, outcome).Sub(now))}
	done := outcome.written || outcome.attempted // what is not waits for its own time, or it would be tried in a hot loop
	if done && p.step != stepWait && outcome.keep.Consent.Ticket == "" && consentWanted(now, o.token, p, outcome) != nil {
		again.RequeueAfter = soonest // the link is made where nothing else is to be done
	}
	if outcome.quiet {
		return again, nil
	}
	status := statusOf(now, o.token, p, outcome)
	r.emit(o, outcome, status) // once, even if the status is written at a later attempt
	if err := r.writeStatus(ctx, o.token, status); err != nil {
		return ctrl.Result{}, err
	}
	r.metrics.observe(o, status)
	if err := r.warn(ctx, o, p); err != nil { // it is tried again at the next look
		ctrl.LoggerFrom(ctx).Error(err, "a warning of an end that comes near could not be given")
	}
	return again, nil
}

// next is when to look again. What was just written has its own schedule.
func (r *Reconciler) next(now time.Time, o *observation, p *plan, outcome *result) time.Time {
	switch {
	case outcome.at.After(now):
		return outcome.at
	case outcome.held == nil && outcome.at.IsZero():
		return now.Add(time.Hour)
	case outcome.held == nil:
		return outcome.at
	}
	return earliest(scheduleOf(o.token, usable(p.flow, outcome.keep), outcome.held).RenewalTime, outcome.held.ExpiresAt, now.Add(time.Hour))
}

// writeStatus patches status where it differs.
func (r *Reconciler) writeStatus(ctx context.Context, token *v1alpha1.OAuthToken, status v1alpha1.OAuthTokenStatus) error {
	if equality.Semantic.DeepEqual(token.Status, status) && !r.reports.pending(token.UID) {
		return nil
	}
	present := r.reports.put(token, status)
	name := metav1.ObjectMeta{Namespace: present.Namespace, Name: present.Name}
	before, after := &v1alpha1.OAuthToken{ObjectMeta: name, Status: present.Status}, &v1alpha1.OAuthToken{ObjectMeta: name, Status: status}
	err := r.Client.Status().Patch(ctx, after, client.MergeFrom(before), client.FieldOwner(fieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write status: %w", withoutWords(err))
	}
	r.reports.drop(token.UID)
	return nil
}

// reportRequesting says in status that the first request is under way.
func (r *Reconciler) reportRequesting(ctx context.Context, o *observation, p *plan) {
	if p.problem != nil {
		return // what failed last is worth more to the user
	}
	outcome := p.unchanged(o)
	status := statusOf(r.Clock.Now(), o.token, p, outcome)
	r.emit(o, outcome, status)
	if err := r.writeStatus(ctx, o.token, status); err != nil {
		ctrl.LoggerFrom(ctx).Info("status could not say yet that a request is under way")
		return
	}
	o.token.Status = status
}

// problemIn is what a status complains about: reason and message.
func problemIn(status v1alpha1.OAuthTokenStatus) (reason, message string) {
	if failing := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionRenewalFailing); failing != nil {
		return failing.Reason, failing.Message
	}
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status == "False" {
		return ready.Reason, ready.Message
	}
	return "", ""
}
