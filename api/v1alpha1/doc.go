// Package v1alpha1 is the API of Tokensync: the OAuthToken, which declares a token that is obtained from a vendor and kept fresh in a
// Secret.
//
// +kubebuilder:object:generate=true
// +groupName=tokensync.dev
package v1alpha1
