package controller

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
)

// targetView is what can be told of a target Secret from the cache, which holds hashes of its data.
type targetView struct {
	secret    *corev1.Secret // data hashed; nil where there is none
	standing  standing
	complaint string // where the Secret is in the way: what to do
	record    record
	recorded  bool // the annotations tell of a token
	seal      seal
	sealed    bool // the data-hash can be read
}

// viewTarget tells what a Secret with hashed data is to an OAuthToken.
func viewTarget(token *v1alpha1.OAuthToken, secret *corev1.Secret) targetView {
	v := targetView{secret: secret}
	v.standing, v.complaint = standingOf(token, secret)
	if secret == nil || v.standing == foreign {
		return v
	}
	v.complaint = unwritable(token, secret)
	if v.standing == ours {
		v.record, v.recorded = parseRecord(secret.Annotations)
		v.seal, v.sealed = parseSeal(secret.Annotations[v1alpha1.DataHashAnnotation])
	}
	return v
}

// intact tells whether the data and the annotations of the token are as the operator wrote them.
func (v targetView) intact() bool {
	if !v.recorded || !v.sealed {
		return false
	}
	for _, key := range v.seal.keys {
		if _, ok := v.secret.Data[key]; !ok {
			return false
		}
	}
	return v.seal.content == hashContent(v.secret.Data, v.seal.keys, v.secret.Annotations)
}

// requestedAt is when the token was requested that is in it as the operator wrote it; zero: there is none.
func (v targetView) requestedAt() time.Time {
	if !v.intact() {
		return time.Time{}
	}
	return v.record.askedAt()
}

// rendered tells whether the Secret was written as the spec now says.
func (v targetView) rendered(token *v1alpha1.OAuthToken) bool {
	metadata, data := v.seal.matches(token.Spec.Target)
	return v.sealed && metadata && data
}

// filled tells whether its data was written as the spec now says.
func (v targetView) filled(token *v1alpha1.OAuthToken) bool {
	_, data := v.seal.matches(token.Spec.Target)
	return v.sealed && data
}

// dressed tells whether labels, annotations and owner are as they should be, beside what others added.
func (v targetView) dressed(token *v1alpha1.OAuthToken) bool {
	labels, annotations := renderedMetadata(token)
	_, marked := v.secret.Annotations[v1alpha1.RemovedByAnnotation]
	_, mark := annotations[v1alpha1.RemovedByAnnotation]
	return contains(v.secret.Labels, labels) && contains(v.secret.Annotations, annotations) && owned(token, v.secret) && marked == mark
}

// owned tells whether the owner reference is there, or, where the Secret is to stay, is not.
func owned(token *v1alpha1.OAuthToken, secret *corev1.Secret) bool {
	want, have := ownerReference(token), metav1.GetControllerOf(secret)
	if want == nil || have == nil {
		return want == nil && have == nil
	}
	return have.UID == want.UID
}

// contains tells whether all members of part stand in whole.
func contains(whole, part map[string]string) bool {
	for name, value := range part {
		if got, ok := whole[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// drifted tells whether the Secret is not as the operator wrote it. One that the spec now wants otherwise is none.
func (v targetView) drifted(token *v1alpha1.OAuthToken) bool {
	return v.secret == nil || !v.intact() || v.rendered(token) && !v.dressed(token)
}

// restore makes a target from a live Secret that holds the token, as far as it can be trusted: nil where it can't, and only a request
// helps. known is what status tells of the token, for when the Secret was edited; nil: nothing.
func restore(token *v1alpha1.OAuthToken, live *corev1.Secret, known *issued) (*rendering, error) {
	view := viewTarget(token, hashed(live))
	if !view.sealed {
		return nil, nil //nolint:nilnil // no fault, and nothing to restore from
	}
	intact := view.intact()
	if intact && view.filled(token) {
		return renderMetadata(token, view.record, pick(live.Data, view.seal.keys), view.seal), nil
	}
	if !intact && known == nil || content.NeedsAnswer(targetSpec(token)) {
		return nil, nil //nolint:nilnil // no fault, and nothing to restore from
	}
	t := issued{
		AccessToken: string(live.Data[content.KeyAccessToken]), TokenType: "Bearer",
		Scope: string(live.Data[content.KeyScope]), IDToken: string(live.Data[content.KeyIDToken]), record: view.record,
	}
	if !intact {
		t.record.IssuedAt, t.record.ExpiresAt, t.record.RenewHandled = known.record.IssuedAt, known.record.ExpiresAt, known.record.RenewHandled
	}
	if !intact && hashGiven(t) != view.seal.given {
		t.Scope = known.Scope
	}
	if hashGiven(t) != view.seal.given {
		return nil, nil //nolint:nilnil // no fault, and nothing to restore from
	}
	return render(token, t)
}

// pick returns the members of data under keys.
func pick(data map[string][]byte, keys []string) map[string][]byte {
	picked := maps.Clone(data)
	maps.DeleteFunc(picked, func(key string, _ []byte) bool { return !slices.Contains(keys, key) })
	return picked
}
