package oauth

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// givenParameter is the value of a parameter and where it came from.
type givenParameter struct {
	value      string
	fromSecret bool
}

// sentName is the form of names under which parameters are sent. Brackets, spaces and the like are read by some servers as another
// parameter's name.
var sentName = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,100}$`)

// isProtocolParameter tells whether a name is one of OAuth's own, which only the grant and the client authentication may set. Case
// and dots don't hide it: some servers read Client_Id and client.id as client_id.
func isProtocolParameter(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), ".", "_")
	switch name {
	case "grant_type", "client_id", "client_secret", "assertion", "username", "password", "code", "code_verifier", "redirect_uri",
		"state", "nonce", "response_type", "response_mode", "request", "request_uri", "refresh_token", "scope":
		return true
	}
	return strings.HasPrefix(name, "client_assertion") || strings.HasPrefix(name, "code_challenge")
}

// isCredentialsKey tells whether a name is a key of the credentials Secret with a meaning of its own.
func isCredentialsKey(name string) bool {
	switch name {
	case "client_id", "client_secret", "username", "password", "refresh_token", "assertion", "saml_signing_key",
		"saml_signing_certificate":
		return true
	}
	return false
}

// checkSentNames refuses names of the protocol in a map of the spec.
func checkSentNames(field string, parameters map[string]string, faults *faults) {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		switch {
		case !sentName.MatchString(name):
			faults.addSpec("%s: the name %s must be of letters, digits and _ . : -", field, quote(name))
		case strings.EqualFold(name, "scope"):
			faults.addSpec("%s must not hold scope: use spec.scopes", field)
		case isProtocolParameter(name):
			faults.addSpec("%s must not hold %s: it belongs to the protocol and is set by tokensync", field, name)
		}
	}
}

// takenWith tells whether the parameter belongs to a grant.
func (p Parameter) takenWith(grant GrantType) bool {
	return len(p.Grants) == 0 || slices.Contains(p.Grants, grant)
}

// canonical returns the value that a way of writing stands for; false where the value is not allowed.
func (p Parameter) canonical(value string) (string, bool) {
	if len(p.Values) == 0 {
		return value, true
	}
	for _, allowed := range p.Values {
		if allowed.Value == value || slices.Contains(allowed.Aliases, value) {
			return allowed.Value, true
		}
	}
	return "", false
}

// allowedValues are the values for a message.
func (p Parameter) allowedValues() string {
	values := make([]string, 0, len(p.Values))
	for _, allowed := range p.Values {
		values = append(values, strings.Join(append([]string{allowed.Value}, allowed.Aliases...), " or "))
	}
	return strings.Join(values, ", ")
}

// applies tells whether the placement is taken, given the values of other parameters.
func (p Placement) applies(value func(name string) string) bool {
	for name, values := range p.When {
		if !slices.Contains(values, value(name)) {
			return false
		}
	}
	return true
}
