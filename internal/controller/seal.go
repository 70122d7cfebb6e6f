package controller

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
)

// sealVersion begins every data-hash.
const sealVersion = "v1"

// valueHashSize is how much is kept of the SHA-256 of a value.
const valueHashSize = 16

// seal is a target Secret's data-hash: digests of what the operator wrote, by which an edit is noticed without the data itself.
type seal struct {
	token    string   // of the access token
	given    string   // of all that can't be derived from it: access token, scope and ID token
	metadata string   // of what the spec says about labels and annotations; empty in a seal of before they were told apart
	render   string   // of what it says about type and data; in a seal of before, of labels and annotations as well
	content  string   // of the data under keys, and of the annotations that tell of the token
	keys     []string // the data keys that the operator wrote, sorted
}

// String is the annotation's value.
func (s seal) String() string {
	return strings.Join([]string{sealVersion, s.token, s.given, s.metadata + "." + s.render, s.content, strings.Join(s.keys, ",")}, ":")
}

// parseSeal reads a data-hash. One of another version, or none, gives ok false.
func parseSeal(text string) (s seal, ok bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 6 || parts[0] != sealVersion {
		return seal{}, false
	}
	s = seal{token: parts[1], given: parts[2], content: parts[4], keys: strings.Split(parts[5], ",")}
	if s.metadata, s.render, ok = strings.Cut(parts[3], "."); !ok {
		s.metadata, s.render = "", parts[3]
	}
	return s, true
}

// hashValue is what the cache keeps of a value of a target Secret.
func hashValue(value []byte) []byte {
	sum := sha256.Sum256(value)
	return sum[:valueHashSize]
}

// hashToken is the digest of an access token.
func hashToken(accessToken string) string { return encode(hashValue([]byte(accessToken))) }

// hashGiven is the digest of what a vendor gave and the default keys hold.
func hashGiven(t issued) string {
	return encode(hashValue([]byte(strings.Join([]string{t.AccessToken, t.Scope, t.IDToken}, "\x00"))))
}

// sealOf is the part of a seal that depends on the token alone.
func sealOf(t issued) seal { return seal{token: hashToken(t.AccessToken), given: hashGiven(t)} }

// hashContent digests the hashed data under keys, and the annotations that tell of the token.
func hashContent(hashed map[string][]byte, keys []string, annotations map[string]string) string {
	sum := sha256.New()
	for _, key := range keys {
		sum.Write([]byte(key + "\x00"))
		sum.Write(hashed[key])
	}
	for _, name := range tokenAnnotations() {
		sum.Write([]byte("\x00" + annotations[name]))
	}
	return encode(sum.Sum(nil)[:valueHashSize])
}

// tokenAnnotations are those whose loss or change would mislead the schedule.
func tokenAnnotations() []string {
	return []string{
		v1alpha1.IssuedAtAnnotation, v1alpha1.ExpiresAtAnnotation, v1alpha1.RepeatedAtAnnotation, v1alpha1.RequestHashAnnotation,
		v1alpha1.RenewHandledAnnotation,
	}
}

// saidOfRendering is what a spec says about how the token is written.
type saidOfRendering struct {
	Type        string                              `json:"type,omitempty"`
	DefaultKeys v1alpha1.DefaultKeys                `json:"defaultKeys,omitempty"`
	Labels      map[string]v1alpha1.LabelValue      `json:"labels,omitempty"`
	Annotations map[string]v1alpha1.AnnotationValue `json:"annotations,omitempty"`
	Data        map[string]v1alpha1.TemplateSource  `json:"data,omitempty"`
}

func renderingOf(target *v1alpha1.Target) saidOfRendering {
	var said saidOfRendering
	if target == nil {
		return said
	}
	said.Type, said.DefaultKeys = target.Type, target.DefaultKeys
	if template := target.Template; template != nil {
		said.Data = template.Data
		if template.Metadata != nil {
			said.Labels, said.Annotations = template.Metadata.Labels, template.Metadata.Annotations
		}
	}
	if said.DefaultKeys == v1alpha1.DefaultKeysInclude {
		said.DefaultKeys = "" // stating a default changes nothing
	}
	return said
}

