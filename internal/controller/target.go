package controller

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
)

const (
	fieldManager   = "tokensync"
	managedByLabel = "app.kubernetes.io/managed-by"
)

// issued is a token as it is written to a target Secret: from the vendor's answer, or from what a target holds.
type issued struct {
	AccessToken, TokenType, Scope, IDToken string
	Extra                                  map[string]any
	record                                 record
}

// rendering is a target Secret as it should be.
type rendering struct {
	namespace, name     string
	secretType          corev1.SecretType
	labels, annotations map[string]string
	owner               *metav1.OwnerReference // nil: none, the Secret outlives the OAuthToken
	data                map[string][]byte
}

// targetName is the name of an OAuthToken's target Secret.
func targetName(token *v1alpha1.OAuthToken) string {
	if target := token.Spec.Target; target != nil && target.Name != "" {
		return target.Name
	}
	return token.Name
}

// targetSpec is the spec's target, empty where there is none.
func targetSpec(token *v1alpha1.OAuthToken) v1alpha1.Target {
	if token.Spec.Target == nil {
		return v1alpha1.Target{}
	}
	return *token.Spec.Target
}

// retains tells whether target and state Secret outlive the OAuthToken.
func retains(token *v1alpha1.OAuthToken) bool {
	return targetSpec(token).DeletionPolicy == v1alpha1.DeletionRetain
}

// render makes the target Secret for a token. The error is a fault of the template, in words for the user.
func render(token *v1alpha1.OAuthToken, t issued) (*rendering, error) {
	data, err := content.Render(targetSpec(token), t.contents())
	if err != nil {
		return nil, err
	}
	return renderMetadata(token, t.record, data, sealOf(t)), nil
}

// renderMetadata makes the target Secret around data that is there already. Of is a seal that tells of the token.
func renderMetadata(token *v1alpha1.OAuthToken, r record, data map[string][]byte, of seal) *rendering {
	labels, annotations := renderedMetadata(token)
	maps.Copy(annotations, r.annotations())
	keys := slices.Sorted(maps.Keys(data))
	hashes := make(map[string][]byte, len(data))
	for key, value := range data {
		hashes[key] = hashValue(value)
	}
	of.metadata, of.render = renderingOf(token.Spec.Target).digests()
	of.content, of.keys = hashContent(hashes, keys, annotations), keys
	annotations[v1alpha1.DataHashAnnotation] = of.String()
	return &rendering{
		namespace: token.Namespace, name: targetName(token), secretType: targetType(token),
		labels: labels, annotations: annotations, owner: ownerReference(token), data: data,
	}
}

// renderedMetadata are the labels and annotations that do not depend on the token.
func renderedMetadata(token *v1alpha1.OAuthToken) (labels, annotations map[string]string) {
	labels, annotations = map[string]string{}, map[string]string{}
	if template := targetSpec(token).Template; template != nil && template.Metadata != nil {
		for name, value := range template.Metadata.Labels {
			labels[name] = string(value)
		}
		for name, value := range template.Metadata.Annotations {
			annotations[name] = string(value)
		}
	}
	labels[v1alpha1.RoleLabel] = v1alpha1.RoleTarget
	labels[managedByLabel] = fieldManager
	annotations[v1alpha1.OwnerAnnotation] = token.Name
	if token.Spec.RevokeOnDelete && !retains(token) {
		annotations[v1alpha1.RemovedByAnnotation] = fieldManager
	}
	return labels, annotations
}

// contents is a token as the keys of a target Secret are made from it.
func (t issued) contents() content.Token {
	return content.Token{
		AccessToken: t.AccessToken, TokenType: t.TokenType, Scope: t.Scope, IDToken: t.IDToken, Extra: t.Extra,
		IssuedAt: t.record.IssuedAt, ExpiresAt: t.record.ExpiresAt,
	}
}

func targetType(token *v1alpha1.OAuthToken) corev1.SecretType {
	return corev1.SecretType(cmp.Or(targetSpec(token).Type, string(corev1.SecretTypeOpaque)))
}

// ownerReference is nil with deletionPolicy Retain, and where a deletion is to revoke what the Secrets hold: on a foreground deletion, which
// is Argo CD's, the garbage collector would remove them before that. Then the finalizer's work includes their removal.
func ownerReference(token *v1alpha1.OAuthToken) *metav1.OwnerReference {
	if retains(token) || token.Spec.RevokeOnDelete {
		return nil
	}
	return metav1.NewControllerRef(token, v1alpha1.GroupVersion().WithKind("OAuthToken"))
}

// secret is the rendering as an object, for its creation.
func (r *rendering) secret() *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.name, Labels: r.labels, Annotations: r.annotations},
		Type:       r.secretType, Data: r.data,
	}
	if r.owner != nil {
		secret.OwnerReferences = []metav1.OwnerReference{*r.owner}
	}
	return secret
}

// apply is the rendering as a server-side apply onto exactly the object that was read.
func (r *rendering) apply(uid types.UID, resourceVersion string) *corev1ac.SecretApplyConfiguration {
	secret := corev1ac.Secret(r.name, r.namespace).WithUID(uid).WithResourceVersion(resourceVersion).
		WithLabels(r.labels).WithAnnotations(r.annotations).WithType(r.secretType).WithData(r.data)
	if o := r.owner; o != nil {
		secret.WithOwnerReferences(metav1ac.OwnerReference().WithAPIVersion(o.APIVersion).WithKind(o.Kind).WithName(o.Name).
			WithUID(o.UID).WithController(*o.Controller).WithBlockOwnerDeletion(*o.BlockOwnerDeletion))
	}
	return secret
}
