package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// maxManifest bounds a file of manifests.
const maxManifest = 16 << 20

// manifest is what a file declares.
type manifest struct {
	tokens  []*v1alpha1.OAuthToken
	secrets []*corev1.Secret
	others  []string // kinds that are of no concern here
}

// secret is the Secret of a name and namespace; nil: the file has none.
func (m *manifest) secret(namespace, name string) *corev1.Secret {
	for _, secret := range m.secrets {
		if secret.Namespace == namespace && secret.Name == name {
			return secret
		}
	}
	return nil
}

// openManifest reads a file, or what is piped in.
func openManifest(path string, in io.Reader, namespace string) (*manifest, error) {
	if path == "-" {
		return readManifest(in, namespace)
	}
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return readManifest(file, namespace)
}

// readManifest reads documents of YAML or JSON. Objects without a namespace get the one given.
func readManifest(in io.Reader, namespace string) (*manifest, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	reader := manifestReader{
		namespace: namespace, found: &manifest{},
		strict: json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true}),
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(io.LimitReader(in, maxManifest)))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return reader.found, nil
		}
		if err == nil {
			err = reader.take(document)
		}
		if err != nil {
			return nil, fmt.Errorf("document %d of the file: %w", number, err)
		}
	}
}

type manifestReader struct {
	namespace string
	strict    runtime.Decoder
	found     *manifest
}

// take reads one document.
func (r *manifestReader) take(document []byte) error {
	if isBlank(document) {
		return nil
	}
	object, kind, err := r.strict.Decode(document, nil, nil)
	switch {
	case runtime.IsNotRegisteredError(err):
		r.found.others = append(r.found.others, kind.Kind)
		return nil
	case runtime.IsMissingKind(err), runtime.IsMissingVersion(err):
		return errors.New("this is no Kubernetes object: apiVersion or kind is missing")
	case err != nil:
		return errors.New(withoutValues(err))
	}
	return r.keep(object, kind.Kind)
}

func (r *manifestReader) keep(object runtime.Object, kind string) error {
	switch o := object.(type) {
	case *v1alpha1.OAuthToken:
		if o.Namespace == "" {
			o.Namespace = r.namespace
		}
		r.found.tokens = append(r.found.tokens, o)
	case *corev1.Secret:
		if o.Namespace == "" {
			o.Namespace = r.namespace
		}
		r.found.secrets = append(r.found.secrets, asStored(o))
	case *corev1.List:
		for i := range o.Items {
			if err := r.take(o.Items[i].Raw); err != nil {
				return err
			}
		}
	default:
		r.found.others = append(r.found.others, kind)
	}
	return nil
}

// isBlank tells whether a document holds nothing but comments.
func isBlank(document []byte) bool {
	for line := range bytes.SplitSeq(document, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}

// asStored is a Secret as the API server keeps it: stringData goes into data.
func asStored(secret *corev1.Secret) *corev1.Secret {
	for key, value := range secret.StringData {
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[key] = []byte(value)
	}
	secret.StringData = nil
	return secret
}

// quoted is what a decoder quotes of a document: a value, such as that of a password which begins with an asterisk, or the name of a field.
var quoted = regexp.MustCompile("'[^']*'|`[^`]*`")

// withoutValues is what is wrong with a document. Decoders quote names of fields in double quotes, and values in others.
func withoutValues(err error) string {
	text := quoted.ReplaceAllString(strings.TrimPrefix(err.Error(), "strict decoding error: "), "…")
	if strings.Contains(text, "cannot unmarshal number") || strings.Contains(text, "cannot unmarshal bool") {
		text += ": put the value in quotes"
	}
	return text
}