// digests are what a seal keeps of what is said, so that a change of it is noticed: labels and annotations change without the data.
func (said saidOfRendering) digests() (metadata, render string) {
	worn := saidOfRendering{Labels: said.Labels, Annotations: said.Annotations}
	said.Labels, said.Annotations = nil, nil
	if said.Type == string(corev1.SecretTypeOpaque) {
		said.Type = "" // nor does stating this one
	}
	return worn.digest(), said.digest()
}

// digest is that of all that is said, as seals of before have it.
func (said saidOfRendering) digest() string {
	text, err := json.Marshal(said)
	if err != nil {
		panic("maps of strings do not encode") // json.Marshal fails on no value of these types
	}
	return encode(hashValue(text))
}

// matches tells whether labels and annotations were written as a spec now says, and whether type and data were.
func (s seal) matches(target *v1alpha1.Target) (metadata, data bool) {
	said := renderingOf(target)
	if s.metadata == "" {
		same := s.render == said.digest()
		return same, same
	}
	worn, render := said.digests()
	return s.metadata == worn, s.render == render
}

// record is what a target Secret says of its token. Times are whole seconds, UTC.
type record struct {
	IssuedAt, ExpiresAt, RepeatedAt time.Time
	RequestHash, RenewHandled       string
}

// askedAt is when the token was asked for, the last time.
func (r record) askedAt() time.Time { return later(r.IssuedAt, r.RepeatedAt) }

// annotations are the record as it stands on a Secret.
func (r record) annotations() map[string]string {
	annotations := map[string]string{
		v1alpha1.IssuedAtAnnotation:    formatTime(r.IssuedAt),
		v1alpha1.ExpiresAtAnnotation:   formatTime(r.ExpiresAt),
		v1alpha1.RequestHashAnnotation: r.RequestHash,
	}
	if !r.RepeatedAt.IsZero() {
		annotations[v1alpha1.RepeatedAtAnnotation] = formatTime(r.RepeatedAt)
	}
	if r.RenewHandled != "" {
		annotations[v1alpha1.RenewHandledAnnotation] = r.RenewHandled
	}
	return annotations
}

// parseRecord reads a Secret's annotations. ok is false where issue or expiry can't be read.
func parseRecord(annotations map[string]string) (r record, ok bool) {
	issued, issuedOK := parseTime(annotations[v1alpha1.IssuedAtAnnotation])
	expires, expiresOK := parseTime(annotations[v1alpha1.ExpiresAtAnnotation])
	repeated, _ := parseTime(annotations[v1alpha1.RepeatedAtAnnotation])
	return record{
		IssuedAt: issued, ExpiresAt: expires, RepeatedAt: repeated,
		RequestHash:  annotations[v1alpha1.RequestHashAnnotation],
		RenewHandled: annotations[v1alpha1.RenewHandledAnnotation],
	}, issuedOK && expiresOK
}

func formatTime(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// parseTime reads what formatTime writes, but for a time that could not be written again.
func parseTime(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text)
	t, storable := consent.Storable(t)
	if err != nil || !storable {
		return time.Time{}, false
	}
	return t, true
}

// hashed returns a Secret as the cache keeps it: data replaced by hashes, without managed fields. A hashed one stays as it is, since
// informers transform what they find at their start twice. It is known by stringData, which the API server never returns.
func hashed(secret *corev1.Secret) *corev1.Secret {
	if secret.StringData != nil {
		return secret
	}
	kept := *secret
	kept.ManagedFields, kept.StringData = nil, map[string]string{}
	kept.Data = make(map[string][]byte, len(secret.Data))
	for key, value := range secret.Data {
		kept.Data[key] = hashValue(value)
	}
	return &kept
}

// without returns the members of some that are not among others; both are sorted.
func without(some, others []string) []string {
	return slices.DeleteFunc(slices.Clone(some), func(s string) bool { return slices.Contains(others, s) })
}
