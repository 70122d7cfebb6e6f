package main

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// view is what the API server says at a moment, in the order of names.
type view struct {
	tokens  []tokenView
	secrets []secretView
}

// tokenView is an OAuthToken.
type tokenView struct {
	name, vendor, grant string
	secretName          string
	ready               condition
	failing             condition // RenewalFailing
	link                string    // at which a person can authorize; empty: nobody needs to
	issuedAt, expiresAt time.Time // zero: no token
	renewals            int       // seen by this demo
}

// condition is one of an OAuthToken's; the zero value where it is absent.
type condition struct {
	status          metav1.ConditionStatus
	reason, message string
}

func (c condition) isTrue() bool { return c.status == metav1.ConditionTrue }

// secretView is a target Secret, without its values.
type secretView struct {
	name string
	uid  string
	keys []string
}

// token finds an OAuthToken; the zero value where there is none of this name.
func (v *view) token(name string) tokenView {
	i := slices.IndexFunc(v.tokens, func(t tokenView) bool { return t.name == name })
	if i < 0 {
		return tokenView{name: name}
	}
	return v.tokens[i]
}

// secret finds a target Secret; the zero value where there is none of this name.
func (v *view) secret(name string) secretView {
	i := slices.IndexFunc(v.secrets, func(s secretView) bool { return s.name == name })
	if i < 0 {
		return secretView{}
	}
	return v.secrets[i]
}

// those returns the OAuthTokens that a condition holds for.
func (v *view) those(is func(tokenView) bool) []tokenView {
	return slices.DeleteFunc(slices.Clone(v.tokens), func(t tokenView) bool { return !is(t) })
}

// interactive tells of the grants that need a person.
func interactive(t tokenView) bool {
	return t.grant == string(v1alpha1.GrantAuthorizationCode) || t.grant == string(v1alpha1.GrantImplicit)
}

func unattended(t tokenView) bool { return !interactive(t) }

// refreshed tells of the interactive grant that needs a person only once.
func refreshed(t tokenView) bool { return t.grant == string(v1alpha1.GrantAuthorizationCode) }

// watcher makes views, and remembers what one alone does not tell.
type watcher struct {
	user     client.Client
	issuedAt map[string]time.Time
	renewals map[string]int
	lapsed   map[string]string // OAuthTokens that were Ready once and then were not, with the reason
	ready    map[string]bool
}

func newWatcher(user client.Client) *watcher {
	return &watcher{
		user: user, issuedAt: map[string]time.Time{}, renewals: map[string]int{}, lapsed: map[string]string{}, ready: map[string]bool{},
	}
}

func (w *watcher) look(ctx context.Context) (*view, error) {
	var tokens v1alpha1.OAuthTokenList
	if err := w.user.List(ctx, &tokens, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var secrets corev1.SecretList
	targets := client.MatchingLabels{v1alpha1.RoleLabel: v1alpha1.RoleTarget}
	if err := w.user.List(ctx, &secrets, client.InNamespace(namespace), targets); err != nil {
		return nil, err
	}
	v := &view{}
	for i := range tokens.Items {
		v.tokens = append(v.tokens, w.remember(viewToken(&tokens.Items[i])))
	}
	for i := range secrets.Items {
		s := &secrets.Items[i]
		v.secrets = append(v.secrets, secretView{name: s.Name, uid: string(s.UID), keys: slices.Sorted(maps.Keys(s.Data))})
	}
	return v, nil
}

// remember counts renewals and notices lapses.
func (w *watcher) remember(t tokenView) tokenView {
	if before := w.issuedAt[t.name]; !before.IsZero() && t.issuedAt.After(before) {
		w.renewals[t.name]++
	}
	w.issuedAt[t.name] = t.issuedAt
	if w.ready[t.name] && !t.ready.isTrue() {
		w.lapsed[t.name] = t.ready.reason
	}
	w.ready[t.name] = t.ready.isTrue()
	t.renewals = w.renewals[t.name]
	return t
}

func viewToken(o *v1alpha1.OAuthToken) tokenView {
	t := tokenView{
		name: o.Name, vendor: o.Spec.Vendor, grant: o.Status.GrantType, secretName: o.Status.SecretName,
		ready: viewCondition(o, v1alpha1.ConditionReady), failing: viewCondition(o, v1alpha1.ConditionRenewalFailing),
	}
	if t.grant == "" {
		t.grant = string(o.Spec.GrantType)
	}
	if o.Status.Authorization != nil {
		t.link = o.Status.Authorization.URL
	}
	if o.Status.IssuedAt != nil {
		t.issuedAt = o.Status.IssuedAt.Time
	}
	if o.Status.ExpiresAt != nil {
		t.expiresAt = o.Status.ExpiresAt.Time
	}
	return t
}

func viewCondition(o *v1alpha1.OAuthToken, kind string) condition {
	found := meta.FindStatusCondition(o.Status.Conditions, kind)
	if found == nil || found.ObservedGeneration != o.Generation {
		return condition{}
	}
	return condition{status: found.Status, reason: found.Reason, message: found.Message}
}
