package main

import (
	"bytes"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// delivers tells whether a field manager writes again and again what is stated elsewhere, in Git for example: whoever applies on the server
// side does, and so do the tools that are known to write whole objects in other ways. Others are persons, at a terminal or in a user
// interface (that of Argo CD is argocd-server), who mind no other person's change.
func delivers(entry metav1.ManagedFieldsEntry) bool {
	if entry.Operation == metav1.ManagedFieldsOperationApply {
		return true
	}
	switch strings.ToLower(entry.Manager) {
	case "kubectl-client-side-apply", "argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller", "helm",
		"fleetagent", "terraform", "hashicorp", "pulumi-kubernetes":
		return true
	}
	return false
}

// owner is a field manager that states spec.suspend.
type owner struct {
	manager  string
	delivers bool
}

// suspendOwners are the field managers beside the plugin that state spec.suspend of an OAuthToken, such as what delivers it from Git.
func suspendOwners(token *v1alpha1.OAuthToken) []owner {
	var owners []owner
	for _, entry := range token.ManagedFields {
		if entry.Manager != fieldManager && entry.Subresource == "" && owns(entry, "spec", "suspend") {
			owners = append(owners, owner{entry.Manager, delivers(entry)})
		}
	}
	return owners
}

func owns(entry metav1.ManagedFieldsEntry, path ...any) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	var fields fieldpath.Set
	return fields.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())) == nil && fields.Has(fieldpath.MakePathOrDie(path...))
}

// statedElsewhere tells who keeps a change of spec.suspend from being made, and what to do.
func statedElsewhere(owners []owner) string {
	var names []string
	for _, one := range owners {
		names = append(names, one.manager)
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	return "spec.suspend is stated by " + strings.Join(names, ", ") + ": change it there (in Git, for an object that is delivered from it), " +
		"or take it over with --force-conflicts"
}
