package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OAuthToken declares an OAuth 2.0 token. The operator obtains it from the vendor, keeps a fresh one in the target Secret, which pods
// mount, and tells in conditions and events what goes on.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=oat,categories=tokensync
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Vendor",type=string,JSONPath=`.spec.vendor`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.expiresAt`
// +kubebuilder:printcolumn:name="Grant",type=string,priority=1,JSONPath=`.status.grantType`
// +kubebuilder:printcolumn:name="Secret",type=string,priority=1,JSONPath=`.status.secretName`
// +kubebuilder:printcolumn:name="Renewal",type=string,priority=1,JSONPath=`.status.renewalTime`
// +kubebuilder:printcolumn:name="Refresh-Expires",type=string,priority=1,JSONPath=`.status.refreshToken.expiresAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || size(self.metadata.name) <= 200",optionalOldSelf=true,message="metadata.name may have at most 200 characters, since the names of Secrets are made from it: choose a shorter one"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() && oldSelf.value().spec == self.spec || has(self.spec.target) && has(self.spec.target.name) || self.metadata.name != self.spec.credentialsSecretRef.name",optionalOldSelf=true,fieldPath=".spec.target.name",message="without it the target Secret would be the credentials Secret, which has the OAuthToken's name: set it to another name"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() && oldSelf.value().spec == self.spec || has(self.spec.target) && has(self.spec.target.name) || !self.metadata.name.endsWith('-oauth-state')",optionalOldSelf=true,fieldPath=".spec.target.name",message="without it the target Secret would have the OAuthToken's name, and names that end in -oauth-state are kept for state Secrets: set it to another name"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() && oldSelf.value().spec == self.spec || self.spec.credentialsSecretRef.name != self.metadata.name + '-oauth-state'",optionalOldSelf=true,fieldPath=".spec.credentialsSecretRef.name",message="this is the name of the OAuthToken's state Secret: keep the credentials under another name"
type OAuthToken struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what the user asks for.
	// +required
	Spec OAuthTokenSpec `json:"spec,omitzero"`
	// status is what the operator knows. Nothing in it is needed to go on: it may be wiped at any time.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status OAuthTokenStatus `json:"status,omitzero"`
}

// OAuthTokenList is a list of OAuthTokens.
//
// +kubebuilder:object:root=true
type OAuthTokenList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []OAuthToken `json:"items"`
}

// GrantType is how a token is asked for.
//
// +kubebuilder:validation:Enum=ClientCredentials;Password;AuthorizationCode;Implicit;SAML2Bearer;RefreshToken
type GrantType string

// The grants.
const (
	GrantClientCredentials GrantType = "ClientCredentials"
	GrantPassword          GrantType = "Password"
	GrantAuthorizationCode GrantType = "AuthorizationCode"
	GrantImplicit          GrantType = "Implicit"
	GrantSAML2Bearer       GrantType = "SAML2Bearer"
	GrantRefreshToken      GrantType = "RefreshToken"
)

// ClientAuthentication is how the client proves to the vendor who it is.
//
// +kubebuilder:validation:Enum=ClientSecretBasic;ClientSecretPost;None
type ClientAuthentication string

// The ways of client authentication (RFC 6749, section 2.3).
const (
	ClientSecretBasic ClientAuthentication = "ClientSecretBasic"
	ClientSecretPost  ClientAuthentication = "ClientSecretPost"
	ClientNone        ClientAuthentication = "None"
)

// ParameterValue is the value of a vendor parameter.
//
// +kubebuilder:validation:MaxLength=2048
type ParameterValue string

// Scope is one scope token (RFC 6749, section 3.3).
//
// +kubebuilder:validation:MaxLength=256
// +kubebuilder:validation:XValidation:rule="self.matches('^[!#-\\\\[\\\\]-~]+$')",message="a scope is one word of printable ASCII without blanks, quotes or backslashes (RFC 6749, section 3.3): write each scope as an item of its own"
type Scope string

// URL is the address of an endpoint.
//
// +kubebuilder:validation:MaxLength=2048
// +kubebuilder:validation:XValidation:rule="isURL(self) && self.matches('^(?i:https?)://([A-Za-z0-9._-]+|[[][0-9A-Fa-f:.]+[]])(:[0-9]{1,5})?([/?][!$-~]*)?$')",message="must be an absolute URL without user information, fragment and blanks, such as https://login.example.com/oauth/token"
type URL string

