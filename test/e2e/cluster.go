package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/test/harness"
)

// patience is how long something may take that a cluster does by itself, on a busy machine.
const patience = 3 * time.Minute

// Cluster is where a test plays.
type Cluster struct {
	client.Client // an administrator's

	TB         testing.TB
	Core       kubernetes.Interface
	Config     *rest.Config
	whole      testing.TB // the test that TB may be a part of
	kubeconfig string
	lab        *lab // nil: somebody else's cluster
}

// Open makes a cluster by LAB, or takes the one of KUBECONFIG. Settings are the script's.
func Open(tb testing.TB, name string, number int, settings ...string) *Cluster {
	tb.Helper()
	c := &Cluster{TB: tb, whole: tb, kubeconfig: os.Getenv("KUBECONFIG")}
	if os.Getenv("LAB") != "" {
		c.lab = openLab(tb, name, number, settings...)
		c.kubeconfig = c.lab.kubeconfig(tb)
	}
	if c.kubeconfig == "" {
		tb.Fatal("no cluster: set LAB or KUBECONFIG; the package's documentation says what they are")
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		tb.Fatal(err)
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	if c.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		tb.Fatal(err)
	}
	c.Config, c.Core = config, kubernetes.NewForConfigOrDie(config)
	return c
}

// In is the cluster for a subtest.
func (c *Cluster) In(tb testing.TB) *Cluster {
	tb.Helper()
	inner := *c
	inner.TB = tb
	return &inner
}

// NeedsLab ends a subtest by name where the cluster is somebody else's.
func (c *Cluster) NeedsLab(why string) {
	c.TB.Helper()
	if c.lab == nil {
		c.TB.Skipf("NOT RUN: %s needs LAB", why)
	}
}

// Kubectl runs kubectl, the one that users have, and returns what it printed.
func (c *Cluster) Kubectl(arguments ...string) string {
	c.TB.Helper()
	program, err := exec.LookPath("kubectl")
	if err != nil {
		program = filepath.Join(kubetest.Assets(c.TB), "kubectl")
	}
	return run(c.TB, kubetest.Root(), append(os.Environ(), "KUBECONFIG="+c.kubeconfig), program, arguments...)
}

// Await waits for what a check, which returns "" once it is satisfied, complains about.
func (c *Cluster) Await(check func() string) {
	c.TB.Helper()
	harness.Within(c.TB, patience, 300*time.Millisecond, check)
}

// Make creates objects, or fails.
func (c *Cluster) Make(objects ...client.Object) {
	c.TB.Helper()
	for _, object := range objects {
		if err := c.Create(context.Background(), object); err != nil {
			c.TB.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// Namespace makes a namespace in which pods are held to the restricted standard.
func (c *Cluster) Namespace(name string) {
	c.TB.Helper()
	labels := map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	c.Make(namespace)
	c.Afterwards(func() {
		_ = c.Delete(context.Background(), namespace)
		c.In(c.whole).Kubectl("wait", "--for=delete", "namespace/"+name, "--timeout="+patience.String())
	})
}

// Afterwards removes something from somebody else's cluster once all is over. What a failed test made stays, to be looked at.
func (c *Cluster) Afterwards(remove func()) {
	if c.lab != nil {
		return // it goes with the cluster
	}
	c.whole.Cleanup(func() {
		if !c.whole.Failed() {
			remove()
		}
	})
}

// Look is how often the kubelets look after mounted Secrets, the one that looks least: what applications see of a renewal depends on it.
func (c *Cluster) Look() time.Duration {
	c.TB.Helper()
	nodes, err := c.Core.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		c.TB.Fatal(err)
	}
	var longest time.Duration
	for i := range nodes.Items {
		name := nodes.Items[i].Name
		look, err := c.lookOf(name)
		if err != nil {
			c.TB.Logf("the kubelet of %s does not tell how often it looks: %v", name, err)
			look = time.Minute // its default
		}
		c.TB.Logf("the kubelet of %s looks every %s", name, look)
		longest = max(longest, look)
	}
	return longest
}

// RestartNode takes the whole cluster down and up again.
func (c *Cluster) RestartNode() {
	c.TB.Helper()
	c.lab.run(c.TB, "down")
	c.lab.run(c.TB, "up")
}

// RestartAPIServer kills the API server and brings it back after a time in which the leader loses its lease.
func (c *Cluster) RestartAPIServer(away time.Duration) {
	c.TB.Helper()
	c.lab.stopAPIServer(c.TB)
	time.Sleep(away)
	c.lab.run(c.TB, "up")
}

// setting is an environment variable with a default.
func setting(name, otherwise string) string { return cmp.Or(os.Getenv(name), otherwise) }

// KillContainer kills the processes of a pod's only container.
func (c *Cluster) KillContainer(pod *corev1.Pod) {
	c.TB.Helper()
	_, id, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	c.lab.killContainer(c.TB, id)
}

// PatchSecret merges into a Secret.
func (c *Cluster) PatchSecret(namespace, name string, values map[string]string) {
	c.TB.Helper()
	patch, err := json.Marshal(map[string]any{"stringData": values})
	if err != nil {
		c.TB.Fatal(err)
	}
	_, err = c.Core.CoreV1().Secrets(namespace).Patch(context.Background(), name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		c.TB.Fatal(err)
	}
}

func (c *Cluster) lookOf(node string) (time.Duration, error) {
	answer, err := c.Core.CoreV1().RESTClient().Get().Resource("nodes").Name(node).SubResource("proxy").Suffix("configz").DoRaw(context.Background())
	if err != nil {
		return 0, err
	}
	var told struct {
		Config struct {
			SyncFrequency metav1.Duration `json:"syncFrequency"`
		} `json:"kubeletconfig"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return 0, err
	}
	if told.Config.SyncFrequency.Duration <= 0 {
		return 0, errors.New("its configuration does not say")
	}
	return told.Config.SyncFrequency.Duration, nil
}
