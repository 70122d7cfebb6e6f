package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/test/judge"
)

var controlPlane struct {
	once    sync.Once
	options []func(*envtest.Environment)
	config  *rest.Config
	stop    func()
}

// Main is what TestMain of a package calls that uses worlds.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run runs the tests of a package that uses worlds, and returns the exit code. Options change the control plane before it starts.
func Run(m *testing.M, options ...func(*envtest.Environment)) int {
	controlPlane.options = options
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	if controlPlane.stop != nil {
		controlPlane.stop()
	}
	if binary.path != "" {
		_ = os.RemoveAll(filepath.Dir(binary.path))
	}
	return code
}

func apiServer(tb testing.TB) *rest.Config {
	tb.Helper()
	controlPlane.once.Do(func() { controlPlane.config, controlPlane.stop = kubetest.StartShared(tb, controlPlane.options...) })
	if controlPlane.config == nil {
		tb.Fatal("the control plane did not start")
	}
	return controlPlane.config
}

// World is a namespace, a judge, and proxies for the manager that serves it.
type World struct {
	TB        testing.TB
	Client    client.Client // an administrator's, past the proxies
	Namespace string
	Judge     *judge.Judge
	Vendor    *Proxy // to the judge's token endpoint
	Portal    string // address where the portal listens
	flags     []string
}

// Member is one manager of a world with its own way to the API server.
type Member struct {
	*Process

	API   *Proxy
	Flags []string // beside the world's

	world  *World
	health string
	config string // file
	portal string // address; empty: its own
}

// NewWorld makes a world without a manager. Flags are added to the manager's.
func NewWorld(tb testing.TB, options []judge.Option, flags ...string) *World {
	tb.Helper()
	w := &World{TB: tb, Portal: FreeAddress(tb), flags: flags}
	w.Judge = judge.Start(tb, w.PortalURL()+"/callback", options...)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(w.Judge.CABundle)
	w.Vendor = NewProxy(tb, w.Judge.URL, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}})
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			tb.Fatal(err)
		}
	}
	direct, err := client.New(apiServer(tb), client.Options{Scheme: scheme})
	if err != nil {
		tb.Fatal(err)
	}
	w.Client = direct
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "fault-"}}
	if err := direct.Create(context.Background(), namespace); err != nil {
		tb.Fatal(err)
	}
	w.Namespace = namespace.Name
	return w
}

// PortalURL is the portal's address as the browser sees it.
func (w *World) PortalURL() string { return "http://" + w.Portal }

// Join makes a manager that does not run yet and may do everything. The first one of a world serves its portal.
func (w *World) Join() *Member {
	w.TB.Helper()
	return w.join(apiServer(w.TB))
}

// JoinAs makes a manager that may do what a ServiceAccount of the world's namespace may.
func (w *World) JoinAs(account string) *Member {
	w.TB.Helper()
	config := rest.AnonymousClientConfig(apiServer(w.TB))
	config.BearerToken = w.AccountToken(account)
	return w.join(config)
}

// AccountToken is a token by which a ServiceAccount of the world's namespace is known to the API server.
func (w *World) AccountToken(account string) string {
	w.TB.Helper()
	request := &authenticationv1.TokenRequest{}
	owner := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: account}}
	if err := w.Client.SubResource("token").Create(context.Background(), owner, request); err != nil {
		w.TB.Fatal(err)
	}
	return request.Status.Token
}

// Elsewhere moves a member's portal to an address of its own, for a second manager on the same machine.
func (m *Member) Elsewhere() *Member {
	m.portal = FreeAddress(m.world.TB)
	return m
}

// Kubeconfig is a file by which others reach the API server on the member's way.
func (m *Member) Kubeconfig() string { return m.config }

// Start runs the manager and waits until it is ready.
func (m *Member) Start() {
	m.world.TB.Helper()
	m.Launch()
	m.AwaitReady()
}

// Launch runs the manager, whatever becomes of it.
func (m *Member) Launch() {
	w := m.world
	w.TB.Helper()
	m.Process = run(w.TB, w.Namespace, m.health, append([]string{
		"--kubeconfig=" + m.config, "--namespaces=" + w.Namespace, "--metrics-bind-address=0", "--health-probe-bind-address=" + m.health,
		"--portal-bind-address=" + m.portal, "--portal-url=" + w.PortalURL(), "--allow-loopback", "--enable-implicit",
		"--insecure-http-hosts=" + w.Vendor.Address, "--zap-log-level=5",
	}, slices.Concat(w.flags, m.Flags)...))
}

// Settle waits until the managers have made no request for a moment.
func (w *World) Settle(members ...*Member) {
	w.TB.Helper()
	Eventually(w.TB, func() string {
		for _, m := range members {
			if m.API.QuietFor() < 600*time.Millisecond {
				return "requests go on"
			}
		}
		return ""
	})
}

// Config is an administrator's, past the proxies.
func (w *World) Config() *rest.Config {
	w.TB.Helper()
	return apiServer(w.TB)
}

func (w *World) join(as *rest.Config) *Member {
	w.TB.Helper()
	transport, err := rest.TransportFor(as)
	if err != nil {
		w.TB.Fatal(err)
	}
	m := &Member{world: w, health: FreeAddress(w.TB), portal: w.Portal, API: NewProxy(w.TB, as.Host, transport)}
	m.config = filepath.Join(w.TB.TempDir(), "kubeconfig")
	content := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
`, m.API.URL())
	if err := os.WriteFile(m.config, []byte(content), 0o600); err != nil {
		w.TB.Fatal(err)
	}
	return m
}
