package v1alpha1

// DeletionPolicy says what becomes of the Secrets when the OAuthToken goes.
//
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

// The deletion policies.
const (
	// DeletionDelete lets target and state Secret go with the OAuthToken.
	DeletionDelete DeletionPolicy = "Delete"
	// DeletionRetain leaves them. An OAuthToken of the same name takes them over.
	DeletionRetain DeletionPolicy = "Retain"
)

// DefaultKeys says whether the usual keys are written to the target Secret.
//
// +kubebuilder:validation:Enum=Include;Omit
type DefaultKeys string

// What is written beside the template's keys.
const (
	// DefaultKeysInclude writes access_token, token_type, authorization, expires_at, and scope and id_token where they are known.
	DefaultKeysInclude DefaultKeys = "Include"
	// DefaultKeysOmit writes only what the template says.
	DefaultKeysOmit DefaultKeys = "Omit"
)

// Target describes the Secret that receives the token.
//
// +kubebuilder:validation:XValidation:rule="!has(self.defaultKeys) || self.defaultKeys != 'Omit' || has(self.template) && has(self.template.data) && size(self.template.data) > 0",message="with defaultKeys Omit the Secret would be empty: add template.data"
// +kubebuilder:validation:XValidation:rule="!has(self.template) || !has(self.template.data) || has(self.defaultKeys) && self.defaultKeys == 'Omit' || self.template.data.all(k, !(k in ['access_token', 'token_type', 'authorization', 'expires_at', 'scope', 'id_token']))",message="template.data holds a default key (access_token, token_type, authorization, expires_at, scope, id_token): rename it, or set defaultKeys to Omit"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'kubernetes.io/dockerconfigjson' || has(self.template) && has(self.template.data) && '.dockerconfigjson' in self.template.data",message="type kubernetes.io/dockerconfigjson needs a key .dockerconfigjson in template.data, such as '{{ dockerconfigjson \"registry.example.com\" \"user\" .AccessToken }}'"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || self.type != 'kubernetes.io/basic-auth' || has(self.template) && has(self.template.data) && ('username' in self.template.data || 'password' in self.template.data)",message="type kubernetes.io/basic-auth needs a key username or password in template.data"
type Target struct {
	// name of the Secret. Default: the OAuthToken's. When it changes, the new Secret is written from the old, without a request.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of a Secret: lower-case letters, digits, hyphens and dots"
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('-oauth-state')",message="a name that ends in -oauth-state is kept for state Secrets: choose another"
	Name string `json:"name,omitempty"`
	// type of the Secret: Opaque, kubernetes.io/dockerconfigjson, kubernetes.io/basic-auth, or a type without kubernetes.io/. It
	// can't be changed on a Secret that exists. Default: Opaque.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self in ['Opaque', 'kubernetes.io/dockerconfigjson', 'kubernetes.io/basic-auth'] || self != '' && !self.contains('kubernetes.io/')",message="must be Opaque, kubernetes.io/dockerconfigjson, kubernetes.io/basic-auth, or a type of your own without kubernetes.io/"
	Type string `json:"type,omitempty"`
	// template adds labels, annotations and keys.
	// +optional
	Template *TargetTemplate `json:"template,omitempty"`
	// defaultKeys says whether access_token, token_type, authorization, expires_at, scope and id_token are written (Include) or only
	// the keys of the template (Omit). Default: Include.
	// +optional
	DefaultKeys DefaultKeys `json:"defaultKeys,omitempty"`
	// deletionPolicy says whether the Secret goes with the OAuthToken (Delete) or stays (Retain). Default: Delete.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// TargetTemplate adds to the target Secret.
type TargetTemplate struct {
	// metadata of the Secret.
	// +optional
	Metadata *TemplateMetadata `json:"metadata,omitempty"`
	// data maps keys to Go templates, at most 64, each of at most 16 KiB. A template sees .AccessToken, .TokenType, .Authorization,
	// .ExpiresAt, .IssuedAt, .Scope, .IDToken and .Extra (other members of the vendor's answer, by name), and deterministic
	// functions such as toJson, b64enc, upper, replace, trimPrefix, default, dockerconfigjson.
	// Example: {token.json: '{"token":{{ .AccessToken | toJson }}}'}
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[-._a-zA-Z0-9]{1,253}$') && k != '.' && !k.startsWith('..'))",message="keys of a Secret have 1 to 253 letters, digits and - _ . and don't start with two dots"
	Data map[string]TemplateSource `json:"data,omitempty"`
}

// TemplateSource is the text of a Go template.
//
// +kubebuilder:validation:MaxLength=16384
type TemplateSource string

// TemplateMetadata holds labels and annotations for the target Secret.
type TemplateMetadata struct {
	// labels to add, at most 32. Names under tokensync.dev/ and kubernetes.io/ are not to be used.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && !format.qualifiedName().validate(k).hasValue() && !format.labelValue().validate(self[k]).hasValue())",message="must be valid labels: names such as example.com/team, values of at most 63 letters, digits and - _ ."
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('tokensync.dev/') && !k.startsWith('kubernetes.io/') && k != 'app.kubernetes.io/managed-by')",message="labels under tokensync.dev/ and kubernetes.io/, and app.kubernetes.io/managed-by, are not to be set here: remove them"
	Labels map[string]LabelValue `json:"labels,omitempty"`
	// annotations to add, at most 32, each of at most 4096 characters. Names under tokensync.dev/ and kubernetes.io/ are not to be used.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && !format.qualifiedName().validate(k.lowerAscii()).hasValue())",message="must be valid names of annotations, such as example.com/owner"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('tokensync.dev/') && !k.startsWith('kubernetes.io/'))",message="annotations under tokensync.dev/ and kubernetes.io/ are not to be set here: remove them"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
type LabelValue string

// AnnotationValue is the value of an annotation.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string
