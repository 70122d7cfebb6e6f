package declaration

import (
	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/renewal"
)

// Renewal is what an OAuthToken states of when its token is renewed.
func Renewal(token *v1alpha1.OAuthToken) renewal.Policy {
	stated := token.Spec.Renewal
	if stated == nil {
		return renewal.Policy{}
	}
	return renewal.Policy{
		RenewBefore: stated.RenewBefore.Value(), RenewBeforePercentage: int(stated.RenewBeforePercentage), MaxTokenAge: stated.MaxTokenAge.Value(),
	}
}
