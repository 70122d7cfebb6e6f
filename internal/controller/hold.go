package controller

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// hold finds out what token the target holds, and what must be written so that the target is as it should be: after an edit, after a
// change of template or name, or with an answer that could not be written yet. A fault is the template's.
func (r *plan) hold(now time.Time, h hasher, o *observation) *problem {
	if o.answer != nil && r.fingerprint.same(o.answer.record.RequestHash) && o.answer.record.ExpiresAt.After(now) {
		return r.holdAnswer(o)
	}
	if r.takesFormer(o) {
		if fault := r.holdFrom(h, o, o.former); fault != nil || r.write != nil {
			return fault
		}
	}
	switch {
	case o.live != nil:
		return r.holdFrom(h, o, o.live)
	case o.target.standing == ours:
		r.holdRecord(o.target)
		r.matches = r.fingerprint.sameSpec(r.held.RequestHash)
	}
	return nil
}

// holdFrom plans to write the target from a Secret that holds its token.
func (r *plan) holdFrom(h hasher, o *observation, source *corev1.Secret) *problem {
	rendering, err := restore(o.token, source, knownToken(o.token, source.Name))
	if err != nil {
		r.holdRecord(viewTarget(o.token, hashed(source)))
		return templateFailed(err.Error())
	}
	if rendering == nil {
		return nil
	}
	held, _ := parseRecord(rendering.annotations)
	r.held, r.matches = &held, r.fingerprint.sameSpec(held.RequestHash)
	r.write = r.stamp(h, o, source, rendering)
	return nil
}

func (r *plan) holdRecord(view targetView) {
	if view.recorded {
		held := view.record
		r.held = &held
	}
}

// holdAsItIs takes the target as it stays when nothing can be written to it.
func (r *plan) holdAsItIs(o *observation) {
	r.held = nil
	r.holdRecord(o.target)
	r.matches = r.held != nil && o.target.rendered(o.token) && r.fingerprint.sameSpec(r.held.RequestHash)
}

// holdAnswer plans to write an answer that could not be written before.
func (r *plan) holdAnswer(o *observation) *problem {
	rendering, err := render(o.token, o.answer.issued)
	if err != nil {
		r.holdAsItIs(o)
		return templateFailed(err.Error())
	}
	r.held, r.matches, r.write, r.answer = &o.answer.record, true, rendering, o.answer
	return nil
}

// stamp gives a rendering whose request-hash can't be read, because its key was lost, a new one. Where the request is not known now,
// the old one stays, and nothing is written for its sake alone.
func (r *plan) stamp(h hasher, o *observation, source *corev1.Secret, restored *rendering) *rendering {
	if h.recognises(restored.annotations[v1alpha1.RequestHashAnnotation]) {
		return restored
	}
	if r.flow == nil {
		if t := o.target; source == o.live && t.intact() && t.rendered(o.token) && t.dressed(o.token) {
			return nil
		}
		return restored
	}
	held, _ := parseRecord(restored.annotations)
	old, _ := parseSeal(restored.annotations[v1alpha1.DataHashAnnotation])
	held.RequestHash = r.fingerprint.String()
	return renderMetadata(o.token, held, restored.data, old)
}

// knownToken is what status tells of the token in a Secret; nil: nothing.
func knownToken(token *v1alpha1.OAuthToken, secretName string) *issued {
	status := token.Status
	if status.SecretName != secretName || status.IssuedAt == nil || status.ExpiresAt == nil {
		return nil
	}
	known := &issued{Scope: strings.Join(status.Scopes, " "), record: record{IssuedAt: status.IssuedAt.UTC(), ExpiresAt: status.ExpiresAt.UTC()}}
	if status.Failures == nil { // else a request for it may have failed
		known.record.RenewHandled = status.LastHandledRenewRequest
	}
	return known
}

// recall takes the failure of the last request for a problem that goes on. While suspended none does: nothing is tried again.
func (r *plan) recall(o *observation) {
	if o.token.Spec.Suspend {
		return
	}
	if failures := o.token.Status.Failures; r.failuresCurrent(o.token) && failures.Count > 0 {
		r.problem = failureProblem(failures)
		if r.flow != nil && r.flow.IsInteractive() && r.problem.reason == v1alpha1.ReasonRefreshInterrupted {
			r.problem.authorize = true
		}
	}
}
