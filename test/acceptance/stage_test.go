package acceptance_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/test/certificate"
	"tokensync.dev/tokensync/test/harness"
	"tokensync.dev/tokensync/test/judge"
)

func TestMain(m *testing.M) { harness.Main(m) }

// stage is a namespace with a running manager, and somebody with kubectl.
type stage struct {
	*harness.World

	manager *harness.Member
	values  map[string]string // what stands for ${NAME} in manifests
}

func newStage(t *testing.T) *stage {
	t.Helper()
	w := harness.NewWorld(t, nil, "--leader-elect=false")
	signing, key := certificate.New(t, "idp.acme.example")
	w.Judge.Trust(signing)
	s := &stage{World: w, manager: w.Join(), values: map[string]string{
		"ISSUER": w.Judge.URL, "HOST": strings.TrimPrefix(w.Judge.URL, "https://"), "CA": base64.StdEncoding.EncodeToString(w.Judge.CABundle),
		"SEED": w.Judge.Issue(t, judge.ClientID, "orders"), "KEY": indented(key), "CERTIFICATE": indented(signing),
	}}
	s.manager.Start()
	return s
}

func indented(text []byte) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ")
}

// apply is `kubectl apply` of a manifest in testdata.
func (s *stage) apply(name string) {
	s.TB.Helper()
	manifest, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		s.TB.Fatal(err)
	}
	s.kubectlWith(os.Expand(string(manifest), func(key string) string { return s.values[key] }), "apply", "-f", "-")
}

func (s *stage) kubectl(arguments ...string) {
	s.TB.Helper()
	s.kubectlWith("", arguments...)
}

func (s *stage) kubectlWith(input string, arguments ...string) {
	s.TB.Helper()
	arguments = append([]string{"--kubeconfig", s.manager.Kubeconfig(), "--namespace", s.Namespace}, arguments...)
	command := exec.CommandContext(s.TB.Context(), filepath.Join(kubetest.Assets(s.TB), "kubectl"), arguments...)
	command.Stdin = strings.NewReader(input)
	if out, err := command.CombinedOutput(); err != nil {
		s.TB.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}

// obtain applies a manifest, lets the person authorize where that is wanted, and returns the token once fosite accepts it.
func (s *stage) obtain(name string, interactive bool) string {
	s.TB.Helper()
	s.apply(name)
	if interactive {
		s.Authorize(name)
	}
	s.AwaitToken(name)
	served := s.Served(name)
	if !s.Judge.Accepts(served) {
		s.TB.Fatalf("%s: the server does not accept the token", name)
	}
	return served
}

// in is the same stage for a test within the test.
func (s *stage) in(t *testing.T) *stage {
	t.Helper()
	world := *s.World
	world.TB = t
	return &stage{World: &world, manager: s.manager, values: s.values}
}

// awaitReason waits until an OAuthToken is not Ready, or no more, for a reason.
func (s *stage) awaitReason(name, reason string) {
	s.TB.Helper()
	harness.Eventually(s.TB, func() string {
		token := s.Token(name)
		if c := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Status != metav1.ConditionTrue && c.Reason == reason {
			return ""
		}
		return fmt.Sprintf("%s is not %s: %+v", name, reason, token.Status.Conditions)
	})
}

func (s *stage) secretValue(name, key string) string {
	s.TB.Helper()
	secret := &corev1.Secret{}
	if err := s.Client.Get(s.TB.Context(), client.ObjectKey{Namespace: s.Namespace, Name: name}, secret); err != nil {
		s.TB.Fatal(err)
	}
	return string(secret.Data[key])
}
