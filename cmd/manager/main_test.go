package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"flag"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"tokensync.dev/tokensync/internal/kubetest"
)

func TestVersionNamesVersionCommitAndGo(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out, []string{"--version"}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"tokensync dev", "commit unknown", "go1."} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q lacks %q", out.String(), part)
		}
	}
}

func TestFlagsThatCanNotBeMeantAreRefused(t *testing.T) {
	for about, c := range map[string]struct{ argument, want string }{
		"an argument that is no flag":     {"leader-elect", "is no flag"},
		"a flag that does not exist":      {"--leader-elections", "not defined"},
		"no workers":                      {"--max-concurrent-reconciles=0", "at least 1"},
		"no requests to the API server":   {"--kube-api-qps=0", "--kube-api-qps must be above 0, or -1"},
		"less than no requests":           {"--kube-api-qps=-0.5", "--kube-api-qps must be above 0, or -1"},
		"requests that are no number":     {"--kube-api-qps=NaN", "--kube-api-qps must be above 0, or -1"},
		"a burst of none":                 {"--kube-api-burst=0", "--kube-api-burst must be at least 1"},
		"less than that":                  {"--kube-api-burst=-1", "--kube-api-burst must be at least 1"},
		"a portal without an address":     {"--portal-bind-address=:8080", "belong together"},
		"an address without a portal":     {"--portal-url=https://tokens.example.com", "belong together"},
		"a portal's address with a query": {"--portal-bind-address=127.0.0.1:0 --portal-url=https://tokens.example.com/?a=b", "must not have user, query or fragment"},
		"a folder of vendors that isn't":  {"--vendors-dir=/does/not/exist", "/does/not/exist"},
	} {
		t.Run(about, func(t *testing.T) {
			kubeconfig := "--kubeconfig=" + kubetest.Kubeconfig(t, &rest.Config{Host: "https://127.0.0.1:1"}, "")
			err := run(t.Context(), io.Discard, append([]string{kubeconfig, "--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=0"}, strings.Fields(c.argument)...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// Patches and Helm's extraArgs add to the arguments that are there, and count on it.
func TestOfAFlagThatIsGivenTwiceTheLastCounts(t *testing.T) {
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	registerFlags(flags)
	flags.VisitAll(func(f *flag.Flag) {
		if err := flags.Parse([]string{"--" + f.Name + "=1", "--" + f.Name + "=0"}); err != nil {
			t.Error(err)
		}
		if got := f.Value.String(); got != "0" && got != "false" {
			t.Errorf("--%s is %s, want the last one, 0", f.Name, got)
		}
	})
}

func TestNoVerbosityShowsBodies(t *testing.T) {
	for level, want := range map[zapcore.Level]bool{zapcore.InfoLevel: true, -6: true, -7: false, -8: false, -10: false} {
		if got := withoutBodies(zapcore.Level(-10)).Enabled(level); got != want {
			t.Errorf("level %d is logged: %v, want %v", level, got, want)
		}
	}
	if withoutBodies(nil).Enabled(zapcore.DebugLevel) {
		t.Error("debug lines are logged by default")
	}
}

// parsed are the options that arguments state.
func parsed(t *testing.T, arguments string) *options {
	t.Helper()
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	o := registerFlags(flags)
	if err := flags.Parse(strings.Fields(arguments)); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestMetricsAreOpenOnlyWhereTheFlagSaysSo(t *testing.T) {
	const asked, open, plain = "the API server is asked", "open, with TLS", "open, in plain HTTP"
	for arguments, want := range map[string]string{
		"":                              asked,
		"--metrics-authorization":       asked,
		"--metrics-authorization=true":  asked,
		"--metrics-authorization=false": open,
		"--metrics-authorization=false --metrics-authorization=true": asked,

		"--metrics-bind-address=127.0.0.1:8080":                                 plain,
		"--metrics-bind-address=127.7.7.7:8080":                                 plain,
		"--metrics-bind-address=[::1]:8080":                                     plain,
		"--metrics-bind-address=[::ffff:127.0.0.1]:8080":                        plain,
		"--metrics-bind-address=localhost:8080":                                 plain,
		"--metrics-bind-address=Localhost:8080":                                 plain,
		"--metrics-bind-address=127.0.0.1:8080 --metrics-authorization=true":    asked,
		"--metrics-bind-address=127.0.0.1:8080 --metrics-authorization=false":   open,
		"--metrics-bind-address=:8080":                                          asked,
		"--metrics-bind-address=0":                                              asked,
		"--metrics-bind-address=0.0.0.0:8080":                                   asked,
		"--metrics-bind-address=[::]:8080":                                      asked,
		"--metrics-bind-address=10.0.0.5:8080":                                  asked,
		"--metrics-bind-address=localhost.example.com:8080":                     asked,
		"--metrics-bind-address=127.0.0.1.example.com:8080":                     asked,
		"--metrics-bind-address=127.0.0.1":                                      asked, // no address that is listened at
		"--metrics-bind-address=127.0.0.1:8080 --metrics-bind-address=:8443":    asked,
		"--metrics-bind-address=localhost:8080 --allow-loopback --leader-elect": plain,
	} {
		served, got := metricsOptions(parsed(t, arguments)), plain
		switch {
		case served.FilterProvider != nil && served.SecureServing:
			got = asked
		case served.SecureServing:
			got = open
		case served.FilterProvider != nil:
			got = "a token is asked for in plain HTTP"
		}
		if got != want {
			t.Errorf("%q: metrics are %q, want %q", arguments, got, want)
		}
	}
}

func TestMetricsOnLoopbackAreReadWithoutTLS(t *testing.T) {
	address := freeAddress(t)
	server, err := metricsserver.NewServer(metricsOptions(parsed(t, "--metrics-bind-address="+address)), &rest.Config{}, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	await(t, "metrics", func() bool { return status(t, "http://"+address+"/metrics", "") == http.StatusOK })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The whole process but for the signal handler: it leads, gets ready, shows its metrics to who may read them and to nobody else, keeps its
// hash key, and ends in order.
func TestTheManagerServesAndEnds(t *testing.T) {
	cluster := kubetest.Start(t)
	admin := kubernetes.NewForConfigOrDie(cluster)
	t.Setenv("POD_NAMESPACE", "tokensync-system")
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "tokensync-system"}}
	if _, err := admin.CoreV1().Namespaces().Create(t.Context(), system, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	metrics, health := freeAddress(t), freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, io.Discard, []string{
			"--kubeconfig=" + kubetest.Kubeconfig(t, cluster, ""), "--metrics-bind-address=" + metrics, "--metrics-authorization=true",
			"--health-probe-bind-address=" + health,
		})
	}()
	await(t, "readiness", func() bool { return status(t, "http://"+health+"/readyz", "") == http.StatusOK })
	await(t, "metrics that are closed to strangers", func() bool { return status(t, "https://"+metrics+"/metrics", "") == http.StatusUnauthorized })
	token := metricsReader(t, admin)
	await(t, "metrics that are open to a reader", func() bool { return status(t, "https://"+metrics+"/metrics", token) == http.StatusOK })
	key, err := admin.CoreV1().Secrets("tokensync-system").Get(t.Context(), "tokensync-hash-key", metav1.GetOptions{})
	if err != nil || len(key.Data["key"]) != 32 {
		t.Errorf("the hash key: %d bytes, %v", len(key.Data["key"]), err)
	}
	await(t, "leadership", func() bool {
		lease, err := admin.CoordinationV1().Leases("tokensync-system").Get(t.Context(), "tokensync-manager", metav1.GetOptions{})
		return err == nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != ""
	})
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the manager did not end in order: %v", err)
	}
	lease, err := admin.CoordinationV1().Leases("tokensync-system").Get(t.Context(), "tokensync-manager", metav1.GetOptions{})
	if err != nil || *lease.Spec.HolderIdentity != "" {
		t.Errorf("the lease was not given back: %v, %v", lease, err)
	}
}

// metricsReader makes a service account that may read metrics, and returns its token.
func metricsReader(t *testing.T, admin *kubernetes.Clientset) string {
	t.Helper()
	name := metav1.ObjectMeta{Name: "metrics-reader", Namespace: "default"}
	_, err := admin.CoreV1().ServiceAccounts("default").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: name}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name.Name},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	}
	if _, err := admin.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name.Name, Namespace: name.Namespace}},
	}
	if _, err := admin.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := admin.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), name.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Status.Token
}

// status asks a URL for its status; 0 where nobody answers.
func status(t *testing.T, url, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !there(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
