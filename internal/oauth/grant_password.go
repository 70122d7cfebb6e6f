package oauth

import "time"

// passwordGrant asks with a user's name and password (RFC 6749, section 4.3.2). RFC 9700, section 2.4, forbids it; some vendors
// offer nothing else.
type passwordGrant struct{}

func (passwordGrant) keys(Settings) []string { return []string{"username", "password"} }

func (passwordGrant) check(Settings, *faults) {}

func (passwordGrant) parameters(f *Flow, _ time.Time) (form, error) {
	user := form{
		"grant_type": NewSensitive("password"),
		"username":   f.settings.Credentials["username"],
		"password":   f.settings.Credentials["password"],
	}
	return joinForms(user, f.scopeForm()), nil
}
