package oauth

import (
	"strings"
	"time"
)

// grant is what a grant type demands and adds to the token request.
type grant interface {
	// keys are the keys of the credentials Secret that it needs beside those of client authentication, given what is there. Without
	// credentials they are those that a Secret is to be made with.
	keys(Settings) []string
	// check finds what is wrong with the settings that only this grant has. It is called with credentials.
	check(Settings, *faults)
	// parameters are those of the token request, grant_type included. The error is a *ConfigError.
	parameters(*Flow, time.Time) (form, error)
}

// grantOf returns the grant of a type. Types are checked before.
func grantOf(t GrantType) grant {
	switch t {
	case ClientCredentials:
		return clientCredentialsGrant{}
	case Password:
		return passwordGrant{}
	case RefreshToken:
		return refreshTokenGrant{}
	case SAML2Bearer:
		return saml2BearerGrant{}
	case AuthorizationCode:
		return codeGrant{}
	case Implicit:
	}
	return interactiveGrant{}
}

// scopeForm is the scope asked for (RFC 6749, section 3.3).
func (f *Flow) scopeForm() form {
	if len(f.Scopes) == 0 {
		return nil
	}
	return form{"scope": NewSensitive(strings.Join(f.Scopes, " "))}
}
