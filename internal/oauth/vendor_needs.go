package oauth

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
)

// CredentialKeys are the keys that a credentials Secret for a grant holds, but for parameters, sorted. Where there is a choice, they are those
// of what works for long: a signing key and not a ready assertion.
func (v *Vendor) CredentialKeys(g GrantType) []string {
	authentication := cmp.Or(v.Grants[g].ClientAuthentication, v.ClientAuthentication)
	return slices.Sorted(slices.Values(credentialKeys(g, authentication, Settings{})))
}

// credentialKeys are the keys that a grant needs, given what is stated.
func credentialKeys(g GrantType, authentication ClientAuthentication, stated Settings) []string {
	keys := []string{"client_id"}
	if authentication != None && g != Implicit { // the implicit grant has no request that could carry a secret
		keys = append(keys, "client_secret")
	}
	if g != "" {
		keys = append(keys, grantOf(g).keys(stated)...)
	}
	return keys
}

// FreeHosts are the parameters that a host of the entry's endpoints depends on, and whose values the entry does not list: credentials go
// there only where their owner says so, as by putting the parameter into the credentials Secret. Sorted.
func (v *Vendor) FreeHosts() []string {
	free := map[string]bool{}
	for _, endpoint := range v.Endpoints.all() {
		template, err := parseEndpointTemplate(*endpoint.url)
		if err != nil {
			continue
		}
		for _, name := range template.hostParameters() {
			if len(v.Parameters[name].Values) == 0 {
				free[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(free))
}

// ParameterNames are the names of all that the request's body holds, sorted. Values are not told.
func (r *Request) ParameterNames() []string {
	values, err := url.ParseQuery(r.body.Reveal())
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(values))
}
