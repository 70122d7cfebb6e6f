package leaks

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// hashKeySecret is the Secret that holds the manager's own key.
const hashKeySecret = "tokensync-hash-key"

// Leak is a secret in a place where it must not be.
type Leak struct{ Where, What string }

// Leaks searches every place.
func (s *Stage) Leaks() []Leak {
	s.TB.Helper()
	s.tokens()
	var leaks []Leak
	look := func(where string, text []byte, meant Meant) {
		for _, found := range s.Canaries.Find(text, meant) {
			leaks = append(leaks, Leak{where, found})
		}
	}
	objects := s.objects()
	for _, object := range objects { // first: the hash key becomes a canary
		s.lookAt(object, look)
	}
	look("the manager's log", []byte(s.Manager.Log()), Any())
	for _, seen := range slices.Concat(s.api.all(), s.pages.all()) {
		look(seen.where, seen.text, Any(seen.meant...))
	}
	for address, scheme := range map[string]string{s.Metrics: "https", s.Portal: "http"} {
		for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/debug/pprof/cmdline", "/debug/vars"} {
			status, body := fetch(scheme + "://" + address + path)
			look(path, body, Any())
			if served := status == http.StatusOK; served && path != "/metrics" {
				leaks = append(leaks, Leak{path, "it is served, and by default nothing of it should be"})
			}
		}
	}
	return leaks
}

// fetch reads what is served; nothing where nothing is.
func fetch(address string) (status int, body []byte) {
	asking := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	answer, err := asking.Get(address)
	if err != nil {
		return 0, nil
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil
	}
	return answer.StatusCode, body
}

// objects are all that the cluster has, of every kind that can be listed.
func (s *Stage) objects() []unstructured.Unstructured {
	s.TB.Helper()
	config := s.Config()
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(config).ServerPreferredResources()
	if err != nil {
		s.TB.Fatal(err)
	}
	reader := dynamic.NewForConfigOrDie(rest.CopyConfig(config))
	var all []unstructured.Unstructured
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			s.TB.Fatal(err)
		}
		for i := range list.APIResources {
			resource := &list.APIResources[i]
			if !strings.Contains(strings.Join(resource.Verbs, " "), "list") {
				continue
			}
			found, err := reader.Resource(version.WithResource(resource.Name)).List(s.TB.Context(), metav1.ListOptions{})
			if err != nil {
				s.TB.Fatalf("list %s: %v", resource.Name, err)
			}
			all = append(all, found.Items...)
		}
	}
	return all
}

// lookAt searches one object: of a Secret, all but what is meant to be in it.
func (s *Stage) lookAt(object unstructured.Unstructured, look func(where string, text []byte, meant Meant)) {
	where := fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
	meant := Any()
	switch object.GetKind() {
	case "Secret":
		s.lookInto(object, look)
		unstructured.RemoveNestedField(object.Object, "data")
	case "OAuthToken":
		meant = Of(object.GetName(), Ticket)
	}
	text, err := json.Marshal(object.Object)
	if err != nil {
		s.TB.Fatal(err)
	}
	look(where, text, meant)
}

// lookInto searches the values of a Secret for what belongs into another one.
func (s *Stage) lookInto(object unstructured.Unstructured, look func(where string, text []byte, meant Meant)) {
	secret := &corev1.Secret{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, secret); err != nil {
		s.TB.Fatal(err)
	}
	meant := Any()
	switch secret.Labels[v1alpha1.RoleLabel] {
	case v1alpha1.RoleTarget: // each has the name of its OAuthToken
		meant = Of(secret.Name, AccessToken, IDToken, Claims, ClientID)
	case v1alpha1.RoleState:
		meant = Of(strings.TrimSuffix(secret.Name, v1alpha1.StateSecretSuffix), RefreshToken, Code, Verifier, State, ClientID)
	}
	for key, value := range secret.Data {
		switch {
		case secret.Name == hashKeySecret:
			s.Canaries.Add(HashKey, "the manager", string(value))
			meant = Any(HashKey)
		case secret.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleCredentials, secret.Labels[v1alpha1.RoleLabel] == "":
			continue // a test wrote it
		}
		look(fmt.Sprintf("Secret %s/%s, key %s", secret.Namespace, secret.Name, key), value, meant)
	}
}
