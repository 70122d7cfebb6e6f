package v1alpha1_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// fullSpec has every field that goes with the others; see specFor for the two that don't.
const fullSpec = `
vendor: genesys-cloud
grantType: SAML2Bearer
credentialsSecretRef: {name: credentials}
parameters: {region: mypurecloud.de}
scopes: [users]
endpoints:
  tokenURL: https://login.example/token
  authorizationURL: https://login.example/authorize
  revocationURL: https://login.example/revoke
  issuerURL: https://login.example
clientAuthentication: ClientSecretPost
caBundle: LS0tLS1CRUdJTg==
saml2Bearer:
  issuer: https://idp.example/metadata
  subject: integration@example.com
  audience: https://login.example
  recipient: https://login.example/token
  attributes: {email: integration@example.com}
  lifetime: 5m
  form: Assertion
  encoding: Base64
target:
  name: target
  type: Opaque
  template:
    metadata:
      labels: {team: crm}
      annotations: {note: hello}
    data: {token.json: "{{ .AccessToken | toJson }}"}
  defaultKeys: Include
  deletionPolicy: Retain
renewal:
  renewBefore: 5m
  maxTokenAge: 14m
  assumedLifetime: 1h
  refreshTokenLifetime: 720h
revokeOnDelete: true
suspend: true
`

// fullStatus has every field.
const fullStatus = `
observedGeneration: 3
conditions:
  - {type: Ready, status: "True", reason: TokenIssued, message: It is., lastTransitionTime: "2026-01-31T12:00:00Z", observedGeneration: 3}
grantType: SAML2Bearer
secretName: target
tokenType: Bearer
scopes: [users]
issuedAt: "2026-01-31T12:00:00Z"
expiresAt: "2026-01-31T13:00:00Z"
renewalTime: "2026-01-31T12:40:00Z"
refreshToken: {issuedAt: "2026-01-31T12:00:00Z", expiresAt: "2026-03-01T12:00:00Z"}
authorization: {url: "https://tokens.example/authorize/x", requestedAt: "2026-01-31T12:00:00Z", subject: "248289761001"}
failures:
  count: 2
  lastTime: "2026-01-31T12:00:00Z"
  nextAttempt: "2026-01-31T12:00:10Z"
  requestHash: v1:abc
  reason: VendorUnavailable
  message: The vendor does not answer.
recentFailures: ["2026-01-31T12:00:00Z"]
lastHandledRenewRequest: "1"
`

// sampleFor is a full spec or status for trying values of the field at this path: without what excludes the field.
func sampleFor(t *testing.T, path string) map[string]any {
	t.Helper()
	text := fullSpec
	if strings.HasPrefix(path, "status") {
		text = fullStatus
	}
	var sample map[string]any
	if err := yaml.Unmarshal([]byte(text), &sample); err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.HasPrefix(path, "spec.authorizationParameters"):
		delete(sample, "saml2Bearer")
		sample["grantType"] = "AuthorizationCode"
		sample["authorizationParameters"] = map[string]any{"prompt": "login"}
	case path == "spec.renewal.renewBeforePercentage":
		delete(sample["renewal"].(map[string]any), "renewBefore")
	}
	return sample
}

// with puts a value at a path of a sample: below the first item or value where the path says [].
func with(sample any, path string, value any) any {
	_, below, _ := strings.Cut(path, ".")
	elements := strings.Split(strings.ReplaceAll(below, "[]", ".[]"), ".")
	return put(sample, elements, value)
}

func put(at any, elements []string, value any) any {
	if len(elements) == 0 || elements[0] == "" {
		return value
	}
	switch container := at.(type) {
	case []any:
		container[0] = put(container[0], elements[1:], value)
	case map[string]any:
		key := elements[0]
		if key == "[]" {
			key = slices.Sorted(maps.Keys(container))[0]
		}
		container[key] = put(container[key], elements[1:], value)
	}
	return at
}

// try asks whether a spec, for a new OAuthToken, or a status, for the one called stored, would be accepted.
func (s apiServer) try(t *testing.T, path string, sample any) answer {
	t.Helper()
	part, _, _ := strings.Cut(path, ".")
	object := map[string]any{
		"apiVersion": "tokensync.dev/v1alpha1", "kind": "OAuthToken", "metadata": map[string]any{"name": "token"}, part: sample,
	}
	content, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if part == "spec" {
		return s.tryCreate(t, content)
	}
	content, err = json.Marshal(map[string]any{part: sample})
	if err != nil {
		t.Fatal(err)
	}
	return s.merge(t, "stored/status?dryRun=All&fieldValidation=Strict", string(content))
}

// store creates the OAuthToken called stored, which status is tried on, and deletes it after the test.
func (s apiServer) store(t *testing.T) {
	t.Helper()
	s.send(t, http.MethodPost, collection, manifest(t, "stored", "")).accepted(t)
	t.Cleanup(func() {
		s.send(t, http.MethodDelete, collection+"/stored", nil)
	})
}

// indented puts a block of YAML below a key.
func indented(block string) string {
	return strings.ReplaceAll(block, "\n", "\n  ")
}
