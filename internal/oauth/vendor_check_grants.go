package oauth

import (
	"maps"
	"slices"
)

// checkGrants checks every grant of an entry, and that at most one is preferred.
func (f *vendorFaults) checkGrants() {
	if len(f.vendor.Grants) == 0 {
		f.add("grants: must hold at least one grant")
	}
	preferred := 0
	for _, grant := range slices.Sorted(maps.Keys(f.vendor.Grants)) {
		details := f.vendor.Grants[grant]
		if details.Preferred {
			preferred++
		}
		f.checkGrant("grants."+string(grant), grant, details)
	}
	if preferred > 1 {
		f.add("grants: at most one may be preferred")
	}
}

func (f *vendorFaults) checkGrant(path string, grant GrantType, details VendorGrant) {
	if !grant.known() {
		f.add("%s: is no grant; the grants are ClientCredentials, Password, AuthorizationCode, Implicit, SAML2Bearer, RefreshToken", path)
	}
	if details.NoScope && len(details.Scopes) > 0 {
		f.add("%s.scopes: must be empty, since noScope is true", path)
	}
	if details.NoScope && len(details.TokenScopes) > 0 {
		f.add("%s.tokenScopes: must be empty, since noScope is true", path)
	}
	f.checkScopes(path+".scopes", details.Scopes)
	f.checkScopes(path+".tokenScopes", details.TokenScopes)
	if details.ClientAuthentication != "" {
		f.checkAuthentication(path+".clientAuthentication", details.ClientAuthentication)
	}
	f.checkFixed(path+".tokenParameters", details.TokenParameters)
	f.checkFixed(path+".authorizationParameters", details.AuthorizationParameters)
	if len(details.AuthorizationParameters) > 0 && !grant.interactive() {
		f.add("%s.authorizationParameters: have no use, since this grant has no authorization request", path)
	}
	if details.NoPKCE && grant != AuthorizationCode {
		f.add("%s.noPKCE: is only for AuthorizationCode", path)
	}
	if len(details.TokenScopes) > 0 && grant != AuthorizationCode {
		f.add("%s.tokenScopes: are only for AuthorizationCode", path)
	}
	if details.Assertion != (AssertionFormat{}) && grant != SAML2Bearer {
		f.add("%s.assertion: is only for SAML2Bearer", path)
	}
	checkAssertionFormat(path+".assertion.", details.Assertion, f.add)
}

func (f *vendorFaults) checkScopes(path string, scopes []string) {
	for i, scope := range scopes {
		if !isScopeToken(scope) {
			f.add("%s[%d]: is no scope; list each by itself, without spaces and quotes", path, i)
		}
	}
}

// checkFixed refuses fixed parameters that would replace those of the protocol.
func (f *vendorFaults) checkFixed(path string, parameters map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if !sentName.MatchString(name) || isProtocolParameter(name) {
			f.add("%s.%s: the name belongs to the protocol, or is not of letters, digits and _ . : -", path, name)
		}
		if parameters[name] == "" {
			f.add("%s.%s: must not be empty", path, name)
		}
	}
}
