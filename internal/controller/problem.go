package controller

import (
	"fmt"
	"strings"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// problem is why there is no new token: a reason, and what to do in words that stay the same for the same problem.
type problem struct {
	reason, message string
	waiting         bool // it ends without a person's doing anything about this OAuthToken
	authorize       bool // a person must authorize
	recheck         time.Duration
}

const (
	// recheckWorld is how soon something is looked at again that the cache can't tell of, such as an issuer.
	recheckWorld = 5 * time.Minute
	// recheckForeign is how soon a Secret that is not ours is looked for again: nothing tells that somebody has done about it what the message asks
	// for. It costs a read.
	recheckForeign = 30 * time.Second
	// recheckCredentials is how soon the credentials Secret is looked for again: one that appears without its label is not in the
	// cache, and the user is to be told.
	recheckCredentials = time.Minute
)

// configProblem is a fault in what the user stated.
func configProblem(err *oauth.ConfigError) *problem {
	return &problem{reason: string(err.Reason), message: err.Error()}
}

// failureProblem is a failed request, as status tells of it.
func failureProblem(f *v1alpha1.FailureStatus) *problem {
	return &problem{reason: f.Reason, message: f.Message, waiting: selfHealing(f.Reason), authorize: f.Reason == v1alpha1.ReasonAuthorizationRequired}
}

// selfHealing tells whether requests that fail for a reason are repeated soon: somebody's action is not needed.
func selfHealing(reason string) bool {
	switch reason {
	case v1alpha1.ReasonRateLimited, v1alpha1.ReasonVendorUnavailable, v1alpha1.ReasonMalformedResponse, v1alpha1.ReasonRefreshInterrupted:
		return true
	}
	return false
}

// What is told of a refresh token that may be spent, and what becomes of it where nothing else is left to ask with.
const (
	refreshLost = "the answer to a refresh was lost, and the refresh token may be spent: "
	leftAlone   = "it is left alone while a good token is served, until that token's end is near, and then tried again"
)

// interrupted is the problem that the answer to a refresh was lost. Again tells that nothing else is left to ask with.
func interrupted(flow *oauth.Flow, again bool) *problem {
	lost := &problem{reason: v1alpha1.ReasonRefreshInterrupted, waiting: true, authorize: flow.IsInteractive()}
	lost.message = refreshLost
	if !again {
		lost.message += "the next token is asked for without it"
		return lost
	}
	lost.message += leftAlone
	switch flow.Grant {
	case oauth.AuthorizationCode, oauth.Implicit:
		lost.message += "; whoever authorizes anew before, at the address in status.authorization.url, prevents a gap"
	case oauth.RefreshToken:
		lost.message += "; whoever puts a new one under the key refresh_token of the credentials Secret before prevents a gap"
	case oauth.SAML2Bearer:
		lost.message += "; whoever puts a fresh assertion under the key assertion of the credentials Secret before prevents a gap"
	case oauth.ClientCredentials, oauth.Password:
	}
	return lost
}

// pausedProblem is that the vendor asked others for a pause that holds for this OAuthToken too.
func pausedProblem() *problem {
	return &problem{
		reason: v1alpha1.ReasonRateLimited, waiting: true,
		message: "the vendor asked other OAuthTokens of this client or endpoint for a pause, which is kept: fewer of them cause fewer requests",
	}
}

// credentialsProblem is what keeps the credentials from being used; nil: nothing.
func credentialsProblem(o *observation) *problem {
	name, namespace := o.token.Spec.CredentialsSecretRef.Name, o.token.Namespace
	switch {
	case o.credentials.unlabelled:
		return &problem{reason: v1alpha1.ReasonCredentialsNotLabelled, recheck: recheckForeign, message: fmt.Sprintf(
			"Secret %q lacks the label by which its owner lets Tokensync use it: %s",
			name, commandToSet("label", namespace, name, v1alpha1.RoleLabel, v1alpha1.RoleCredentials, o.credentials.otherRole))}
	case o.credentials.secret == nil:
		return &problem{reason: v1alpha1.ReasonAwaitingCredentials, waiting: true, recheck: recheckCredentials, message: fmt.Sprintf(
			"Secret %q does not exist in this namespace yet: create it with the label %s=%s", name, v1alpha1.RoleLabel, v1alpha1.RoleCredentials)}
	}
	if _, faults := declaration.KeyMapping(o.credentials.secret); len(faults) > 0 {
		return &problem{reason: v1alpha1.ReasonCredentialsIncomplete, message: strings.Join(faults, "; ")}
	}
	return nil
}

func conflict(message string) *problem {
	return &problem{reason: v1alpha1.ReasonSecretConflict, message: message, recheck: recheckForeign}
}

// stateConflict is what keeps the state Secret from being written; nil: nothing.
func stateConflict(o *observation) *problem {
	if o.state == nil || isOurState(o.token, o.state) {
		return nil
	}
	return conflict(foreignState(o.token))
}

// conflictProblem is what keeps the target from being written; nil: nothing.
func conflictProblem(o *observation) *problem {
	if o.target.complaint != "" {
		return conflict(o.target.complaint)
	}
	for _, rival := range o.rivals { // empty where the target is ours: who has it keeps it
		if rival.before(claimOf(o.token)) {
			return conflict(fmt.Sprintf("OAuthToken %q, which is older, has the target Secret %q: set spec.target.name to another name, or delete one of the two",
				rival.name, targetName(o.token)))
		}
	}
	return nil
}

// savingProblem is that something could not be written to the state Secret yet; nil: nothing waits.
func savingProblem(o *observation) *problem {
	if !o.saving {
		return nil
	}
	if o.saves == tidy {
		return &problem{reason: v1alpha1.ReasonRefreshInterrupted, waiting: true, message: fmt.Sprintf(
			"what came of the last request could not be written to Secret %q yet, and nothing is requested before: "+
				"find out what keeps the API server from taking it", stateName(o.token))}
	}
	return &problem{reason: v1alpha1.ReasonRefreshInterrupted, waiting: true, message: fmt.Sprintf(
		"a new refresh token could not be written to Secret %q yet, and is held in the operator's memory alone: "+
			"find out what keeps the API server from taking it, and do not stop the operator", stateName(o.token))}
}

// templateProblem is a template that can't even be read; nil: none. It is found before a token is requested.
func templateProblem(token *v1alpha1.OAuthToken) *problem {
	faults := content.Faults(targetSpec(token))
	if len(faults) == 0 {
		return nil
	}
	return templateFailed(strings.Join(faults, "; "))
}

func templateFailed(fault string) *problem {
	return &problem{reason: v1alpha1.ReasonTemplateFailed, message: fault + ": correct spec.target.template"}
}

// refusedProblem says who refuses to let the target Secret be written.
func refusedProblem(name string, err error) *problem {
	return refusal(fmt.Sprintf("Secret %q", name), err, "compare spec.target with the cluster's policies", "change its policy or spec.target")
}

// refusedStateProblem says who refuses to let the state Secret be written, without which nothing that serves once is sent, and nobody is invited.
func refusedStateProblem(name string, err error) *problem {
	return refusal(fmt.Sprintf("the state Secret %q", name), err, "let the cluster's policies and the operator's role allow it", "let its policy allow it")
}

// refusal says who refuses to let a Secret be written, and what helps against a webhook and against others. The API server's own words may quote
// the Secret.
func refusal(what string, err error, others, webhooks string) *problem {
	others = "the Secret is not valid, or the operator lacks the right to write it: " + others
	return &problem{
		reason: v1alpha1.ReasonSecretConflict, waiting: true, recheck: recheckCredentials,
		message: fmt.Sprintf("the API server does not let %s be written: %s", what, obstacleOf(err, others, webhooks)),
	}
}

// obstacleOf is who refuses a write.
func obstacleOf(err error, others, webhooks string) string {
	text := wordsOf(err)
	if strings.Contains(text, "exceeded quota") {
		return "a ResourceQuota of the namespace is used up: raise it or remove a Secret"
	}
	if _, name, ok := strings.Cut(text, "admission webhook \""); ok {
		name, _, _ = strings.Cut(name, "\"")
		return fmt.Sprintf("admission webhook %q refuses it: %s", name, webhooks)
	}
	if _, name, ok := strings.Cut(text, "failed calling webhook \""); ok {
		name, _, _ = strings.Cut(name, "\"")
		return fmt.Sprintf("admission webhook %q does not answer: mend it", name)
	}
	return others
}

// fightProblem is that repairs do not hold.
func fightProblem(token *v1alpha1.OAuthToken) *problem {
	return &problem{reason: v1alpha1.ReasonSecretConflict, waiting: true, message: fmt.Sprintf(
		"something keeps changing or deleting Secret %[1]q: find it with kubectl get secret %[1]s -n %[2]s --show-managed-fields -o yaml; "+
			"until then the Secret is restored less and less often", targetName(token), token.Namespace)}
}
