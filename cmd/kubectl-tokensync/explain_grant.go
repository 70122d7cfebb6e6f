package main

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// explainGrant writes what a grant needs and what is sent.
func explainGrant(out io.Writer, catalogue *oauth.Catalogue, vendor *oauth.Vendor, grant oauth.GrantType) error {
	flow, err := exampleFlow(catalogue, vendor, grant)
	if err != nil {
		return fmt.Errorf("grant %s: %w", grant, err)
	}
	details := vendor.Grants[grant]
	preferred := ""
	if details.Preferred || len(vendor.Grants) == 1 {
		preferred = " (what is used where spec.grantType is left out)"
	}
	_, _ = fmt.Fprintf(out, "\nGRANT %s%s\n", grant, preferred)
	say := func(name, words string) { _, _ = fmt.Fprintf(out, "  %-16s %s\n", name, words) }
	say("Secret's keys", strings.Join(vendor.CredentialKeys(grant), ", "))
	if grant == oauth.SAML2Bearer {
		say("", "or, instead of the signing key and certificate, a ready assertion under the key assertion, which is sent once")
	}
	switch {
	case details.NoScope:
		say("scopes", "none are taken")
	case len(details.Scopes) > 0:
		say("scopes", strings.Join(details.Scopes, " ")+" (where spec.scopes is left out)")
	default:
		say("scopes", "those of spec.scopes")
	}
	if grant != oauth.Implicit {
		say("client", map[oauth.ClientAuthentication]string{
			oauth.ClientSecretBasic: "client_id and client_secret in the Authorization header (ClientSecretBasic)",
			oauth.ClientSecretPost:  "client_id and client_secret in the body (ClientSecretPost)",
			oauth.None:              "client_id in the body, no secret (None)",
		}[flow.ClientAuthentication])
	}
	for _, request := range sentBy(flow) {
		say(request.name, request.names)
	}
	for _, remark := range remarksOn(grant) {
		say("note", remark)
	}
	return nil
}

func remarksOn(grant oauth.GrantType) []string {
	switch grant {
	case oauth.Password:
		return []string{"RFC 9700, section 2.4, forbids this grant: use another one where the vendor has it"}
	case oauth.Implicit:
		return []string{"RFC 9700, section 2.1.2, discourages this grant; the manager takes it with --enable-implicit only", "a person consents in a browser, each time a token is due: kubectl tokensync authorize"}
	case oauth.AuthorizationCode:
		return []string{"a person consents in a browser, once for as long as the refresh token lives: kubectl tokensync authorize"}
	case oauth.RefreshToken:
		return []string{"the refresh token in the Secret is spent once, by one OAuthToken; what comes back is kept in a Secret of the operator's"}
	case oauth.ClientCredentials, oauth.SAML2Bearer:
	}
	return nil
}

// exampleFlow is what the example manifest asks for, with a ready assertion instead of a key that can't sign.
func exampleFlow(catalogue *oauth.Catalogue, vendor *oauth.Vendor, grant oauth.GrantType) (*oauth.Flow, error) {
	file, err := readManifest(strings.NewReader(example(vendor, grant)), "default")
	if err != nil {
		return nil, err
	}
	token, secret := file.tokens[0], file.secrets[0]
	if grant == oauth.SAML2Bearer {
		delete(secret.Data, "saml_signing_key")
		delete(secret.Data, "saml_signing_certificate")
		secret.Data["assertion"] = []byte(placeholder)
	}
	return catalogue.Resolve(declaration.Settings(token, secret, declaration.Platform{PortalURL: somePortal, EnableImplicit: true}))
}

// sent is a kind of request, and the names of what it holds.
type sent struct{ name, names string }

// sentBy are the requests of a flow.
func sentBy(flow *oauth.Flow) []sent {
	var all []sent
	something := oauth.NewSensitive(placeholder)
	add := func(name string, names []string) { all = append(all, sent{name, strings.Join(names, ", ")}) }
	if flow.IsInteractive() {
		add("browser sends", browserSends(flow))
	}
	switch flow.Grant {
	case oauth.Implicit:
	case oauth.AuthorizationCode:
		add("token request", flow.CodeRequest(something, something, somePortal).ParameterNames())
		add("refresh request", flow.RefreshRequest(something).ParameterNames())
	case oauth.Password:
		addTokenRequest(flow, add)
		add("refresh request", flow.RefreshRequest(something).ParameterNames())
	case oauth.ClientCredentials, oauth.SAML2Bearer, oauth.RefreshToken:
		addTokenRequest(flow, add)
	}
	return all
}

func addTokenRequest(flow *oauth.Flow, add func(string, []string)) {
	if request, err := flow.TokenRequest(time.Time{}); err == nil {
		add("token request", request.ParameterNames())
	}
}

// browserSends are the names of what the browser brings to the authorization endpoint.
func browserSends(flow *oauth.Flow) []string {
	request, err := flow.AuthorizationRequest(somePortal)
	if err != nil {
		return nil
	}
	address, err := url.Parse(request.Start(oauth.NewSensitive(placeholder), oauth.NewSensitive(placeholder)))
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(address.Query()))
}
