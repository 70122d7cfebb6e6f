package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
)

func TestTheWayToThePortal(t *testing.T) {
	for address, test := range map[string]struct {
		answers bool
		want    way
		port    string
	}{
		"https://tokens.example.com":       {true, direct, "443"},
		"http://tokens.example.com/prefix": {false, elsewhere, "80"},
		"http://localhost:8085":            {false, forwarded, "8085"},
		"http://127.0.0.2:8085":            {false, forwarded, "8085"},
		"http://[::1]:8085":                {false, forwarded, "8085"},
		"http://localhost:8086":            {true, direct, "8086"},
		"http://localhost.example.com":     {false, elsewhere, "80"},
		"http://10.0.0.1:8085":             {false, elsewhere, "8085"},
	} {
		parsed := mustParse(t, address)
		if got := wayTo(parsed, test.answers); got != test.want || portOf(parsed) != test.port {
			t.Errorf("%s (answers: %t): way %d and port %s, want %d and %s", address, test.answers, got, portOf(parsed), test.want, test.port)
		}
	}
}

func TestWhatStandsBehindAProxyIsForTheBrowserToFindOut(t *testing.T) {
	for address, want := range map[string]bool{"http://proxied.invalid": true, "http://portal.invalid": false, "http://127.0.0.1:1": false} {
		if got := answers(t.Context(), mustParse(t, address)); got != want {
			t.Errorf("%s answers: %t", address, got)
		}
	}
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestThePortalsPodIsARunningOneWithThePort(t *testing.T) {
	pod := func(name string, phase corev1.PodPhase, port string, ready corev1.ConditionStatus) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 8082}}}}},
			Status:     corev1.PodStatus{Phase: phase, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
		}
	}
	pending, other := pod("pending", corev1.PodPending, portName, "False"), pod("other", corev1.PodRunning, "metrics", "True")
	going := pod("going", corev1.PodRunning, portName, "True")
	going.DeletionTimestamp = &metav1.Time{}
	starting, started := pod("starting", corev1.PodRunning, portName, "False"), pod("started", corev1.PodRunning, portName, "True")
	for want, pods := range map[string][]corev1.Pod{
		"started":  {pending, going, other, starting, started},
		"starting": {pending, going, other, starting},
		"":         {pending, going, other},
	} {
		if name, port := portalPod(pods); name != want || (port == 8082) != (want != "") {
			t.Errorf("pod %q, port %d, want pod %q", name, port, want)
		}
	}
}

// fakeCluster plays an API server that forwards ports of one pod, as SPDY. What it can't play, and what is left for a cluster with kubelets, is
// a pod, and the tunnel through WebSocket, which it refuses as older servers do.
type fakeCluster struct {
	*httptest.Server

	pod   string       // where its port leads
	other http.Handler // for what else is asked; nil: refused
	mu    sync.Mutex
	lines []httpstream.Connection
}

func newCluster(t *testing.T, pod string) *fakeCluster {
	t.Helper()
	c := &fakeCluster{pod: pod}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/api/v1/namespaces/operator/pods" && r.URL.Query().Get("labelSelector") == "app=tokensync":
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "tokensync-0"}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
		pod.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: portName, ContainerPort: 8082}}}}
		list, err := json.Marshal(corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{pod}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(list)
	case r.URL.Path == "/api/v1/namespaces/operator/pods/tokensync-0/portforward" && r.Method == http.MethodPost:
		c.upgrade(w, r)
	case c.other != nil && !strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/operator/"):
		c.other.ServeHTTP(w, r)
	default:
		http.Error(w, "no", http.StatusBadRequest)
	}
}

// in has what is asked besides answered by a real API server.
func (c *fakeCluster) in(t *testing.T, server *rest.Config) {
	t.Helper()
	transport, err := rest.TransportFor(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(mustParse(t, server.Host))
	proxy.Transport, proxy.FlushInterval = transport, -1 // watches are passed on as they come
	c.other = proxy
}

func (c *fakeCluster) upgrade(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	line := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeData && stream.Headers().Get(corev1.PortHeader) == "8082" {
			go c.lead(stream)
		}
		return nil
	})
	if line == nil {
		return
	}
	c.mu.Lock()
	c.lines = append(c.lines, line)
	c.mu.Unlock()
	<-line.CloseChan()
}

