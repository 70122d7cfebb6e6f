package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// dialTimeout is how long somebody is waited for who may not be there.
const dialTimeout = 3 * time.Second

// reconnectPause is how long after a lost connection to a pod the next one is tried.
const reconnectPause = time.Second

// portName is that of the portal's port in the manager's pods.
const portName = "portal"

// way is how a browser on this machine gets to the portal.
type way int

const (
	direct    way = iota // it answers
	forwarded            // through the API server, from the very port that its address names
	elsewhere            // only from another machine
)

// wayTo decides by the portal's address and by whether somebody answers there. The vendor sends the browser back to that address, so a port is
// forwarded only where the address is this machine's own.
func wayTo(address *url.URL, answers bool) way {
	switch {
	case answers:
		return direct
	case isLoopback(address.Hostname()):
		return forwarded
	}
	return elsewhere
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// portOf is the port of an address, also where it is left out.
func portOf(address *url.URL) string {
	switch {
	case address.Port() != "":
		return address.Port()
	case address.Scheme == "https":
		return "443"
	}
	return "80"
}

// answers tells whether somebody listens at the portal's address. What stands behind a proxy of this machine's settings is for the browser to
// find out.
func answers(ctx context.Context, address *url.URL) bool {
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: address}); err == nil && proxy != nil {
		return true
	}
	connection, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", net.JoinHostPort(address.Hostname(), portOf(address)))
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

// portal finds the portal's pods.
type portal struct {
	config              *rest.Config
	namespace, selector string
}

// forward leads the portal's address, which is one of this machine, to a pod of the portal until the context ends. It returns once that
// stands. A pod that goes, as in an update of the operator, is replaced by another one.
func (p portal) forward(ctx context.Context, address *url.URL, log io.Writer) error {
	lost, err := p.connect(ctx, address, log)
	if err != nil {
		return err
	}
	go wait.UntilWithContext(ctx, func(ctx context.Context) {
		if lost != nil {
			why := <-lost
			if ctx.Err() != nil {
				return
			}
			_, _ = fmt.Fprintf(log, "Forwarding to the portal has ended (%v). Connecting again.\n", why)
		}
		lost, _ = p.connect(ctx, address, log) // what has failed is tried again
	}, reconnectPause)
	return nil
}

// connect opens the port that the address names, at the address's host, and leads it to a pod. It returns when the port is open; the channel
// tells when it no longer is.
func (p portal) connect(ctx context.Context, address *url.URL, log io.Writer) (lost <-chan error, err error) {
	cluster, err := kubernetes.NewForConfig(p.config)
	if err != nil {
		return nil, err
	}
	pods, err := cluster.CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: p.selector})
	if err != nil {
		return nil, fmt.Errorf("find the portal's pods: %w", err)
	}
	pod, port := portalPod(pods.Items)
	if pod == "" {
		return nil, fmt.Errorf("no running pod in namespace %s with labels %s has a port named %s: name the right ones with --portal-namespace and "+
			"--portal-selector", p.namespace, p.selector, portName)
	}
	dialer, err := p.dialer(cluster.CoreV1().RESTClient().Post().Resource("pods").Namespace(p.namespace).Name(pod).SubResource("portforward").URL())
	if err != nil {
		return nil, err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	ports := []string{portOf(address) + ":" + strconv.Itoa(int(port))}
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{address.Hostname()}, ports, ready, io.Discard, log)
	if err != nil {
		return nil, err
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
		return ended, nil
	case err := <-ended:
		return nil, fmt.Errorf("forward %s to pod %s: %w", address.Host, pod, errors.Join(err, ctx.Err()))
	}
}

// dialer speaks WebSocket, and SPDY with servers that do not.
func (p portal) dialer(target *url.URL) (httpstream.Dialer, error) {
	transport, upgrader, err := spdy.RoundTripperFor(p.config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	modern, err := portforward.NewSPDYOverWebsocketDialerForStreaming(target, p.config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(modern, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// portalPod is a running pod with the portal's port, a ready one if there is one; empty: none.
func portalPod(pods []corev1.Pod) (name string, port int32) {
	for i := range pods {
		if pods[i].Status.Phase != corev1.PodRunning || pods[i].DeletionTimestamp != nil {
			continue
		}
		found := portalPort(&pods[i])
		switch {
		case found == 0:
		case isReady(&pods[i]):
			return pods[i].Name, found
		case name == "":
			name, port = pods[i].Name, found
		}
	}
	return name, port
}

// portalPort is the portal's port in a pod; 0: it has none.
func portalPort(pod *corev1.Pod) int32 {
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Name == portName {
				return p.ContainerPort
			}
		}
	}
	return 0
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
