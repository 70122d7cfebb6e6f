package main

import (
	"bytes"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// byHand are the field managers of persons, who mind no other person's change.
func byHand(manager string) bool {
	return manager == "kubectl-edit" || manager == "kubectl-patch"
}

// suspendOwners are the field managers beside the plugin that state spec.suspend of an OAuthToken, such as what delivers it from Git.
func suspendOwners(token *v1alpha1.OAuthToken) []string {
	var owners []string
	for _, entry := range token.ManagedFields {
		if entry.Manager != fieldManager && entry.Subresource == "" && owns(entry, "spec", "suspend") {
			owners = append(owners, entry.Manager)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(owners)))
}

func owns(entry metav1.ManagedFieldsEntry, path ...any) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	var fields fieldpath.Set
	return fields.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())) == nil && fields.Has(fieldpath.MakePathOrDie(path...))
}

// statedElsewhere tells who keeps a change of spec.suspend from being made, and what to do.
func statedElsewhere(owners []string) string {
	return "spec.suspend is stated by " + strings.Join(owners, ", ") + ": change it there (in Git, for an object that is delivered from it), " +
		"or take it over with --force-conflicts"
}
