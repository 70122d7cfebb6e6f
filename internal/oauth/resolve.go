package oauth

import (
	"cmp"
	"crypto/x509"
	"maps"
	"slices"
	"strings"
)

// Resolve checks what a user stated against the catalogue and returns all that requests need. The error is a *ConfigError that
// names every fault. While credentials are nil, what depends on them is not checked, and endpoints that may depend on them stay
// empty.
func (c *Catalogue) Resolve(s Settings) (*Flow, error) {
	r := resolution{settings: s, given: make(map[string]givenParameter), used: make(map[string]bool)}
	vendor, ok := c.Vendor(s.Vendor)
	if !ok {
		r.faults.addSpec("spec.vendor %s is not in the catalogue: use one of %s", quote(s.Vendor), strings.Join(c.Names(), ", "))
		return nil, r.faults.err()
	}
	r.vendor = vendor
	r.resolveGrant()
	r.resolveParameters()
	r.resolveScopes()
	r.resolveEndpoints()
	r.resolveClient()
	if err := r.faults.err(); err != nil {
		return nil, err
	}
	return r.flow(), nil
}

// resolution is a Flow in the making.
type resolution struct {
	settings       Settings
	vendor         *Vendor
	grant          GrantType // empty where it could not be found out
	given          map[string]givenParameter
	scopes         []string
	endpoints      Endpoints
	hosts          hostRules
	authentication ClientAuthentication
	used           map[string]bool // keys of the credentials Secret
	faults         faults
}

// flow is the outcome of a resolution without faults.
func (r *resolution) flow() *Flow {
	return &Flow{
		Vendor:               r.vendor,
		Grant:                r.grant,
		Endpoints:            r.endpoints,
		ClientAuthentication: r.authentication,
		ClientID:             r.settings.Credentials["client_id"].Reveal(),
		Scopes:               r.scopes,
		UsedCredentials:      slices.Sorted(maps.Keys(r.used)),
		CABundle:             r.settings.CABundle,
		settings:             r.settings,
		hosts:                r.hosts,
		tokenForm:            r.form(InTokenRequest),
		refreshForm:          r.form(InRefreshRequest),
		authorizationForm:    r.form(InAuthorizationRequest),
		tokenScopes:          r.tokenScopes(),
	}
}

// resolveGrant takes the user's grant, or the vendor's.
func (r *resolution) resolveGrant() {
	grant := cmp.Or(r.settings.Grant, r.vendor.preferredGrant())
	grants := joinTexts(slices.Sorted(maps.Keys(r.vendor.Grants)))
	if _, served := r.vendor.Grants[grant]; served {
		r.grant = grant
	}
	switch {
	case grant == "":
		r.faults.addSpec("spec.grantType is missing: vendor %s has no preferred grant; use one of %s", r.vendor.Name, grants)
	case r.grant == "":
		r.faults.addSpec("spec.grantType %s is not served by vendor %s: use one of %s", quote(string(grant)), r.vendor.Name, grants)
	default:
		r.checkTurnedOn()
	}
}

// checkTurnedOn names each switch of the manager without which the grant is not served.
func (r *resolution) checkTurnedOn() {
	if r.grant == Implicit && !r.settings.EnableImplicit {
		r.faults.addSpec("spec.grantType Implicit is turned off: use AuthorizationCode, or start the manager with --enable-implicit")
	}
	if r.grant.interactive() && !r.settings.EnableInteractive {
		instead := ""
		if r.grant.TakesRefreshToken() {
			instead = "put a refresh token that was obtained elsewhere under the key refresh_token of the credentials Secret, "
		}
		r.faults.addSpec("spec.grantType %s needs a person's consent in a browser, and the portal is turned off: use a grant that needs none, "+
			"%sor start the manager with --portal-bind-address and --portal-url", r.grant, instead)
	}
}

// preferredGrant is the grant where the user names none; empty where the entry leaves the choice to the user.
func (v *Vendor) preferredGrant() GrantType {
	for grant, details := range v.Grants {
		if details.Preferred || len(v.Grants) == 1 {
			return grant
		}
	}
	return ""
}

// resolveScopes takes the user's scopes, or the vendor's for this grant.
func (r *resolution) resolveScopes() {
	details := r.vendor.Grants[r.grant]
	if len(r.settings.Scopes) == 0 {
		r.scopes = slices.Clone(details.Scopes)
		return
	}
	r.scopes = slices.Clone(r.settings.Scopes)
	if details.NoScope {
		r.faults.addSpec("spec.scopes must be empty: vendor %s takes no scopes with grant %s", r.vendor.Name, r.grant)
	}
	for _, scope := range r.scopes {
		if !isScopeToken(scope) {
			r.faults.addSpec("spec.scopes: %s is no scope; list each scope by itself, without spaces and quotes", quote(scope))
		}
	}
}

// tokenScopes are the scopes of a code's token request, for vendors that want them there as well: the user's, else the vendor's.
func (r *resolution) tokenScopes() []string {
	vendors := r.vendor.Grants[r.grant].TokenScopes
	if len(vendors) == 0 || len(r.settings.Scopes) == 0 {
		return slices.Clone(vendors)
	}
	return slices.Clone(r.settings.Scopes)
}

// isScopeToken follows scope-token in RFC 6749, section 3.3.
func isScopeToken(scope string) bool {
	return scope != "" && !strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// resolveClient settles how the client authenticates, and checks that the credentials hold what is needed.
func (r *resolution) resolveClient() {
	r.authentication = cmp.Or(
		r.settings.ClientAuthentication, r.vendor.Grants[r.grant].ClientAuthentication, r.vendor.ClientAuthentication)
	if !r.authentication.known() {
		r.faults.addSpec("spec.clientAuthentication %s is not known: use ClientSecretBasic, ClientSecretPost or None",
			quote(string(r.authentication)))
	}
	if len(r.settings.CABundle) > 0 && !x509.NewCertPool().AppendCertsFromPEM(r.settings.CABundle) {
		r.faults.addSpec("spec.caBundle holds no certificate: put certificates in PEM there, base64-encoded as a whole")
	}
	if r.settings.Credentials != nil {
		r.checkCredentials()
	}
}

// checkCredentials names what is missing, and marks what is used.
func (r *resolution) checkCredentials() {
	keys := credentialKeys(r.grant, r.authentication, r.settings)
	if r.grant != "" {
		grantOf(r.grant).check(r.settings, &r.faults)
	}
	var missing []string
	for _, key := range slices.Sorted(slices.Values(keys)) {
		if r.settings.Credentials[key].IsEmpty() {
			missing = append(missing, key)
		}
		r.useCredential(key)
	}
	if len(missing) > 0 {
		r.faults.addMissing(missing)
	}
}

// addMissing adds that keys of the credentials Secret are missing.
func (f *faults) addMissing(keys []string) {
	f.addCredentials("the credentials Secret lacks %s: add what is missing, or map existing keys with the annotation "+
		"tokensync.dev/keys", strings.Join(keys, ", "))
}

// joinTexts lists names of any string type.
func joinTexts[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}