func (c *fakeCluster) lead(stream httpstream.Stream) {
	pod, err := net.Dial("tcp", c.pod)
	if err != nil {
		_ = stream.Reset()
		return
	}
	go func() { _, _ = io.Copy(pod, stream) }()
	_, _ = io.Copy(stream, pod)
	_ = stream.Close()
	_ = pod.Close()
}

// cut ends what is forwarded, as when a pod goes.
func (c *fakeCluster) cut() (ended int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, line := range c.lines {
		_ = line.Close()
	}
	ended, c.lines = len(c.lines), nil
	return ended
}

func TestThePortalIsForwarded(t *testing.T) {
	pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host+r.URL.Path) }))
	t.Cleanup(pod.Close)
	for _, host := range []string{"localhost", "127.0.0.1", "127.0.0.2"} {
		t.Run(host, func(t *testing.T) {
			c := newCluster(t, pod.Listener.Addr().String())
			address := mustParse(t, "http://"+net.JoinHostPort(host, freePort(t)))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var said lines
			p := portal{config: &rest.Config{Host: c.URL}, namespace: "operator", selector: "app=tokensync"}
			if err := p.forward(ctx, address, &said); err != nil {
				t.Fatal(err)
			}
			if got, err := read(address.String() + "/authorize/first"); got != address.Host+"/authorize/first" {
				t.Errorf("the portal shows %q; %v", got, err)
			}
			if ended := c.cut(); ended != 1 {
				t.Errorf("%d connections to the pod, want 1", ended)
			}
			eventually(t, "the portal is found again", func() bool {
				got, _ := read(address.String() + "/callback")
				return got == address.Host+"/callback"
			})
			if !strings.Contains(said.String(), "Connecting again.") {
				t.Errorf("said %q", said.String())
			}
			stop()
			eventually(t, "the port is free again", func() bool { return !answers(t.Context(), address) })
		})
	}
}

func TestThePageThatTellsOfTheOutcomeIsForwardedToo(t *testing.T) {
	pod := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host+r.URL.Path) }))
	t.Cleanup(pod.Close)
	for name, end := range map[string]func(*desk) error{
		"when somebody has authorized": func(d *desk) error { return d.status("True", v1alpha1.ReasonTokenIssued, authorizedBy("ada")) },
		"when the vendor denies it": func(d *desk) error {
			_, err := d.invites("second")
			return errors.Join(err, d.warns(v1alpha1.ReasonAccessDenied, "the vendor answered access_denied"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := newDesk(t), newCluster(t, pod.Listener.Addr().String())
			c.in(t, apiServer(t))
			address := mustParse(t, "http://localhost:"+freePort(t))
			d.portal = address.String()
			d.mustInvite("first")
			flags := genericclioptions.NewConfigFlags(true)
			*flags.KubeConfig, *flags.CacheDir = kubetest.Kubeconfig(t, &rest.Config{Host: c.URL}, d.namespace), d.folder
			ctx, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			var page string
			a := &authorization{
				session: session{IOStreams: genericiooptions.IOStreams{Out: &d.said, ErrOut: &d.said}, cluster: cluster{flags: flags, warnings: &d.said}, now: time.Now},
				open:    func(context.Context, string) error { return end(d) },
				portal:  portal{namespace: "operator", selector: "app=tokensync"}, timeout: patience,
				pause: func(context.Context, time.Duration) { page, _ = read(address.String() + "/outcome") },
			}
			if err := a.run(ctx, "orders"); (err != nil) != strings.Contains(name, "denies") {
				t.Error(err)
			}
			if want := address.Host + "/outcome"; page != want {
				t.Errorf("the last page is %q, want %q; said:\n%s", page, want, d.said.String())
			}
			eventually(t, "the port is free again", func() bool { return !answers(t.Context(), address) })
		})
	}
}

func TestAPortThatSomebodyElseHasIsReported(t *testing.T) {
	c := newCluster(t, "127.0.0.1:1")
	taken := mustParse(t, c.URL)
	p := portal{config: &rest.Config{Host: c.URL}, namespace: "operator", selector: "app=tokensync"}
	err := p.forward(t.Context(), taken, io.Discard)
	if err == nil || !strings.HasPrefix(err.Error(), "forward "+taken.Host+" to pod tokensync-0: unable to listen") {
		t.Error(err)
	}
}

func read(address string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Get(address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Errorf("%s: not in time", what)
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return mustParse(t, "http://"+listener.Addr().String()).Port()
}
