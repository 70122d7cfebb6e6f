package e2e

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
)

// Inventory is every object of the cluster, as "Kind namespace/name", but for what a cluster makes and drops by itself.
func (c *Cluster) Inventory() map[string]bool {
	c.TB.Helper()
	lists, err := discovery.ServerPreferredResources(c.Core.Discovery())
	if err != nil {
		c.TB.Logf("a part of the API did not answer: %v", err)
	}
	reader, err := metadata.NewForConfig(c.Config)
	if err != nil {
		c.TB.Fatal(err)
	}
	found := map[string]bool{}
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			c.TB.Fatal(err)
		}
		for i := range list.APIResources {
			if r := &list.APIResources[i]; slices.Contains(r.Verbs, "list") && !slices.Contains(uncounted(), r.Kind) {
				count(found, reader.Resource(group.WithResource(r.Name)), r.Kind)
			}
		}
	}
	return found
}

// count adds the objects of a kind to what was found.
func count(found map[string]bool, resource metadata.Getter, kind string) {
	objects, err := resource.List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return // its kind went in between
	}
	for i := range objects.Items {
		if o := &objects.Items[i]; !comesByItself(kind, o.Name) {
			found[kind+" "+strings.TrimPrefix(o.Namespace+"/"+o.Name, "/")] = true
		}
	}
}

// uncounted are kinds that end by themselves, and those that the API serves only for old clients.
func uncounted() []string { return []string{"Event", "ComponentStatus", "Endpoints"} }

// comesByItself tells what a cluster gives every namespace, and what it keeps of the address that somebody called from.
func comesByItself(kind, name string) bool {
	return name == "kube-root-ca.crt" || kind == "ServiceAccount" && name == "default" || kind == "Lease" && strings.HasPrefix(name, "apiserver-")
}
