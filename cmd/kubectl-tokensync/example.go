package main

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/oauth"
)

// placeholder stands where a user puts a value.
const placeholder = "change-me"

// exampleHost stands where a user puts a host of the vendor.
const exampleHost = "login.example.com"

// example writes the manifests for a vendor and a grant: a credentials Secret and an OAuthToken, to start from. It is accepted as it is by the
// API server and by the catalogue.
func example(vendor *oauth.Vendor, grant oauth.GrantType) string {
	e := exampleText{vendor: vendor, grant: grant}
	e.line(0, "# %s, grant %s. %s", vendor.Title, grant, vendor.Documentation)
	e.secret()
	e.line(0, "---")
	e.token()
	return e.text.String()
}

type exampleText struct {
	vendor *oauth.Vendor
	grant  oauth.GrantType
	text   strings.Builder
}

func (e *exampleText) line(depth int, format string, values ...any) {
	e.text.WriteString(strings.Repeat("  ", depth) + strings.TrimRight(fmt.Sprintf(format, values...), " ") + "\n")
}

// value writes a key and its value, as YAML wants it.
func (e *exampleText) value(depth int, key, value string) {
	written, err := yaml.Marshal(map[string]string{key: value})
	if err != nil {
		panic("a text does not encode") // yaml.Marshal fails on no map of strings
	}
	for line := range strings.SplitSeq(strings.TrimRight(string(written), "\n"), "\n") {
		e.line(depth, "%s", line)
	}
}

func (e *exampleText) secret() {
	e.line(0, "apiVersion: v1\nkind: Secret\nmetadata:")
	e.value(1, "name", e.vendor.Name+"-client")
	e.line(1, "labels:\n    tokensync.dev/role: credentials # its owner lets Tokensync use it")
	if e.vendor.AcceptsAnyParameter && e.vendor.Endpoints == (oauth.Endpoints{}) {
		e.line(1, "annotations:\n    tokensync.dev/allowed-hosts: %s # where its content may be sent", exampleHost)
	}
	e.line(0, "stringData:")
	for _, key := range e.vendor.CredentialKeys(e.grant) {
		e.value(1, key, exampleCredential(key))
	}
	for _, name := range e.required() {
		if slices.Contains(e.vendor.FreeHosts(), name) {
			e.parameter(1, name, exampleHost)
		}
	}
}

// exampleCredential is a value in the form that a key has.
func exampleCredential(key string) string {
	switch key {
	case "saml_signing_key":
		return "-----BEGIN PRIVATE KEY-----\n" + placeholder + "\n-----END PRIVATE KEY-----\n"
	case "saml_signing_certificate":
		return "-----BEGIN CERTIFICATE-----\n" + placeholder + "\n-----END CERTIFICATE-----\n"
	}
	return placeholder
}

func (e *exampleText) token() {
	e.line(0, "apiVersion: tokensync.dev/v1alpha1\nkind: OAuthToken\nmetadata:")
	e.value(1, "name", e.vendor.Name)
	e.line(0, "spec:")
	e.value(1, "vendor", e.vendor.Name)
	e.value(1, "grantType", string(e.grant))
	e.line(1, "credentialsSecretRef:")
	e.value(2, "name", e.vendor.Name+"-client")
	e.parameters()
	e.endpoints()
	if e.grant == oauth.SAML2Bearer {
		e.line(1, "saml2Bearer: # what the assertion says that is signed with saml_signing_key")
		e.value(2, "issuer", "https://idp.example.com/metadata")
		e.value(2, "subject", "user@example.com")
	}
}

func (e *exampleText) parameters() {
	free, begun := e.vendor.FreeHosts(), false
	for _, name := range e.required() {
		if slices.Contains(free, name) {
			continue
		}
		if !begun {
			e.line(1, "parameters:")
			begun = true
		}
		value := placeholder
		if values := e.vendor.Parameters[name].Values; len(values) > 0 {
			value = values[0].Value
		}
		e.parameter(2, name, value)
	}
}

// parameter writes a parameter under what the catalogue says of it.
func (e *exampleText) parameter(depth int, name, value string) {
	about := e.vendor.Parameters[name]
	e.line(depth, "# %s", oneLine(about.Description))
	if len(about.Values) > 1 {
		e.line(depth, "# One of %s.", strings.Join(valuesOf(about), ", "))
	}
	e.value(depth, name, value)
}

// endpoints are the user's where the entry has none.
func (e *exampleText) endpoints() {
	own, interactive := e.vendor.Endpoints, e.grant == oauth.AuthorizationCode || e.grant == oauth.Implicit
	needsToken := own.TokenURL+own.IssuerURL == "" && e.grant != oauth.Implicit
	needsAuthorization := own.AuthorizationURL+own.IssuerURL == "" && interactive
	if !needsToken && !needsAuthorization {
		return
	}
	e.line(1, "endpoints: # or issuerURL alone, where the server publishes its metadata")
	if needsToken {
		e.value(2, "tokenURL", "https://"+exampleHost+"/oauth/token")
	}
	if needsAuthorization {
		e.value(2, "authorizationURL", "https://"+exampleHost+"/oauth/authorize")
	}
}

// required are the names of the parameters that a user of this grant has to state.
func (e *exampleText) required() []string {
	return slices.DeleteFunc(parametersOf(e.vendor, e.grant), func(name string) bool { return !e.vendor.Parameters[name].Required })
}
