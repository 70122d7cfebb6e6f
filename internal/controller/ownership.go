package controller

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// standing is what a Secret of the target's name is to an OAuthToken.
type standing int

const (
	absent  standing = iota // there is none
	ours                    // written by the operator for this OAuthToken, or for one of its name before
	handed                  // somebody else's, handed over on purpose
	foreign                 // somebody else's: never written
)

// standingOf tells what a Secret is to an OAuthToken and, where it is foreign, in words for the user what to do. nil is absent.
func standingOf(token *v1alpha1.OAuthToken, secret *corev1.Secret) (standing, string) {
	if secret == nil {
		return absent, ""
	}
	owner := secret.Annotations[v1alpha1.OwnerAnnotation]
	controller := metav1.GetControllerOf(secret)
	if controller != nil && !isOAuthToken(controller, token.Name) {
		return foreign, fmt.Sprintf("Secret %q belongs to %s %q: set spec.target.name to another name, or let that go of the Secret",
			secret.Name, controller.Kind, controller.Name)
	}
	labelled := secret.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleTarget
	switch { // marks may have been removed by somebody
	case controller != nil && controller.UID == token.UID,
		owner == token.Name && (labelled || controller != nil || secret.Labels[managedByLabel] == fieldManager),
		owner == "" && labelled && controller != nil:
		return ours, ""
	case owner != "" && owner != token.Name:
		return foreign, fmt.Sprintf("Secret %q belongs to OAuthToken %q, which its annotation %s names: set spec.target.name to another name; "+
			"or delete that OAuthToken, and then the Secret, or hand it over with: %s", secret.Name, owner, v1alpha1.OwnerAnnotation, handOver(token, secret))
	case labelled && secret.Annotations[v1alpha1.AdoptByAnnotation] == token.Name:
		return handed, ""
	}
	return foreign, fmt.Sprintf("Secret %q exists and is not Tokensync's: set spec.target.name to another name, delete the Secret, "+
		"or hand it over with: %s", secret.Name, handOver(token, secret))
}

// handedFromAnother tells whether a Secret is handed over that says it belongs to an OAuthToken of another name, which may be gone.
func handedFromAnother(token *v1alpha1.OAuthToken, secret *corev1.Secret) bool {
	owner := secret.Annotations[v1alpha1.OwnerAnnotation]
	return owner != "" && owner != token.Name && metav1.GetControllerOf(secret) == nil &&
		secret.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleTarget && secret.Annotations[v1alpha1.AdoptByAnnotation] == token.Name
}

// handOver are the commands that hand a Secret over on purpose.
func handOver(token *v1alpha1.OAuthToken, secret *corev1.Secret) string {
	role, labelled := secret.Labels[v1alpha1.RoleLabel]
	_, annotated := secret.Annotations[v1alpha1.AdoptByAnnotation]
	return commandToSet("label", token.Namespace, secret.Name, v1alpha1.RoleLabel, v1alpha1.RoleTarget, labelled && role != v1alpha1.RoleTarget) +
		" && " + commandToSet("annotate", token.Namespace, secret.Name, v1alpha1.AdoptByAnnotation, token.Name, annotated)
}

// commandToSet is the kubectl command that sets a label or an annotation of a Secret. What has another value already is kept by kubectl, unless
// it is told to overwrite it.
func commandToSet(verb, namespace, secret, name, value string, overwrite bool) string {
	command := fmt.Sprintf("kubectl %s secret %s -n %s %s=%s", verb, secret, namespace, name, value)
	if overwrite {
		command += " --overwrite"
	}
	return command
}

// isOAuthToken tells whether an owner reference names an OAuthToken of this name, the present one or one before it.
func isOAuthToken(owner *metav1.OwnerReference, name string) bool {
	return owner.Kind == "OAuthToken" && owner.Name == name &&
		owner.APIVersion == v1alpha1.GroupVersion().String()
}

// unwritable tells, in words for the user, why a Secret can't be made what the spec wants, although it is ours.
func unwritable(token *v1alpha1.OAuthToken, secret *corev1.Secret) string {
	remedy := fmt.Sprintf("remove it, and it is made anew: kubectl delete secret %s -n %s", secret.Name, token.Namespace)
	switch {
	case secret.Type != targetType(token):
		return fmt.Sprintf("Secret %q is of type %s, and the type of a Secret can't be changed to %s: %s",
			secret.Name, secret.Type, targetType(token), remedy)
	case secret.Immutable != nil && *secret.Immutable:
		return fmt.Sprintf("Secret %q is immutable: %s", secret.Name, remedy)
	}
	return ""
}

// claim is an OAuthToken's wish for a target, as far as it decides between several.
type claim struct {
	name    string
	created metav1.Time
	uid     string
}

// before tells whether a claim has precedence: the older one, then the smaller UID.
func (c claim) before(other claim) bool {
	if !c.created.Equal(&other.created) {
		return c.created.Before(&other.created)
	}
	return c.uid < other.uid
}

func claimOf(token *v1alpha1.OAuthToken) claim {
	return claim{name: token.Name, created: token.CreationTimestamp, uid: string(token.UID)}
}
