package oauth

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Flow is a vendor, a grant and a client, checked against the catalogue: all that requests need but the time. It is immutable.
type Flow struct {
	// Vendor is the catalogue's entry.
	Vendor *Vendor
	// Grant is the one asked for, or the vendor's.
	Grant GrantType
	// Endpoints are resolved: the spec's, else the vendor's with its parameters filled in, else discovery's.
	Endpoints Endpoints
	// ClientAuthentication is the spec's, else the vendor's.
	ClientAuthentication ClientAuthentication
	// ClientID is public.
	ClientID string
	// Scopes are the spec's, else the vendor's for this grant.
	Scopes []string
	// UsedCredentials are the keys of the credentials Secret whose values shape the requests of this flow, sorted.
	UsedCredentials []string
	// CABundle is trusted beside the system's certificates.
	CABundle []byte

	settings    Settings
	hosts       hostRules
	tokenForm   form // parameters of the token request beside those of grant and client
	refreshForm form // the same of the refresh request

	authorizationForm form     // the same of the authorization request
	tokenScopes       []string // asked for in the token request of a code
	namesIssuer       bool     // the server announced to name itself in authorization answers (RFC 9207, section 3)
}

// NeedsDiscovery tells whether the token endpoint is to be found by discovery first (see WithMetadata).
func (f *Flow) NeedsDiscovery() bool {
	return f.Endpoints.IssuerURL != "" && f.Endpoints.TokenURL == ""
}

// NeedsAuthorizationEndpoint tells whether the authorization endpoint is to be found by discovery first (see WithMetadata).
func (f *Flow) NeedsAuthorizationEndpoint() bool {
	return f.Grant.interactive() && f.Endpoints.IssuerURL != "" && f.Endpoints.AuthorizationURL == ""
}

// NeedsRevocationEndpoint tells whether the revocation endpoint is to be found by discovery before a token is revoked (see WithMetadata).
func (f *Flow) NeedsRevocationEndpoint() bool {
	return f.Endpoints.IssuerURL != "" && f.Endpoints.RevocationURL == ""
}

// IsInteractive tells whether the grant begins with a person's consent in a browser.
func (f *Flow) IsInteractive() bool { return f.Grant.interactive() }

// WithMetadata returns a copy whose endpoints, where not stated, are those that discovery found. Each of them must be one to
// which the credentials may be sent; the error is a *ConfigError.
func (f *Flow) WithMetadata(m *Metadata) (*Flow, error) {
	var faults faults
	found := Endpoints{TokenURL: m.TokenEndpoint, AuthorizationURL: m.AuthorizationEndpoint, RevocationURL: m.RevocationEndpoint}
	for _, endpoint := range found.all() {
		f.hosts.check(&faults, "the discovered "+endpoint.field, *endpoint.url)
	}
	filled := *f
	filled.Endpoints.fillFrom(found)
	if filled.Endpoints.TokenURL == "" && f.Grant != Implicit { // whose token comes from the authorization endpoint
		faults.addSpec("discovery found no token endpoint: set spec.endpoints.tokenURL")
	}
	if filled.NeedsAuthorizationEndpoint() {
		faults.addSpec("discovery found no authorization endpoint: set spec.endpoints.authorizationURL")
	}
	filled.namesIssuer = m.AuthorizationResponseIssParameterSupported
	if err := faults.err(); err != nil {
		return nil, err
	}
	return &filled, nil
}

// TokenRequest is the grant's own request. With SAML2Bearer it holds an assertion that is signed at this call, or the ready one
// from the credentials (see ReadyAssertion). The error is a *ConfigError.
func (f *Flow) TokenRequest(now time.Time) (*Request, error) {
	if lacking := f.Lacking(); lacking != nil {
		return nil, lacking
	}
	parameters, err := grantOf(f.Grant).parameters(f, now)
	if err != nil {
		return nil, err
	}
	request := f.request(f.Endpoints.TokenURL, joinForms(f.tokenForm, parameters))
	_, ready := f.ReadyAssertion()
	request.refresh = f.Grant == RefreshToken
	request.once = request.refresh || ready
	return request, nil
}

