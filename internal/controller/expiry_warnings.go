package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
)

// ending is something whose end a person must prevent.
type ending struct {
	kind   string // in the keepsake
	reason string
	about  string
	end    time.Time // zero: unknown
	leads  []time.Duration
	stated string // what states the end
	fault  string // why that can't be read; empty: it can
}

// endings are those of an OAuthToken.
func endings(o *observation, keep keepsake) []ending {
	const day = 24 * time.Hour
	refresh := ending{
		kind: "refresh-token", reason: v1alpha1.EventRefreshTokenExpiring, leads: []time.Duration{7 * day, day},
		about: "the refresh token ends: somebody must authorize anew, or put a new one into the credentials Secret, in time",
	}
	if !keep.RefreshToken.IsEmpty() {
		refresh.end = keep.ExpiresAt
	}
	if keep.Life > 0 { // an end that moves away with each refresh comes near only when these fail
		refresh.leads = slices.DeleteFunc(refresh.leads, func(lead time.Duration) bool { return lead > keep.Life/2 })
	}
	stated, fault := "", ""
	if secret := o.credentials.secret; secret != nil {
		stated = secret.Annotations[v1alpha1.ClientSecretExpiresAtAnnotation]
		_, fault = declaration.ClientSecretExpiry(secret)
	}
	return []ending{refresh, {
		kind: "client-secret", reason: v1alpha1.EventClientSecretExpiring, end: clientSecretExpiry(o), leads: []time.Duration{30 * day, 7 * day, day},
		stated: stated, fault: fault,
		about: fmt.Sprintf("the client secret in Secret %q ends: make a new one at the vendor and store it there in time, with its %s",
			o.token.Spec.CredentialsSecretRef.Name, v1alpha1.ClientSecretExpiresAtAnnotation),
	}}
}

// dueWarnings are the warnings to give now, as events, and all that were given for the present ends. Of several that are due at once only
// the last is given. What can't be read is told once for each thing that stands there.
func dueWarnings(now time.Time, ends []ending, given []string) (warnings []notice, all []string) {
	for _, e := range ends {
		if id := fmt.Sprintf("%s/unreadable/%s", e.kind, hashToken(e.stated)); e.fault != "" {
			all = append(all, id)
			if !slices.Contains(given, id) {
				warnings = append(warnings, notice{warning: true, reason: v1alpha1.EventClientSecretExpiryUnreadable, about: e.fault})
			}
		}
		passed := e.passed(now)
		for i, lead := range passed {
			id := fmt.Sprintf("%s/%d/%s", e.kind, e.end.Unix(), lead)
			all = append(all, id)
			if i == len(passed)-1 && !slices.Contains(given, id) {
				warnings = append(warnings, notice{warning: true, reason: e.reason, about: fmt.Sprintf("in less than %s %s", days(lead), e.about)})
			}
		}
	}
	return warnings, all
}

func days(lead time.Duration) string {
	if n := int(lead.Hours()) / 24; n > 1 {
		return fmt.Sprintf("%d days", n)
	}
	return "a day"
}

// passed are the leads that have begun, the shortest last.
func (e ending) passed(now time.Time) []time.Duration {
	return slices.DeleteFunc(slices.Clone(e.leads), func(lead time.Duration) bool {
		return e.end.IsZero() || now.Before(e.end.Add(-lead))
	})
}

// warn gives the warnings that are due, each once: that it was given is written first, to what the state Secret holds by now, which the plan
// need not know.
func (r *Reconciler) warn(ctx context.Context, o *observation, p *plan) error {
	if o.saving || stateConflict(o) != nil {
		return nil
	}
	keep := storedKeepsake(o).withStatedEnd(o.token, p.flow)
	warnings, all := dueWarnings(r.Clock.Now(), endings(o, usable(p.flow, keep)), keep.Warnings)
	if len(warnings) == 0 {
		return nil
	}
	keep.Warnings = all
	_, err := writeState(ctx, r.Client, o.token, o.state, keep)
	if apierrors.IsAlreadyExists(err) { // a Secret without our label: it has it back if it is ours
		if _, relabelled := r.undeclared(ctx, o, p, err); relabelled != nil {
			return relabelled
		}
	}
	if err != nil {
		return fmt.Errorf("note that a warning was given: %w", err)
	}
	for _, w := range warnings {
		r.event(o.token, w)
	}
	return nil
}
