package v1alpha1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/kubetest"
)

// TestOnAPIServer shows what only an API server knows. All parts share one; the last ones change the CRD.
func TestOnAPIServer(t *testing.T) {
	server := startAPIServer(t)
	t.Run("refusals", server.testRefusals)
	t.Run("bounds", server.testBounds)
	t.Run("decoding", server.testDecoding)
	t.Run("manifests", server.testManifests)
	t.Run("columns", server.testColumns)
	t.Run("ratcheting", server.testRatcheting)
}

// collection is where the OAuthTokens of these tests are.
const collection = "/apis/tokensync.dev/v1alpha1/namespaces/default/oauthtokens"

// apiServer is an API server that is spoken to in plain HTTP, so that tests see bytes and not what a client makes of them.
type apiServer struct {
	config *rest.Config
	client *http.Client
}

func startAPIServer(t *testing.T) apiServer {
	t.Helper()
	config := kubetest.Start(t)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return apiServer{config: config, client: client}
}

// answer is what the API server said.
type answer struct {
	code int
	body []byte
}

// status of an answer that is no object.
func (a answer) status(t *testing.T) metav1.Status {
	t.Helper()
	var status metav1.Status
	if err := json.Unmarshal(a.body, &status); err != nil {
		t.Fatalf("the answer is no status: %v\n%s", err, a.body)
	}
	return status
}

// accepted fails the test unless the request was.
func (a answer) accepted(t *testing.T) answer {
	t.Helper()
	if a.code >= http.StatusBadRequest {
		t.Fatalf("refused: %s", a.status(t).Message)
	}
	return a
}

// refused fails the test unless the request was.
func (a answer) refused(t *testing.T) {
	t.Helper()
	if a.code < http.StatusBadRequest {
		t.Errorf("accepted: %s", a.body)
	}
}

// send makes a request with a body in JSON. Headers are given as pairs.
func (s apiServer) send(t *testing.T, method, path string, body []byte, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), // clean-up sends, too
		method, strings.TrimSuffix(s.config.Host, "/")+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{code: response.StatusCode, body: content}
}

// tryCreate asks whether an object would be accepted; nothing is stored. The answer is the object as it would be stored. Unknown
// fields are refused.
func (s apiServer) tryCreate(t *testing.T, object []byte) answer {
	t.Helper()
	return s.send(t, http.MethodPost, collection+"?dryRun=All&fieldValidation=Strict", object)
}

// merge patches an object or, with a subresource such as /status, a part of it.
func (s apiServer) merge(t *testing.T, resource, patch string) answer {
	t.Helper()
	return s.send(t, http.MethodPatch, collection+"/"+resource, []byte(patch), "Content-Type", "application/merge-patch+json")
}

// manifest is the JSON of an OAuthToken with this name and spec (YAML). Vendor and credentials are filled in where the spec has none.
func manifest(t *testing.T, name, spec string) []byte {
	t.Helper()
	fields := map[string]any{
		"vendor":               "genesys-cloud",
		"credentialsSecretRef": map[string]any{"name": "credentials"},
	}
	if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
		t.Fatalf("%v in\n%s", err, spec)
	}
	content, err := json.Marshal(map[string]any{
		"apiVersion": "tokensync.dev/v1alpha1", "kind": "OAuthToken", "metadata": map[string]any{"name": name}, "spec": fields,
	})
	if err != nil {
		t.Fatal(err)
	}
	return content
}
