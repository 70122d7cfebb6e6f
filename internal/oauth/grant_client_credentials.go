package oauth

import "time"

// clientCredentialsGrant asks with nothing but the client's own credentials (RFC 6749, section 4.4.2).
type clientCredentialsGrant struct{}

func (clientCredentialsGrant) keys(Settings) []string { return nil }

func (clientCredentialsGrant) check(Settings, *faults) {}

func (clientCredentialsGrant) parameters(f *Flow, _ time.Time) (form, error) {
	return joinForms(form{"grant_type": NewSensitive("client_credentials")}, f.scopeForm()), nil
}
