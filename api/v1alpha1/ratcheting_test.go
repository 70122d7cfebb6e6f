package v1alpha1_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// looseObjects violate rules of today, as objects could that were stored under an older CRD.
func looseObjects(t *testing.T) map[string][]byte {
	t.Helper()
	return map[string][]byte{
		"duration":      manifest(t, "duration", `renewal: {renewBefore: banana, maxTokenAge: 99999999999h, renewBeforePercentage: 1000}`),
		"url":           manifest(t, "url", `endpoints: {tokenURL: "ftp://a.example"}`),
		"combination":   manifest(t, "combination", `{vendor: generic, saml2Bearer: {issuer: ""}, parameters: {grant_type: x}}`),
		"enum":          manifest(t, "enum", `{grantType: none, target: {type: kubernetes.io/tls, name: credentials}}`),
		"credentials":   manifest(t, "credentials", ``), // names its own credentials as target: a rule of the whole object
		"x-oauth-state": manifest(t, "x-oauth-state", ``),
	}
}

// testRatcheting shows that a CRD with new rules may be applied over objects that violate them: they are read, their status and
// metadata are written, and they can go; only the fault itself can't be written anew.
func (s apiServer) testRatcheting(t *testing.T) {
	s.replaceDefinition(t, loosen)
	t.Cleanup(func() { s.replaceDefinition(t, nil) })
	s.awaitRefusal(t, "banana", false)
	objects := looseObjects(t)
	for _, object := range objects {
		s.send(t, http.MethodPost, collection, object).accepted(t)
	}
	s.replaceDefinition(t, nil)
	s.awaitRefusal(t, "banana", true)

	t.Run("the cache holds all of them", func(t *testing.T) { s.testCacheHolds(t, objects) })
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		t.Run(name, func(t *testing.T) {
			s.merge(t, name+"/status", `{"status":{"observedGeneration":1,"secretName":"x"}}`).accepted(t)
			s.merge(t, name, `{"metadata":{"annotations":{"tokensync.dev/renew-requested-at":"1"},"finalizers":["tokensync.dev/revoke"]}}`).accepted(t)
			s.merge(t, name, `{"spec":{"renewal":{"assumedLifetime":"potato"}}}`).refused(t)
			s.merge(t, name, `{"metadata":{"finalizers":null}}`).accepted(t)
			s.send(t, http.MethodDelete, collection+"/"+name, nil).accepted(t)
		})
	}
}

// testCacheHolds reads the objects by the cache that the operator uses. One that it can't decode would stop it.
func (s apiServer) testCacheHolds(t *testing.T, objects map[string][]byte) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	objectCache, err := cache.New(s.config, cache.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := objectCache.GetInformer(ctx, &v1alpha1.OAuthToken{}, cache.BlockUntilSynced(false)); err != nil {
		t.Fatal(err)
	}
	go func() { _ = objectCache.Start(ctx) }()
	if !objectCache.WaitForCacheSync(ctx) {
		t.Fatal("the cache does not start: an object can't be decoded")
	}
	var list v1alpha1.OAuthTokenList
	if err := objectCache.List(ctx, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != len(objects) {
		t.Errorf("the cache holds %d objects, want %d", len(list.Items), len(objects))
	}
	var token v1alpha1.OAuthToken
	if err := objectCache.Get(ctx, client.ObjectKey{Namespace: "default", Name: "duration"}, &token); err != nil {
		t.Fatal(err)
	}
	want := []string{"spec.renewal.maxTokenAge", "spec.renewal.renewBefore"}
	if got := token.Spec.InvalidDurations(); !slices.Equal(got, want) {
		t.Errorf("invalid durations: %v, want %v", got, want)
	}
}

// loosen takes all validation out of a schema but its structure.
func loosen(s *apiextensionsv1.JSONSchemaProps) {
	s.XValidations, s.Enum, s.Pattern = nil, nil, ""
	s.MaxLength, s.MinLength, s.MaxItems, s.MinItems, s.MaxProperties, s.MinProperties = nil, nil, nil, nil, nil, nil
	s.Maximum, s.Minimum = nil, nil
	for name, property := range s.Properties {
		loosen(&property)
		s.Properties[name] = property
	}
	if s.Items != nil {
		loosen(s.Items.Schema)
	}
	if s.AdditionalProperties != nil {
		loosen(s.AdditionalProperties.Schema)
	}
}

// replaceDefinition applies the generated CRD, after a change of its schema if one is given.
func (s apiServer) replaceDefinition(t *testing.T, change func(*apiextensionsv1.JSONSchemaProps)) {
	t.Helper()
	definition := resourceDefinition(t)
	if change != nil {
		change(definition.Spec.Versions[0].Schema.OpenAPIV3Schema)
	}
	patch, err := json.Marshal(map[string]any{"spec": definition.Spec})
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, http.MethodPatch, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+definition.Name, patch,
		"Content-Type", "application/merge-patch+json").accepted(t)
}

// awaitRefusal waits until the API server goes by the CRD that was applied last: until it refuses this duration, or no longer does.
func (s apiServer) awaitRefusal(t *testing.T, duration string, refused bool) {
	t.Helper()
	object := manifest(t, "probe", `renewal: {renewBefore: `+duration+`}`)
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		return (s.tryCreate(t, object).code >= http.StatusBadRequest) == refused, nil //nolint:contextcheck // requests have the test's
	})
	if err != nil {
		t.Fatalf("the API server does not go by the new CRD: %v", err)
	}
}
