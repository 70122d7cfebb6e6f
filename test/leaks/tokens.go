package leaks

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/certificate"
)

const (
	tokenPath     = "/generic/oauth2/token"
	authorizePath = "/generic/oauth2/authorize"
	revokePath    = "/generic/oauth2/revoke"
	issuer        = "https://idp.example/metadata"
	audience      = "https://tokens.example/saml"
	nobody        = "127.0.0.1:1" // listens there
)

// The grants, as the names of OAuthTokens begin; seed is the grant RefreshToken, assertion a SAML assertion that somebody else signed, refreshed a
// password whose token comes with a refresh token.
const (
	machine   = "machine"
	password  = "password"
	refreshed = "refreshed"
	code      = "code"
	implicit  = "implicit"
	saml      = "saml"
	assertion = "assertion"
	seed      = "seed"
)

// signer is whom the vendor trusts to sign assertions.
type signer struct {
	key, certificate string
	certificates     []*x509.Certificate
}

func newSigner(tb testing.TB, canaries *Canaries) signer {
	tb.Helper()
	certificatePEM, key := certificate.New(tb, "idp.example")
	block, _ := pem.Decode(certificatePEM)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	canaries.Add(SigningKey, "the identity provider", string(key))
	return signer{string(key), string(certificatePEM), []*x509.Certificate{parsed}}
}

// unspeakable is a secret with characters that every encoding writes in its own way.
func unspeakable() string { return rand.Text() + ` +/%é=&"<\>: ` + rand.Text() }

// Make makes an OAuthToken of a grant and its credentials, whose values are canaries. Half of the Secrets are shaped by somebody else.
func (s *Stage) Make(grant, name string, change ...func(*v1alpha1.OAuthToken, map[string]string)) {
	s.TB.Helper()
	data := map[string]string{"client_id": "client-" + rand.Text(), "client_secret": unspeakable()}
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "generic", GrantType: grantTypes()[grant], CABundle: s.Vendor.CA, Scopes: []v1alpha1.Scope{"openid", "orders"},
			CredentialsSecretRef: v1alpha1.SecretReference{Name: name + "-client"},
			Endpoints:            &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(s.Vendor.URL(tokenPath, name))},
		},
	}
	registered := oauthtest.Client{
		Vendor: oauthtest.Generic, ID: data["client_id"], Secret: data["client_secret"], Scopes: []string{"openid", "orders"},
		Grants: registeredGrants()[grant], RedirectURIs: []string{s.PortalURL() + "/callback"},
	}
	if grant == code || grant == seed || grant == refreshed {
		registered.RefreshTokens, registered.Rotation = true, oauthtest.Rotate
	}
	s.Vendor.Register(registered)
	s.shape(grant, token, data)
	for _, c := range change {
		c(token, data)
	}
	for key, value := range data {
		switch key {
		case "saml_signing_key", "saml_signing_certificate": // one is known, the other public
		case "client_id":
			s.Canaries.Add(ClientID, name, value)
		case "assertion":
			s.Canaries.Add(Assertion, name, value)
		default:
			s.Canaries.Add(Credential, name, value)
		}
	}
	secret := secretNamed(name+"-client", data)
	secret.Annotations = map[string]string{v1alpha1.AllowedHostsAnnotation: s.Vendor.Address + "," + nobody}
	if len(name)%2 == 0 {
		secret.StringData, secret.Annotations[v1alpha1.KeysAnnotation] = mapped(data)
	}
	s.create(secret, token)
}

// mapped are the values under keys of somebody else, and the annotation that says so.
func mapped(data map[string]string) (renamed map[string]string, annotation string) {
	renamed = map[string]string{}
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(data)) {
		theirs := "THEIR_" + strings.ToUpper(key)
		renamed[theirs] = data[key]
		pairs = append(pairs, key+"="+theirs)
	}
	return renamed, strings.Join(pairs, ",")
}

// shape adds what a grant needs.
func (s *Stage) shape(grant string, token *v1alpha1.OAuthToken, data map[string]string) {
	switch grant {
	case password, refreshed:
		data["username"], data["password"] = "robot-"+rand.Text(), unspeakable()
		s.Vendor.SetPassword(oauthtest.User{Vendor: oauthtest.Generic, Username: data["username"], Password: data["password"]})
	case saml:
		data["saml_signing_key"], data["saml_signing_certificate"] = s.signer.key, s.signer.certificate
		token.Spec.SAML2Bearer = &v1alpha1.SAML2Bearer{Issuer: issuer, Subject: "robot@example.com", Audience: audience, Recipient: audience}
	case assertion:
		data["assertion"] = someAssertion()
	case seed:
		data["refresh_token"], token.Spec.Scopes = s.seedFor(token.Name, data), nil
	case code, implicit:
		token.Spec.Endpoints.AuthorizationURL = v1alpha1.URL(s.Vendor.URL(authorizePath, token.Name))
	}
}

// someAssertion is one that this vendor would not take, as far as it is asked.
func someAssertion() string {
	return base64.RawURLEncoding.EncodeToString([]byte(`<Assertion><SignatureValue>` + rand.Text() + rand.Text() + `</SignatureValue></Assertion>`))
}

// seedFor is a refresh token that somebody obtained elsewhere for an OAuthToken.
func (s *Stage) seedFor(name string, data map[string]string) string {
	s.TB.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"orders"}}
	request := httptest.NewRequest(http.MethodPost, tokenPath, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(data["client_id"]), url.QueryEscape(data["client_secret"]))
	answer := httptest.NewRecorder()
	s.Vendor.Server.ServeHTTP(answer, request)
	var issued struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &issued); err != nil || issued.RefreshToken == "" {
		s.TB.Fatalf("the vendor gives no seed: %s", answer.Body)
	}
	s.Canaries.Add(RefreshToken, name, issued.RefreshToken)
	return issued.RefreshToken
}

func grantTypes() map[string]v1alpha1.GrantType {
	return map[string]v1alpha1.GrantType{
		machine: v1alpha1.GrantClientCredentials, password: v1alpha1.GrantPassword, refreshed: v1alpha1.GrantPassword, code: v1alpha1.GrantAuthorizationCode,
		implicit: v1alpha1.GrantImplicit, saml: v1alpha1.GrantSAML2Bearer, assertion: v1alpha1.GrantSAML2Bearer, seed: v1alpha1.GrantRefreshToken,
	}
}

func registeredGrants() map[string][]string {
	return map[string][]string{
		machine: {oauthtest.ClientCredentials}, password: {oauthtest.Password}, refreshed: {oauthtest.Password, oauthtest.RefreshToken}, code: {oauthtest.AuthorizationCode, oauthtest.RefreshToken},
		implicit: {oauthtest.Implicit}, saml: {oauthtest.SAML2Bearer}, assertion: {oauthtest.SAML2Bearer},
		seed: {oauthtest.ClientCredentials, oauthtest.RefreshToken},
	}
}
