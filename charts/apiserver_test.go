package charts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/internal/kubetest"
)

// TestAPIServerAcceptsWhatIsRendered has a real API server judge every object by a dry run, those of other projects' kinds with their CRDs,
// and the Deployment's pod where only restricted pods are.
func TestAPIServerAcceptsWhatIsRendered(t *testing.T) {
	warnings := &kubetest.Warnings{}
	config := kubetest.Start(t, kubetest.WithOthersCRDs(t))
	config.WarningHandlerWithContext = warnings
	cluster, err := client.New(config, client.Options{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{namespace, "team-a", "team-b", "2024", "true", "1e3"} {
		restricted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
		if err := cluster.Create(t.Context(), restricted); err != nil {
			t.Fatal(err)
		}
	}
	for about, values := range map[string]string{
		"the chart's own values":           "",
		"everything that can be turned on": everything(t),
		"some namespaces":                  "{namespaces: [team-a, team-b], networkPolicy: {enabled: true}}",
		"the namespace that it runs in":    "{namespaces: [" + namespace + "], crds: {install: false}}",
		"as little as can be":              "{replicas: 1, leaderElection: false, crds: {install: false}, metrics: {enabled: false}, rbac: {create: false, userRoles: false}, serviceAccount: {create: false, name: mine}, podDisruptionBudget: {enabled: false}, priorityClass: {create: false}, topologySpreadConstraints: [], networkPolicy: {enabled: true, metricsFrom: []}}",
		"users that the cluster picks":     "{podSecurityContext: {runAsUser: null, runAsGroup: null}}",
		"pods that don't overlap":          "{replicas: 1, strategy: {type: Recreate}}",
		"a name of numbers":                "{fullnameOverride: a1, commonLabels: {a: '1'}, commonAnnotations: {b: 'true'}}",
		"names that YAML reads as something else": "{namespaces: ['2024', 'true', '1e3'], serviceAccount: {name: '1'}, priorityClass: {create: false, name: '2'}, " +
			"portal: {enabled: true, url: 'https://tokens.example.com', ingress: {enabled: true, className: '3', tlsSecretName: '4'}}}",
	} {
		t.Run(about, func(t *testing.T) {
			objects := mustTemplate(t, values)
			for _, object := range objects {
				dryRun(t, cluster, object)
			}
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "manager-", Namespace: namespace, Labels: deployment(t, objects).Spec.Template.Labels},
				Spec:       deployment(t, objects).Spec.Template.Spec,
			}
			pod.Spec.ServiceAccountName, pod.Spec.PriorityClassName = "default", "" // none of the release is there in a dry run
			serviceAccount := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: namespace}}
			if err := client.IgnoreAlreadyExists(cluster.Create(t.Context(), serviceAccount)); err != nil {
				t.Fatal(err)
			}
			if err := cluster.Create(t.Context(), pod, client.DryRunAll); err != nil {
				t.Errorf("the pod: %v", err)
			}
		})
	}
	if diff := cmp.Diff([]string(nil), warnings.All()); diff != "" {
		t.Errorf("the API server warns (-want +got):\n%s", diff)
	}
}

// TestPodsThatNoLongerOverlap does to an installed Deployment what docs/installation.md tells: the API server refuses what it has filled in itself
// beside Recreate, and whoever applies does not take that away.
func TestPodsThatNoLongerOverlap(t *testing.T) {
	cluster, err := client.New(kubetest.Start(t), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	helm := func(values string) error {
		rendered := object(t, mustTemplate(t, values), "Deployment", "")
		return cluster.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(rendered), client.FieldOwner("helm"))
	}
	const recreate = "{replicas: 1, leaderElection: false, strategy: {type: Recreate}}"
	if err := helm(""); err != nil {
		t.Fatal(err)
	}
	if err := helm(recreate); err == nil {
		t.Error("the patch is no longer needed")
	}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}`))
	there := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "tokensync-manager", Namespace: namespace}}
	if err := cluster.Patch(t.Context(), there, patch, client.FieldOwner("kubectl-patch")); err != nil {
		t.Fatal(err)
	}
	if err := helm(recreate); err != nil {
		t.Error(err)
	}
}

func dryRun(t *testing.T, cluster client.Client, object *unstructured.Unstructured) {
	t.Helper()
	err := cluster.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object),
		client.FieldOwner("helm"), client.ForceOwnership, client.DryRunAll)
	if err != nil {
		t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}
