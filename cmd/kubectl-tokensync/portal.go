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
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// dialTimeout is how long somebody is waited for who may not be there.
const dialTimeout = 3 * time.Second

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

// answers tells whether somebody listens at the portal's address.
func answers(ctx context.Context, address *url.URL) bool {
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

// forward forwards a local port to a portal's pod until the context ends. It returns when the port is open.
func (p portal) forward(ctx context.Context, localPort string, log io.Writer) error {
	cluster, err := kubernetes.NewForConfig(p.config)
	if err != nil {
		return err
	}
	pods, err := cluster.CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: p.selector})
	if err != nil {
		return fmt.Errorf("find the portal's pods: %w", err)
	}
	pod, port := portalPod(pods.Items)
	if pod == "" {
		return fmt.Errorf("no running pod in namespace %s with labels %s has a port named %s: name the right ones with --portal-namespace and "+
			"--portal-selector", p.namespace, p.selector, portName)
	}
	target := cluster.CoreV1().RESTClient().Post().Resource("pods").Namespace(p.namespace).Name(pod).SubResource("portforward").URL()
	dialer, err := p.dialer(target)
	if err != nil {
		return err
	}
	ready, failed := make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.NewForStreaming(dialer, []string{localPort + ":" + strconv.Itoa(int(port))}, ctx.Done(), ready, io.Discard, log)
	if err != nil {
		return err
	}
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
		return nil
	case err := <-failed:
		return fmt.Errorf("forward port %s to pod %s: %w", localPort, pod, errors.Join(err, ctx.Err()))
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

// portalPod is the first running pod with the portal's port; empty: none.
func portalPod(pods []corev1.Pod) (name string, port int32) {
	for i := range pods {
		if pods[i].Status.Phase != corev1.PodRunning || pods[i].DeletionTimestamp != nil {
			continue
		}
		for _, container := range pods[i].Spec.Containers {
			for _, p := range container.Ports {
				if p.Name == portName {
					return pods[i].Name, p.ContainerPort
				}
			}
		}
	}
	return "", 0
}