// RefreshRequest asks for a token with a refresh token (RFC 6749, section 6). The client authenticates as it did when the
// refresh token was issued. No scope is sent unless the user stated one for the grant RefreshToken: without it, the scope stays
// as granted.
func (f *Flow) RefreshRequest(refreshToken Sensitive) *Request {
	parameters := refreshTokenGrant{}.with(refreshToken)
	if f.Grant == RefreshToken {
		parameters = joinForms(parameters, f.scopeForm())
	}
	request := f.request(f.Endpoints.TokenURL, joinForms(f.refreshForm, parameters))
	request.refresh, request.once = true, true
	return request
}

// RevocationRequest asks the server to forget a token (RFC 7009, section 2.1); nil where no revocation endpoint is known. The
// hint is access_token or refresh_token.
func (f *Flow) RevocationRequest(token Sensitive, hint string) *Request {
	if f.Endpoints.RevocationURL == "" {
		return nil
	}
	return f.request(f.Endpoints.RevocationURL, form{"token": token, "token_type_hint": NewSensitive(hint)})
}

// AssumedLifetime is the vendor's life of an access token whose answer does not tell; 0 where the vendor states none.
func (f *Flow) AssumedLifetime() time.Duration { return time.Duration(f.Vendor.Lifetimes.Assumed) }

// RefreshTokenLifetime is the vendor's absolute life of a refresh token; 0 where it is not known.
func (f *Flow) RefreshTokenLifetime() time.Duration {
	return time.Duration(f.Vendor.Lifetimes.RefreshToken)
}

// FailureHint is what the vendor's entry tells the user for a known failure, by its key there; empty: nothing.
func (f *Flow) FailureHint(failure string) string { return f.Vendor.FailureHints[failure] }

// RefreshTokenRotation says whether a refresh token can be spent only once.
func (f *Flow) RefreshTokenRotation() Rotation {
	return cmp.Or(f.Vendor.RefreshTokenRotation, RotationUnknown)
}

// Once is what a grant takes from the credentials that can be sent once; empty: nothing, or it is not there.
func (c Credentials) Once(grant GrantType) Sensitive {
	if grant == SAML2Bearer {
		assertion, _ := c.readyAssertion()
		return assertion
	}
	return c[grant.OnceKey()]
}

// Once is what the credentials hold, or would hold, that can be sent once, with its key; key is empty where nothing is. The value is empty where
// it is not there: what was sent may be tidied away, as long as what came of it serves.
func (f *Flow) Once() (key string, value Sensitive) {
	assertion, ready := f.ReadyAssertion()
	switch {
	case f.Grant.TakesRefreshToken():
		return f.Grant.OnceKey(), f.settings.Credentials[f.Grant.OnceKey()]
	case ready || f.AwaitsAssertion():
		return f.Grant.OnceKey(), assertion
	}
	return "", Sensitive{}
}

// Lacking is what the grant's own request lacks of what can be sent once; nil: nothing. What a person can bring in a browser is not lacking.
func (f *Flow) Lacking() *ConfigError {
	var faults faults
	switch key, value := f.Once(); {
	case key == "" || !value.IsEmpty() || f.IsInteractive():
		return nil
	case key == "assertion":
		faults.addCredentials("the credentials Secret holds no SAML assertion: put a fresh one under the key assertion, or let one be signed with " +
			"saml_signing_key, saml_signing_certificate and spec.saml2Bearer")
	default:
		faults.addMissing([]string{key})
	}
	lacking, _ := errors.AsType[*ConfigError](faults.err())
	return lacking
}

// AwaitsAssertion tells whether an assertion is to come with the credentials, and is not there.
func (f *Flow) AwaitsAssertion() bool { return f.Grant == SAML2Bearer && f.settings.awaitsAssertion() }

// ReadyAssertion is the assertion from the credentials, where this flow sends one. Such an assertion serves once.
func (f *Flow) ReadyAssertion() (Sensitive, bool) {
	if f.Grant != SAML2Bearer {
		return Sensitive{}, false
	}
	return f.settings.Credentials.readyAssertion()
}

// Format implements fmt.Formatter: a flow names its vendor and grant, whatever the verb. Its endpoints may hold values of a
// Secret.
func (f *Flow) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, f.Vendor.Name+" "+string(f.Grant))
}

// LogValue implements slog.LogValuer.
func (f *Flow) LogValue() slog.Value { return slog.StringValue(f.Vendor.Name + " " + string(f.Grant)) }
