package controller

import (
	"cmp"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// means is what a token is asked for with.
type means int

const (
	byGrant     means = iota // the grant itself, as often as needed
	byRefresh                // the refresh token in the state Secret: once
	bySeed                   // the first refresh token in the credentials Secret: once
	byAssertion              // the ready assertion in the credentials Secret: once
	byCode                   // the code that a browser brought: once
	byFragment               // the token itself, which a browser brought: nothing is sent
)

// exchange is how the next token is to be asked for.
type exchange struct {
	means      means
	credential oauth.Sensitive  // what is spent; empty with byGrant
	notBefore  time.Time        // the credential is to be left alone until then; zero: not
	attempt    *consent.Attempt // the browser's, with byCode and byFragment
}

// once tells whether the exchange spends something, so that an intent must be written before.
func (e exchange) once() bool { return e.means != byGrant && e.means != byFragment }

// binding names, without a key that could be lost, the client and the endpoint that a refresh token is good for.
func binding(flow *oauth.Flow) string {
	return hashToken(flow.ClientID + "\n" + cmp.Or(flow.Endpoints.TokenURL, flow.Endpoints.IssuerURL))
}

// holdsRefreshToken tells whether there is a refresh token that this flow may spend.
func holdsRefreshToken(now time.Time, flow *oauth.Flow, k keepsake) bool {
	return !k.RefreshToken.IsEmpty() && !ended(now, k) && belongs(flow, k)
}

// belongs tells whether the refresh token that is kept is one for this flow: for its client and endpoint, and for a grant that uses it.
func belongs(flow *oauth.Flow, k keepsake) bool {
	return keepsRefreshTokens(flow) && (k.Binding == "" || k.Binding == binding(flow))
}

// usable is a keepsake without a refresh token that is not for this flow: it is kept for the day on which the spec is again as it was, and until
// then nothing is to be told of it. A flow that is not known says nothing.
func usable(flow *oauth.Flow, k keepsake) keepsake {
	if flow == nil || belongs(flow, k) {
		return k
	}
	return k.holding(refreshToken{})
}

// ended tells whether the refresh token that is kept is past its end, as far as that is known.
func ended(now time.Time, k keepsake) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// chooseExchange decides how the next token is asked for: a first refresh token that was not sent yet, the refresh token that is held,
// the grant itself. Where nothing is left, the problem says what a person must do. served is the token in the target, if good.
func chooseExchange(now time.Time, flow *oauth.Flow, o *observation, k keepsake, served *record) (exchange, *problem) {
	first, ok, taken := seedExchange(flow, o, k)
	if ok {
		first.notBefore = fence(now, k)
		return first, nil
	}
	primary, obstacle := primaryExchange(flow, o, k)
	if obstacle != nil && k.Consent.Unrefreshable && k.RefreshToken.IsEmpty() && flow.Grant == oauth.AuthorizationCode {
		obstacle.message = missingRefreshToken(flow) + " Open the address in status.authorization.url"
	}
	if !holdsRefreshToken(now, flow, k) {
		switch {
		case taken != nil && !flow.IsInteractive(): // whoever has it keeps nobody from asking a person
			obstacle = taken
		case flow.Grant == oauth.RefreshToken && k.RefreshToken.IsEmpty() && len(k.Spent) == 0 && flow.Lacking() != nil:
			obstacle = configProblem(flow.Lacking())
		case obstacle == nil || k.RefreshToken.IsEmpty():
		case flow.Grant == oauth.RefreshToken && !belongs(flow, k):
			obstacle.message = "the refresh token that is kept is of another client_id or token endpoint than are stated now: state those again, " +
				"or put a new one under the key refresh_token of the credentials Secret"
		case ended(now, k) && flow.Grant != oauth.SAML2Bearer: // which needs nobody to authorize, but a fresh assertion
			obstacle = personNeeded(flow, v1alpha1.ReasonRefreshTokenExpired)
		}
		return primary, obstacle
	}
	refresh := exchange{means: byRefresh, credential: k.RefreshToken}
	if k.Intent == nil || flow.RefreshTokenRotation() == oauth.RotationNo {
		refresh.notBefore = fence(now, k)
		return refresh, nil
	}
	if obstacle == nil {
		return primary, nil // the refresh token may be spent, and there is another way
	}
	refresh.notBefore = later(fence(now, k), lastTenth(served))
	return refresh, nil
}

// fence is until when an unfinished use keeps everybody else from the credential. A deadline far ahead was set by a clock that has been
// corrected since.
func fence(now time.Time, k keepsake) time.Time {
	if k.Intent == nil || k.Intent.Deadline.IsZero() || k.Intent.Deadline.After(now.Add(time.Hour)) {
		return time.Time{}
	}
	return k.Intent.Deadline.Add(graceAfterDeadline)
}

// lastTenth is when a tenth of a served token's life remains: until then a refresh token that may be spent is left alone, so that a
// person has time to act.
func lastTenth(served *record) time.Time {
	if served == nil {
		return time.Time{}
	}
	return served.ExpiresAt.Add(-served.ExpiresAt.Sub(served.IssuedAt) / 10)
}

// primaryExchange is the grant itself, where it needs no person and has not been used up.
func primaryExchange(flow *oauth.Flow, o *observation, k keepsake) (exchange, *problem) {
	switch flow.Grant {
	case oauth.ClientCredentials, oauth.Password:
		return exchange{means: byGrant}, nil
	case oauth.SAML2Bearer:
		return assertionExchange(flow, o, k)
	case oauth.RefreshToken, oauth.AuthorizationCode, oauth.Implicit:
	}
	return exchange{}, personNeeded(flow, v1alpha1.ReasonAuthorizationRequired)
}

// personNeeded is the problem that only a person's consent, or a refresh token obtained by one, ends.
func personNeeded(flow *oauth.Flow, reason string) *problem {
	why, remedy := "", "somebody must authorize: open the address in status.authorization.url"
	if flow.Grant == oauth.RefreshToken {
		why, remedy = "the refresh token was used up or is refused: ", "put a new one under the key refresh_token of the credentials Secret"
	}
	if reason == v1alpha1.ReasonRefreshTokenExpired {
		why = "the refresh token is past its end: "
	}
	return &problem{reason: reason, message: why + remedy, authorize: true}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
