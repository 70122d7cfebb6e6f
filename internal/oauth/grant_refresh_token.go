package oauth

import "time"

// refreshTokenGrant begins with a refresh token that was obtained elsewhere (RFC 6749, section 6).
type refreshTokenGrant struct{}

// keys leaves out a refresh token that is not there: once it was spent, only what came of it is needed, and it may be tidied away. Whether it
// is missing is for whoever keeps that (see Lacking).
func (refreshTokenGrant) keys(s Settings) []string {
	if s.Credentials != nil && s.Credentials["refresh_token"].IsEmpty() {
		return nil
	}
	return []string{"refresh_token"}
}

func (refreshTokenGrant) check(Settings, *faults) {}

func (g refreshTokenGrant) parameters(f *Flow, _ time.Time) (form, error) {
	return joinForms(g.with(f.settings.Credentials["refresh_token"]), f.scopeForm()), nil
}

// with is the refresh of any grant.
func (refreshTokenGrant) with(refreshToken Sensitive) form {
	return form{"grant_type": NewSensitive("refresh_token"), "refresh_token": refreshToken}
}
