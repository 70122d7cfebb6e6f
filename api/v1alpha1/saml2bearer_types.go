package v1alpha1

// SAMLName is a name or address inside an assertion: 1 to 1024 characters.
//
// +kubebuilder:validation:MaxLength=1024
// +kubebuilder:validation:XValidation:rule="size(self) > 0 && !self.matches('[[:cntrl:]]')",message="must have at least one character and hold no control characters such as line breaks, which XML can't hold: remove them"
type SAMLName string

// SAML2Bearer says what a SAML 2.0 assertion holds that the operator makes and signs, a new one for each request (RFC 7522).
type SAML2Bearer struct {
	// issuer is the entity ID of the identity provider that the vendor trusts. Example: https://idp.acme.example/metadata
	// +optional
	Issuer SAMLName `json:"issuer,omitempty"`
	// subject is the user that the token is for, as NameID. Example: integration@acme.example
	// +optional
	Subject SAMLName `json:"subject,omitempty"`
	// audience is the audience restriction. Default: the token URL.
	// +optional
	Audience SAMLName `json:"audience,omitempty"`
	// recipient is the recipient of the subject confirmation. Default: the token URL.
	// +optional
	Recipient SAMLName `json:"recipient,omitempty"`
	// attributes are further statements about the subject, at most 32. Example: {email: integration@acme.example}
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, k != '' && size(k) <= 256 && !k.matches('[[:cntrl:]]'))",message="names of attributes have 1 to 256 characters, none of them a control character"
	Attributes map[string]SAMLName `json:"attributes,omitempty"`
	// lifetime of the assertion, from 10s to 24h. Default: 5m.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self != '' && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="must be from 10s to 24h, in whole hours, minutes and seconds, such as 90s, 15m or 1h30m; a day is 24h"
	Lifetime *Duration `json:"lifetime,omitempty"`
	// form is what is sent: the Assertion alone (RFC 7522) or a whole Response around it. Default: the vendor's, else Assertion.
	// +optional
	// +kubebuilder:validation:Enum=Assertion;Response
	Form string `json:"form,omitempty"`
	// encoding of what is sent: Base64URL without padding (RFC 7522) or Base64. Default: the vendor's, else Base64URL.
	// +optional
	// +kubebuilder:validation:Enum=Base64URL;Base64
	Encoding string `json:"encoding,omitempty"`
}
