package charts_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tokensync.dev/tokensync/internal/kubetest"
)

// TestKustomizeAndHelmRenderTheSame compares what people get who choose one or the other.
func TestKustomizeAndHelmRenderTheSame(t *testing.T) {
	for about, c := range map[string]struct {
		folders   []string // of config
		values    string
		namespace string
	}{
		"the default": {[]string{"default"}, "", namespace},
		"the portal": {
			[]string{"portal", "portal/samples"},
			`portal:
  enabled: true
  url: https://tokensync.example.com
  ingress: {enabled: true, className: nginx, tlsSecretName: tokensync-portal-tls}
  httpRoute: {enabled: true, parentRefs: [{name: internal, namespace: gateways}]}`, namespace,
		},
		"one namespace": {[]string{"namespaced"}, "{namespaces: [team-a], crds: {install: false}}", "team-a"},
		"monitoring": {
			[]string{"default", "prometheus"},
			"metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboard: {enabled: true}}", namespace,
		},
		"a network policy": {[]string{"default", "network-policy"}, "networkPolicy: {enabled: true}", namespace},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			var want []*unstructured.Unstructured
			for _, folder := range c.folders {
				want = append(want, kubetest.Kustomize(t, folder)...)
			}
			got := mustTemplate(t, c.values, "--namespace", c.namespace)
			if diff := cmp.Diff(normal(want, c.namespace), normal(got, c.namespace)); diff != "" {
				t.Errorf("-kustomize +helm:\n%s", diff)
			}
		})
	}
}

// normal takes away what has to differ, and returns the objects by kind and name.
func normal(objects []*unstructured.Unstructured, namespace string) map[string]map[string]any {
	all := map[string]map[string]any{}
	for _, object := range objects {
		if object.GetKind() == "Namespace" {
			continue // Helm makes it by --create-namespace
		}
		labels, annotations := object.GetLabels(), object.GetAnnotations()
		for _, name := range []string{"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"} {
			delete(labels, name)
		}
		delete(annotations, "helm.sh/resource-policy")
		object.SetLabels(labels)
		object.SetAnnotations(annotations)
		if object.GetKind() == "Deployment" {
			sortArguments(object, namespace)
		}
		all[object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName()] = object.Object
	}
	return all
}

// sortArguments, since their order means nothing, and puts the namespace in the place of what means the same.
func sortArguments(deployment *unstructured.Unstructured, namespace string) {
	containers, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	container := containers[0].(map[string]any)
	arguments, _, _ := unstructured.NestedStringSlice(container, "args")
	for i, argument := range arguments {
		arguments[i] = strings.ReplaceAll(argument, "$(POD_NAMESPACE)", namespace)
	}
	slices.Sort(arguments)
	_ = unstructured.SetNestedStringSlice(container, arguments, "args")
	_ = unstructured.SetNestedSlice(deployment.Object, containers, "spec", "template", "spec", "containers")
}
