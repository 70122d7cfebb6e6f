// Package declaration reads what a user declares of a token: an OAuthToken and the credentials Secret that it names. It is pure, and the only
// place where that becomes what the token client asks with, so that whoever tries a manifest finds what the operator would.
package declaration

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// Platform is what the platform's administrators decide for all OAuthTokens.
type Platform struct {
	// Catalogue holds the vendors.
	Catalogue *oauth.Catalogue
	// AllowedHosts are hosts that every credentials Secret may be sent to.
	AllowedHosts []string
	// InsecureHTTPHosts are the hosts to which plain http may be spoken.
	InsecureHTTPHosts []string
	// PortalURL is where browsers find the portal, which the grants AuthorizationCode and Implicit need; empty: it is not served. It has no
	// slash at its end.
	PortalURL string
	// EnableImplicit allows the grant Implicit.
	EnableImplicit bool
}

// Settings are what an OAuthToken and its credentials state, and what the platform allows, for the token client.
func Settings(token *v1alpha1.OAuthToken, credentials *corev1.Secret, platform Platform) oauth.Settings {
	spec := token.Spec
	settings := oauth.Settings{
		Vendor: spec.Vendor, Grant: oauth.GrantType(spec.GrantType),
		Parameters: plain(spec.Parameters), AuthorizationParameters: plain(spec.AuthorizationParameters),
		ClientAuthentication: oauth.ClientAuthentication(spec.ClientAuthentication), CABundle: spec.CABundle,
		Credentials: Credentials(credentials), AllowedHosts: slices.Clone(platform.AllowedHosts),
		InsecureHTTPHosts: platform.InsecureHTTPHosts, EnableImplicit: platform.EnableImplicit,
		EnableInteractive: platform.PortalURL != "",
	}
	for _, scope := range spec.Scopes {
		settings.Scopes = append(settings.Scopes, string(scope))
	}
	if e := spec.Endpoints; e != nil {
		settings.Endpoints = oauth.Endpoints{
			TokenURL: string(e.TokenURL), AuthorizationURL: string(e.AuthorizationURL),
			RevocationURL: string(e.RevocationURL), IssuerURL: string(e.IssuerURL),
		}
	}
	if s := spec.SAML2Bearer; s != nil {
		settings.SAML2Bearer = oauth.AssertionSettings{
			Issuer: string(s.Issuer), Subject: string(s.Subject), Audience: string(s.Audience), Recipient: string(s.Recipient),
			Attributes: plain(s.Attributes), Lifetime: s.Lifetime.Value(), Form: s.Form, Encoding: s.Encoding,
		}
	}
	if credentials != nil {
		settings.AllowedHosts = append(settings.AllowedHosts, splitList(credentials.Annotations[v1alpha1.AllowedHostsAnnotation])...)
	}
	return settings
}

// Grant is what an OAuthToken asks with: the grant that it states, else the vendor's; empty where neither says.
func Grant(token *v1alpha1.OAuthToken, catalogue *oauth.Catalogue) oauth.GrantType {
	return catalogue.GrantOf(token.Spec.Vendor, oauth.GrantType(token.Spec.GrantType))
}

// plain gives a map of strings; nil for an empty one.
func plain[V ~string](named map[string]V) map[string]string {
	if len(named) == 0 {
		return nil
	}
	values := make(map[string]string, len(named))
	for name, value := range named {
		values[name] = string(value)
	}
	return values
}

// splitList splits at commas and drops blanks around and between.
func splitList(text string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }),
		func(s string) bool { return s == "" })
}

// Credentials are the values of a credentials Secret by the names that the token client knows: after the mapping of the Secret's
// annotation tokensync.dev/keys, without trailing newlines, which files made with an editor or echo have. Empty values count as
// absent. nil where there is no Secret.
func Credentials(secret *corev1.Secret) oauth.Credentials {
	if secret == nil {
		return nil
	}
	mapping, _ := KeyMapping(secret)
	credentials := oauth.Credentials{}
	put := func(name string, value []byte) {
		if text := strings.TrimRight(string(value), "\r\n"); text != "" {
			credentials[name] = oauth.NewSensitive(text)
		}
	}
	for key, value := range secret.Data {
		put(key, value)
	}
	for name, key := range mapping {
		delete(credentials, key)
		delete(credentials, name) // the mapping counts, also where what it leads to is empty
	}
	for name, key := range mapping {
		put(name, secret.Data[key])
	}
	return credentials
}

// ClientSecretExpiry is the end of the client secret that the Secret's annotation states; zero: none. The fault is a clause for the user.
func ClientSecretExpiry(secret *corev1.Secret) (end time.Time, fault string) {
	stated := secret.Annotations[v1alpha1.ClientSecretExpiresAtAnnotation]
	if stated == "" {
		return time.Time{}, ""
	}
	end, err := time.Parse(time.RFC3339, stated)
	end = end.UTC().Truncate(time.Second)
	if err != nil || end.Year() < 0 || end.Year() > 9999 { // which does not encode
		return time.Time{}, fmt.Sprintf("the annotation %s of Secret %q is no time such as 2027-05-01T00:00:00Z (RFC 3339), so that nothing warns before "+
			"the client secret ends: correct it", v1alpha1.ClientSecretExpiresAtAnnotation, secret.Name)
	}
	return end, ""
}

// KeyMapping reads the annotation tokensync.dev/keys: name to key of the Secret. The faults are sentences for the user.
func KeyMapping(secret *corev1.Secret) (mapping map[string]string, faults []string) {
	mapping = map[string]string{}
	for _, pair := range splitList(secret.Annotations[v1alpha1.KeysAnnotation]) {
		name, key, ok := strings.Cut(pair, "=")
		_, present := secret.Data[key]
		switch {
		case !ok || name == "" || key == "":
			faults = append(faults, fmt.Sprintf("annotation %s of Secret %q must be name=KEY pairs separated by commas, such as client_id=CLIENT",
				v1alpha1.KeysAnnotation, secret.Name))
		case mapping[name] != "":
			faults = append(faults, fmt.Sprintf("annotation %s of Secret %q maps %s twice: keep one", v1alpha1.KeysAnnotation, secret.Name, name))
		case !present:
			faults = append(faults, fmt.Sprintf("annotation %s of Secret %q maps %s to a key that the Secret lacks: it must name a key, not a value",
				v1alpha1.KeysAnnotation, secret.Name, name))
		default:
			mapping[name] = key
		}
	}
	return mapping, faults
}
