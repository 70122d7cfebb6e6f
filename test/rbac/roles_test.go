package rbac_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"tokensync.dev/tokensync/internal/kubetest"
)

const (
	// account is the ServiceAccount of the manager.
	account = "tokensync-manager"
	// metricsReader is the role of who reads metrics.
	metricsReader = "tokensync-metrics-reader"
)

// role is one of an installation.
type role struct {
	name        string
	clusterWide bool
	labels      map[string]string
	rules       []rule
}

// rule is one verb for one resource, or for a path that is none's.
type rule struct{ role, verb, group, resource, name, path string }

// String names a rule as tests do: create secrets, update leases.coordination.k8s.io, get /metrics.
func (r rule) String() string {
	if r.path != "" {
		return r.verb + " " + r.path
	}
	if r.group == "" {
		return r.verb + " " + r.resource
	}
	resource, sub, _ := strings.Cut(r.resource, "/")
	return strings.TrimSuffix(r.verb+" "+resource+"."+r.group+"/"+sub, "/")
}

// policy is the rule as RBAC has it.
func (r rule) policy() rbacv1.PolicyRule {
	if r.path != "" {
		return rbacv1.PolicyRule{Verbs: []string{r.verb}, NonResourceURLs: []string{r.path}}
	}
	p := rbacv1.PolicyRule{Verbs: []string{r.verb}, APIGroups: []string{r.group}, Resources: []string{r.resource}}
	if r.name != "" {
		p.ResourceNames = []string{r.name}
	}
	return p
}

// rolesOf are the roles of a folder of config, by name, as kustomize renders them.
func rolesOf(t *testing.T, folder string) map[string]role {
	t.Helper()
	roles := map[string]role{}
	for _, object := range kubetest.Kustomize(t, folder) {
		if kind := object.GetKind(); kind == "Role" || kind == "ClusterRole" {
			roles[object.GetName()] = takeApart(t, object)
		}
	}
	return roles
}

func takeApart(t *testing.T, object *unstructured.Unstructured) role {
	t.Helper()
	var typed rbacv1.ClusterRole // a Role has the same fields
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
		t.Fatal(err)
	}
	parts := role{name: typed.Name, clusterWide: object.GetKind() == "ClusterRole", labels: typed.Labels}
	for _, p := range typed.Rules {
		if slices.Contains(slices.Concat(p.APIGroups, p.Resources, p.Verbs, p.NonResourceURLs), "*") {
			t.Errorf("%s grants more than what can be named: %+v", typed.Name, p)
		}
		if len(p.ResourceNames) == 0 {
			p.ResourceNames = []string{""}
		}
		for _, path := range p.NonResourceURLs {
			for _, verb := range p.Verbs {
				parts.rules = append(parts.rules, rule{role: typed.Name, verb: verb, path: path})
			}
		}
		for _, group := range p.APIGroups {
			for _, resource := range p.Resources {
				for _, name := range p.ResourceNames {
					for _, verb := range p.Verbs {
						parts.rules = append(parts.rules, rule{role: typed.Name, verb: verb, group: group, resource: resource, name: name})
					}
				}
			}
		}
	}
	return parts
}

// managersRoles are those of the manager, without the ones for people.
func managersRoles(t *testing.T, folder string) []role {
	t.Helper()
	var found []role
	for _, r := range rolesOf(t, folder) {
		if !strings.HasPrefix(r.name, "tokensync-oauthtoken-") && r.name != metricsReader {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b role) int { return cmp.Compare(a.name, b.name) })
	if len(found) < 2 {
		t.Fatalf("config/%s has %d roles for the manager, so this test says nothing", folder, len(found))
	}
	return found
}

// granted are all rules of roles, by name.
func granted(t *testing.T, roles []role) map[string]rule {
	t.Helper()
	rules := map[string]rule{}
	for _, of := range roles {
		for _, r := range of.rules {
			if other, twice := rules[r.String()]; twice {
				t.Errorf("%s is granted twice: by %s and by %s", r, other.role, r.role)
			}
			rules[r.String()] = r
		}
	}
	return rules
}

// without are roles less one rule.
func without(roles []role, removed rule) []role {
	var left []role
	for _, r := range roles {
		r.rules = slices.DeleteFunc(slices.Clone(r.rules), func(other rule) bool { return other == removed })
		left = append(left, r)
	}
	return left
}

// policies are the rules of a role as RBAC has them.
func (r role) policies() []rbacv1.PolicyRule {
	var all []rbacv1.PolicyRule
	for _, one := range r.rules {
		all = append(all, one.policy())
	}
	return all
}
