package rbac_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/test/harness"
)

// site is a namespace with a manager under roles of its own.
type site struct {
	*harness.World

	t       *testing.T
	member  *harness.Member
	metrics string // address

	readerToken string // of who may read metrics
}

// newSite installs roles in a new namespace. The manager does not run yet.
func newSite(t *testing.T, roles []role, flags ...string) *site {
	t.Helper()
	metrics := harness.FreeAddress(t)
	s := &site{t: t, metrics: metrics}
	s.World = harness.NewWorld(t, nil, append([]string{"--metrics-bind-address=" + metrics, "--metrics-authorization=true"}, flags...)...)
	s.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account, Namespace: s.Namespace}})
	for _, r := range roles {
		s.bind(r, account)
	}
	s.member = s.JoinAs(account)
	return s
}

// bind makes a role and binds it to a ServiceAccount of the namespace. One for the whole cluster has the namespace in its name.
func (s *site) bind(r role, to string) {
	s.t.Helper()
	in := metav1.ObjectMeta{Name: r.name, Namespace: s.Namespace}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: to, Namespace: s.Namespace}}
	if !r.clusterWide {
		s.create(&rbacv1.Role{ObjectMeta: in, Rules: r.policies()})
		s.create(&rbacv1.RoleBinding{ObjectMeta: in, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: r.name}})
		return
	}
	all := metav1.ObjectMeta{Name: s.Namespace + "-" + r.name}
	s.create(&rbacv1.ClusterRole{ObjectMeta: all, Rules: r.policies()})
	s.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: all, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: all.Name},
	})
}

// grant gives a rule that was taken away.
func (s *site) grant(r rule, roles []role) {
	s.t.Helper()
	for _, of := range roles {
		if of.name == r.role {
			s.bind(role{name: of.name + "-again", clusterWide: of.clusterWide, rules: []rule{r}}, account)
		}
	}
}

func (s *site) create(object client.Object) {
	s.t.Helper()
	if err := s.Client.Create(context.Background(), object); err != nil {
		s.t.Fatalf("%T %s: %v", object, object.GetName(), err)
	}
}

func (s *site) delete(object client.Object, name string) {
	s.t.Helper()
	object.SetNamespace(s.Namespace)
	object.SetName(name)
	if err := s.Client.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
}

// find reads an object of the namespace, and tells whether it is there.
func (s *site) find(object client.Object, name string) bool {
	s.t.Helper()
	err := s.Client.Get(context.Background(), client.ObjectKey{Namespace: s.Namespace, Name: name}, object)
	if client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
	return err == nil
}

// reader makes a ServiceAccount that may read metrics by the role for that, and returns its token.
func (s *site) reader() string {
	s.t.Helper()
	s.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "prometheus", Namespace: s.Namespace}})
	s.bind(rolesOf(s.t, "default")[metricsReader], "prometheus")
	return s.AccountToken("prometheus")
}

// scrape reads the metrics as whom a token is for, and returns the status of the answer.
func (s *site) scrape(token string) int {
	s.t.Helper()
	ask, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "https://"+s.metrics+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		ask.Header.Set("Authorization", "Bearer "+token)
	}
	anyone := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	answer, err := anyone.Do(ask)
	if err != nil {
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}
