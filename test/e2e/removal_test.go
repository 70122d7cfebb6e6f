//go:build cluster

package e2e

import (
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// removal removes OAuthTokens and operator in the documented order. Before is what the cluster held when there was neither.
func removal(s *Stage, before map[string]bool) {
	for _, pod := range []string{"reader", "keeper"} {
		s.Remove(team, pod)
	}
	kept := s.credentials(team, "examples")
	for _, retained := range []string{seeded, seeded + v1alpha1.StateSecretSuffix} { // by their deletionPolicy
		kept["Secret team/"+retained] = true
	}
	data := s.Secret(team, seeded).Data

	s.Kubectl("delete", "oauthtokens", "--all", "--all-namespaces", "--cascade=foreground", "--timeout="+patience.String())
	s.Kubectl("delete", "-k", current(s), "--timeout="+patience.String())

	want := slices.Sorted(maps.Keys(kept))
	s.Await(func() string {
		var more []string
		for object := range s.Inventory() {
			if !before[object] && !scenery(object) {
				more = append(more, object)
			}
		}
		slices.Sort(more)
		return cmp.Diff(want, more)
	})
	if !cmp.Equal(data, s.Secret(team, seeded).Data) {
		s.TB.Error("the Secret that is retained has changed")
	}
}

// credentials are the Secrets of the users.
func (c *Cluster) credentials(namespaces ...string) map[string]bool {
	c.TB.Helper()
	kept := map[string]bool{}
	for _, namespace := range namespaces {
		var secrets corev1.SecretList
		c.ListIn(namespace, &secrets, client.MatchingLabels{v1alpha1.RoleLabel: v1alpha1.RoleCredentials})
		for i := range secrets.Items {
			kept["Secret "+namespace+"/"+secrets.Items[i].Name] = true
		}
	}
	return kept
}

// scenery is what the suite itself put up since, and takes no part in the operator's removal.
func scenery(object string) bool {
	return object == "Namespace examples"
}
