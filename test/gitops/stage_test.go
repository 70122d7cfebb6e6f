//go:build cluster

package gitops_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/harness"
)

// TestMain removes the manager's binary.
func TestMain(m *testing.M) { harness.Main(m) }

// Tokens live for long, so that a busy machine makes none expire, and are renewed often.
const (
	life = time.Hour
	age  = "30s"
)

// eventually waits longer than for one process's work, and asks less often: a cluster and Argo CD share the machine with it.
func eventually(tb testing.TB, check func() string) {
	tb.Helper()
	harness.Within(tb, 3*time.Minute, 250*time.Millisecond, check)
}

// stage is a cluster with a real Argo CD beside it, and a vendor. The manager is started by the first test.
type stage struct {
	client.WithWatch // an administrator's

	tb         testing.TB
	kubeconfig string
	argocd     string
	vendor     *oauthtest.Server
}

// openStage starts what is missing. KUBECONFIG is a cluster without Tokensync; with LAB, a script makes one and removes it afterwards.
func openStage(tb testing.TB) *stage {
	tb.Helper()
	s := &stage{tb: tb, argocd: os.Getenv("ARGOCD_LAB"), kubeconfig: os.Getenv("KUBECONFIG")}
	lab := os.Getenv("LAB")
	switch {
	case s.argocd == "":
		tb.Fatal("ARGOCD_LAB is not set: the script that runs Argo CD beside a cluster (see doc.go)")
	case lab == "" && s.kubeconfig == "":
		tb.Fatal("neither LAB nor KUBECONFIG is set: which cluster? (see doc.go)")
	case s.kubeconfig == "":
		if os.Getenv("CLUSTER_LAB_HOME") == "" { // the script's own default may be in use, and the end of this test removes what is there
			cache, err := os.UserCacheDir()
			if err != nil {
				tb.Fatal(err)
			}
			tb.Setenv("CLUSTER_LAB_HOME", filepath.Join(cache, "tokensync-gitops"))
		}
		tb.Cleanup(func() { output(tb, lab, "down", "--purge") })
		output(tb, lab, "up")
		s.kubeconfig = strings.TrimSpace(output(tb, lab, "kubeconfig"))
	}
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		tb.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	config.QPS = -1
	if s.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		tb.Fatal(err)
	}
	s.vendor = oauthtest.Serve(tb)
	tb.Cleanup(func() { output(tb, s.argocd, "down") })
	output(tb, s.argocd, "up", "--kubeconfig", s.kubeconfig)
	output(tb, s.argocd, "config", settingsFile(tb))
	return s
}

func settingsFile(tb testing.TB) string {
	tb.Helper()
	file, err := filepath.Abs(filepath.Join(root, "config", "argocd", "argocd-cm.yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

// output is what a program prints to standard output.
func output(tb testing.TB, program string, arguments ...string) string {
	tb.Helper()
	out, err := attempt(program, arguments...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func attempt(program string, arguments ...string) (string, error) {
	command := exec.Command(program, arguments...)
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		err = &failure{command.String(), err, string(out) + complaints.String()}
	}
	return string(out), err
}

type failure struct {
	command string
	err     error
	output  string
}

// Error implements error.
func (f *failure) Error() string { return f.command + ": " + f.err.Error() + "\n" + f.output }

// register makes a client known to the vendor under the name of an Application.
func (s *stage) register(name string) {
	s.vendor.Register(oauthtest.Client{
		Vendor: oauthtest.Generic, ID: name, Secret: "a-secret", Scopes: []string{"orders"}, Lifetime: life,
		Grants: []string{oauthtest.ClientCredentials, oauthtest.RefreshToken}, RefreshTokens: true, Rotation: oauthtest.Rotate,
	})
}

// credentials makes the namespace and the Secret that Git does not hold.
func (s *stage) credentials(tb testing.TB, name string, more map[string]string) {
	tb.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := s.Create(context.Background(), namespace); err != nil {
		tb.Fatal(err)
	}
	s.credentialsIn(tb, name, more)
}

// credentialsIn makes the Secret in a namespace that is there, or soon will be.
func (s *stage) credentialsIn(tb testing.TB, name string, more map[string]string) {
	tb.Helper()
	tb.Cleanup(func() {
		_ = s.Delete(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	})
	s.register(name)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: name, Name: "client", Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials},
			Annotations: map[string]string{v1alpha1.AllowedHostsAnnotation: s.vendor.Host()},
		},
		StringData: map[string]string{"client_id": name, "client_secret": "a-secret"},
	}
	maps.Copy(secret.StringData, more)
	eventually(tb, func() string { // Argo CD makes the namespace
		if err := s.Create(context.Background(), secret); err != nil {
			return err.Error()
		}
		return ""
	})
}

// manifest is an OAuthToken as Git has it.
func (s *stage) manifest(tb testing.TB, name string, change ...func(o object)) string {
	tb.Helper()
	o := object{
		"apiVersion": "tokensync.dev/v1alpha1", "kind": "OAuthToken", "metadata": object{"name": name},
		"spec": object{
			"vendor": "generic", "grantType": "ClientCredentials", "scopes": []string{"orders"}, "caBundle": s.vendor.CABundle(),
			"credentialsSecretRef": object{"name": "client"}, "renewal": object{"maxTokenAge": age}, "endpoints": object{
				"tokenURL": s.vendor.TokenURL(oauthtest.Generic), "revocationURL": s.vendor.RevocationURL(oauthtest.Generic),
			},
		},
	}
	for _, c := range change {
		c(o)
	}
	content, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}

// specified sets a field of the spec.
func specified(field string, value any) func(o object) {
	return func(o object) { o["spec"].(object)[field] = value }
}

// token reads an OAuthToken; nil: it is not there.
func (s *stage) token(tb testing.TB, namespace, name string) *v1alpha1.OAuthToken {
	tb.Helper()
	token := &v1alpha1.OAuthToken{}
	err := s.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, token)
	if client.IgnoreNotFound(err) != nil {
		tb.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return token
}

// secret reads a Secret; nil: it is not there.
func (s *stage) secret(tb testing.TB, namespace, name string) *corev1.Secret {
	tb.Helper()
	secret := &corev1.Secret{}
	err := s.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, secret)
	if client.IgnoreNotFound(err) != nil {
		tb.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return secret
}

// awaitRenewals waits until the token was renewed some times.
func (s *stage) awaitRenewals(tb testing.TB, namespace, name string, n int) {
	tb.Helper()
	for range n {
		before := s.token(tb, namespace, name).Status.IssuedAt
		eventually(tb, func() string {
			if now := s.token(tb, namespace, name).Status.IssuedAt; now == nil || before != nil && !now.After(before.Time) {
				return "no new token"
			}
			return ""
		})
	}
}
