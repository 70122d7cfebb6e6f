package docs_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/internal/kubetest"
)

// TestSamples has every block with an OAuthToken judged by an API server, and the Secrets, Pods and others beside it.
func TestSamples(t *testing.T) {
	cluster, err := client.New(kubetest.Start(t), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tokens := 0
	for file, p := range pages(t) {
		for _, block := range p.programs["yaml"] {
			objects, err := decode(block)
			if err != nil {
				t.Errorf("%s: %v in\n%s", file, err, block)
			}
			if !strings.Contains("\n"+block, "\nkind: OAuthToken\n") {
				continue
			}
			for _, object := range objects {
				if object.GetKind() == "OAuthToken" {
					tokens++
				}
				if object.GetNamespace() == "" {
					object.SetNamespace(metav1.NamespaceDefault)
				}
				if err := cluster.Create(t.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
					t.Errorf("%s: %s %s: %v", file, object.GetKind(), object.GetName(), err)
				}
			}
		}
	}
	if tokens < 10 {
		t.Errorf("only %d OAuthTokens found in the pages", tokens)
	}
}

// decode reads a block's documents. Some are a part of an object, without a kind.
func decode(block string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLToJSONDecoder(strings.NewReader(block))
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, err
		}
		objects = append(objects, object)
	}
}
