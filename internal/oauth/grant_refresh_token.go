package oauth

import "time"

// refreshTokenGrant begins with a refresh token that was obtained elsewhere (RFC 6749, section 6).
type refreshTokenGrant struct{}

func (refreshTokenGrant) keys(Credentials) []string { return []string{"refresh_token"} }

func (refreshTokenGrant) check(Settings, *faults) {}

func (g refreshTokenGrant) parameters(f *Flow, _ time.Time) (form, error) {
	return joinForms(g.with(f.settings.Credentials["refresh_token"]), f.scopeForm()), nil
}

// with is the refresh of any grant.
func (refreshTokenGrant) with(refreshToken Sensitive) form {
	return form{"grant_type": NewSensitive("refresh_token"), "refresh_token": refreshToken}
}
