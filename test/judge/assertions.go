package judge

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"tokensync.dev/tokensync/internal/xmlsec"
)

const samlBearer = "urn:ietf:params:oauth:grant-type:saml2-bearer" // RFC 7522, section 2.1

// Trust lets whoever holds the key of a certificate (PEM) vouch for people.
func (j *Judge) Trust(certificate []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.assertions.trusted = certificate
}

// assertions is the grant that fosite lacks: RFC 7522, with fosite's tokens. xmlsec1 judges the signature.
type assertions struct {
	oauth2.HandleHelper

	trusted []byte
	life    time.Duration
}

// CanHandleTokenEndpointRequest implements fosite.TokenEndpointHandler.
func (a *assertions) CanHandleTokenEndpointRequest(_ context.Context, request fosite.AccessRequester) bool {
	return request.GetGrantTypes().ExactOne(samlBearer)
}

// CanSkipClientAuth implements fosite.TokenEndpointHandler.
func (a *assertions) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest implements fosite.TokenEndpointHandler.
func (a *assertions) HandleTokenEndpointRequest(ctx context.Context, request fosite.AccessRequester) error {
	if !a.CanHandleTokenEndpointRequest(ctx, request) {
		return fosite.ErrUnknownRequest
	}
	if !request.GetClient().GetGrantTypes().Has(samlBearer) {
		return fosite.ErrUnauthorizedClient
	}
	document, err := base64.URLEncoding.DecodeString(padded(request.GetRequestForm().Get("assertion"))) // RFC 7522, section 2.1: base64url
	if err != nil {
		return fosite.ErrInvalidGrant.WithHint("The assertion is not base64url.")
	}
	if err := xmlsec.Verify(ctx, document, a.trusted); err != nil {
		return fosite.ErrInvalidGrant.WithHintf("The assertion's signature is not good: %s", err)
	}
	request.GetSession().SetExpiresAt(fosite.AccessToken, time.Now().UTC().Add(a.life))
	return nil
}

// PopulateTokenEndpointResponse implements fosite.TokenEndpointHandler.
func (a *assertions) PopulateTokenEndpointResponse(ctx context.Context, request fosite.AccessRequester, response fosite.AccessResponder) error {
	if !a.CanHandleTokenEndpointRequest(ctx, request) {
		return fosite.ErrUnknownRequest
	}
	_, err := a.IssueAccessToken(ctx, a.life, request, response)
	return err
}

func padded(text string) string {
	for len(text)%4 != 0 {
		text += "="
	}
	return text
}