// OAuthTokenSpec is what the user asks for.
//
// +kubebuilder:validation:XValidation:rule="self.vendor != 'generic' || has(self.grantType)",fieldPath=".grantType",reason=FieldValueRequired,message="vendor generic has no preferred grant: name one of ClientCredentials, Password, AuthorizationCode, Implicit, SAML2Bearer, RefreshToken"
// +kubebuilder:validation:XValidation:rule="self.vendor != 'generic' || has(self.endpoints) && (has(self.endpoints.tokenURL) || has(self.endpoints.issuerURL) || has(self.grantType) && self.grantType == 'Implicit' && has(self.endpoints.authorizationURL))",fieldPath=".endpoints",reason=FieldValueRequired,message="vendor generic has no endpoints of its own: set endpoints.tokenURL, or endpoints.issuerURL for discovery (grant Implicit: endpoints.authorizationURL)"
// +kubebuilder:validation:XValidation:rule="self.vendor != 'generic' || !has(self.endpoints) || !has(self.grantType) || !(self.grantType in ['AuthorizationCode', 'Implicit']) || has(self.endpoints.authorizationURL) || has(self.endpoints.issuerURL)",fieldPath=".endpoints",reason=FieldValueRequired,message="grantType AuthorizationCode and Implicit begin in a browser, and vendor generic has no address for that: set endpoints.authorizationURL, or endpoints.issuerURL for discovery"
// +kubebuilder:validation:XValidation:rule="self.vendor != 'generic' || !has(self.revokeOnDelete) || !self.revokeOnDelete || has(self.endpoints) && (has(self.endpoints.revocationURL) || has(self.endpoints.issuerURL))",fieldPath=".revokeOnDelete",reason=FieldValueInvalid,message="vendor generic has no revocation endpoint of its own: set endpoints.revocationURL, or endpoints.issuerURL for discovery, or remove revokeOnDelete"
// +kubebuilder:validation:XValidation:rule="!has(self.saml2Bearer) || has(self.grantType) && self.grantType == 'SAML2Bearer'",fieldPath=".saml2Bearer",reason=FieldValueForbidden,message="goes only with grantType SAML2Bearer: set that, or remove saml2Bearer"
// +kubebuilder:validation:XValidation:rule="!has(self.authorizationParameters) || !has(self.grantType) || self.grantType in ['AuthorizationCode', 'Implicit']",fieldPath=".authorizationParameters",reason=FieldValueForbidden,message="go only with grantType AuthorizationCode or Implicit: use parameters for the token request"
// +kubebuilder:validation:XValidation:rule="self.vendor != 'generic' || !has(self.parameters) || !self.parameters.exists(k, k.lowerAscii() == 'scope')",fieldPath=".parameters",reason=FieldValueForbidden,message="scope can't be set here, since it would stand beside the operator's own: use spec.scopes"
// +kubebuilder:validation:XValidation:rule="!has(self.target) || !has(self.target.name) || self.target.name != self.credentialsSecretRef.name",fieldPath=".target.name",message="must differ from credentialsSecretRef.name: the operator does not write to the credentials Secret"
type OAuthTokenSpec struct {
	// vendor is the name of an entry of the vendor catalogue: sfr-global-contact-center, genesys-cloud, bright-pattern,
	// abbyy-vantage, one that the platform added, or generic for any other server that follows RFC 6749.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Label().validate(self).hasValue()",message="must be the name of a catalogue entry: lower-case letters, digits and hyphens, such as genesys-cloud"
	Vendor string `json:"vendor,omitempty"`

	// grantType is how the token is asked for: ClientCredentials, Password, AuthorizationCode, Implicit, SAML2Bearer or
	// RefreshToken. Default: the vendor's only or preferred one. Required for vendor generic.
	// +optional
	GrantType GrantType `json:"grantType,omitempty"`

	// credentialsSecretRef names the Secret with the credentials, in the same namespace. Its owner labels it
	// tokensync.dev/role=credentials. Keys: client_id, client_secret, username, password, refresh_token, assertion,
	// saml_signing_key, saml_signing_certificate, and any vendor parameter.
	// +required
	CredentialsSecretRef SecretReference `json:"credentialsSecretRef,omitzero"`

	// parameters are the vendor's parameters that are not secret, such as tenant, region or host; the vendor's page lists them. Each
	// may stand in the credentials Secret instead, but not in both. Vendor generic sends them as they are with the token request.
	// At most 32, each of at most 2048 characters. Parameters of the protocol itself, such as grant_type or client_id, can't be set.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z0-9_.:-]{1,64}$'))",message="names of parameters have 1 to 64 letters, digits and _ . : -"
	// +kubebuilder:validation:XValidation:rule="self.map(k, k.lowerAscii().replace('.', '_')).all(k, !(k in ['grant_type', 'client_id', 'client_secret', 'assertion', 'username', 'password', 'code', 'code_verifier', 'redirect_uri', 'state', 'nonce', 'response_type', 'response_mode', 'request', 'request_uri', 'refresh_token']) && !k.startsWith('client_assertion') && !k.startsWith('code_challenge'))",message="a parameter of the protocol itself (such as grant_type, client_id, password, redirect_uri, state) can't be set here: credentials belong in the credentials Secret, the rest is the operator's"
	Parameters map[string]ParameterValue `json:"parameters,omitempty"`

	// authorizationParameters are further parameters of the authorization request, for the grants AuthorizationCode and Implicit.
	// The same limits hold as for parameters. Default: the vendor's.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[A-Za-z0-9_.:-]{1,64}$'))",message="names of parameters have 1 to 64 letters, digits and _ . : -"
	// +kubebuilder:validation:XValidation:rule="self.map(k, k.lowerAscii().replace('.', '_')).all(k, !(k in ['grant_type', 'client_id', 'client_secret', 'assertion', 'username', 'password', 'code', 'code_verifier', 'redirect_uri', 'state', 'nonce', 'response_type', 'response_mode', 'request', 'request_uri', 'refresh_token', 'scope']) && !k.startsWith('client_assertion') && !k.startsWith('code_challenge'))",message="a parameter of the protocol itself (such as response_type, client_id, redirect_uri, state, scope) can't be set here: use the fields of the spec, the rest is the operator's"
	AuthorizationParameters map[string]ParameterValue `json:"authorizationParameters,omitempty"`

	// scopes are asked for in this order. Default: the vendor's. At most 64.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Scopes []Scope `json:"scopes,omitempty"`

	// endpoints are those of vendor generic, or override a vendor's (private cloud, proxy, test). Credentials are sent only to hosts
	// that the vendor's entry fixes, that the credentials Secret's annotation tokensync.dev/allowed-hosts names, or that the
	// platform allows.
	// +optional
	Endpoints *Endpoints `json:"endpoints,omitempty"`

	// clientAuthentication is how the client proves who it is: ClientSecretBasic (in a header), ClientSecretPost (in the body) or
	// None (a public client). Default: the vendor's; ClientSecretBasic for vendor generic.
	// +optional
	ClientAuthentication ClientAuthentication `json:"clientAuthentication,omitempty"`

	// caBundle holds PEM certificates that are trusted for the vendor's endpoints beside the system's, encoded in base64 as in
	// webhooks, at most 262144 characters. Default: the system's alone.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=262144
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9+/][\\r\\n]*)*=?[\\r\\n]*=?[\\r\\n]*$') && size(self.replace('\\n', '').replace('\\r', '')) % 4 == 0",message="must be PEM certificates encoded as a whole in base64, with padding: the output of `base64 -w0 ca.pem`"
	CABundle []byte `json:"caBundle,omitempty"`

	// saml2Bearer says what an assertion holds that the operator signs with saml_signing_key. Only with grantType SAML2Bearer.
	// +optional
	SAML2Bearer *SAML2Bearer `json:"saml2Bearer,omitempty"`

	// target describes the Secret that receives the token.
	// +optional
	Target *Target `json:"target,omitempty"`

	// renewal says when the token is renewed. Default: when a third of its life is left, or 180 seconds if that is more, but at most
	// half of it. Whatever is stated, up to a tenth of the token's age at that time comes off, so that not all are renewed at once.
	// Kubelets bring a changed Secret into pods only after up to 90 seconds; the old token serves until then.
	// +optional
	Renewal *Renewal `json:"renewal,omitempty"`

	// revokeOnDelete calls the vendor's revocation endpoint (RFC 7009) when the OAuthToken is deleted. Deletion waits for it, for at
	// most 5 minutes, and so do target and state Secret, which have no owner reference then: a foreground deletion, such as Argo CD's,
	// would remove them first. Default: false.
	// +optional
	RevokeOnDelete bool `json:"revokeOnDelete,omitempty"`

	// suspend stops requests for tokens. Drift repair, revocation and status go on; the condition Ready says what is true of the
	// token. Default: false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// SecretReference names a Secret in the OAuthToken's namespace.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of a Secret: lower-case letters, digits, hyphens and dots"
	Name string `json:"name,omitempty"`
}

// Endpoints are the addresses of an authorization server. A URL that is given here counts before one that discovery finds.
//
// +kubebuilder:validation:XValidation:rule="has(self.tokenURL) || has(self.authorizationURL) || has(self.revocationURL) || has(self.issuerURL)",message="must hold tokenURL, authorizationURL, revocationURL or issuerURL: add one, or remove endpoints"
type Endpoints struct {
	// tokenURL is the token endpoint (RFC 6749, section 3.2). Example: https://login.example.com/oauth/token
	// +optional
	TokenURL URL `json:"tokenURL,omitempty"`
	// authorizationURL is the authorization endpoint, which browsers are sent to (RFC 6749, section 3.1).
	// +optional
	AuthorizationURL URL `json:"authorizationURL,omitempty"`
	// revocationURL is the revocation endpoint (RFC 7009).
	// +optional
	RevocationURL URL `json:"revocationURL,omitempty"`
	// issuerURL is the issuer, whose metadata document names the other endpoints (RFC 8414, OpenID Connect Discovery).
	// +optional
	IssuerURL URL `json:"issuerURL,omitempty"`
}
