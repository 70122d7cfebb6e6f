package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/client-go/rest"

	"tokensync.dev/tokensync/internal/portal"
)

// gracePeriod is how long running reconciles may take when the process is to end: a request, its answer, and the writes after it. The
// Deployment's terminationGracePeriodSeconds is longer.
var gracePeriod = 80 * time.Second //nolint:gochecknoglobals // controller-runtime takes its address

// options are the flags.
type options struct {
	metricsAddress, healthAddress               string
	leaderElect, allowLoopback, enableImplicit  bool
	metricsAuthorization                        choice
	namespaces, allowedHosts, insecureHTTPHosts list
	maxConcurrentReconciles, kubeAPIBurst       int
	kubeAPIQPS                                  float64
	vendorsDir, portalAddress, portalURL        string
	printVersion                                bool
	ownNamespace                                string   // POD_NAMESPACE
	portal                                      *url.URL // of portalURL; nil: no portal
}

func registerFlags(flags *flag.FlagSet) *options {
	o := &options{ownNamespace: os.Getenv("POD_NAMESPACE"), metricsAuthorization: choice{value: true}}
	if o.ownNamespace == "" {
		o.ownNamespace = "tokensync-system"
	}
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "where metrics are served, with TLS; 0: nowhere. On a loopback address they are open and in plain HTTP, unless --metrics-authorization is given")
	flags.Var(&o.metricsAuthorization, "metrics-authorization", "ask the API server who wants to read metrics and whether they may; false: whoever reaches the address reads them, for an installation without cluster-wide rights")
	flags.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0: nowhere")
	flags.BoolVar(&o.leaderElect, "leader-elect", true, "let one of several replicas lead")
	flags.Var(&o.namespaces, "namespaces", "namespaces to serve, separated by commas (default all)")
	flags.IntVar(&o.maxConcurrentReconciles, "max-concurrent-reconciles", 50, "how many OAuthTokens are worked on at once")
	flags.StringVar(&o.vendorsDir, "vendors-dir", "", "folder with catalogue entries that are added to the built-in ones or override them")
	flags.Var(&o.allowedHosts, "allowed-hosts", "hosts that any credentials may be sent to, separated by commas: names or *.example.com, with :port where it is not 443")
	flags.Var(&o.insecureHTTPHosts, "insecure-http-hosts", "hosts to which plain http may be spoken, likewise, with :port where it is not 80; for tests")
	flags.BoolVar(&o.allowLoopback, "allow-loopback", false, "let connections to vendors go to loopback addresses; for tests")
	flags.StringVar(&o.portalAddress, "portal-bind-address", "", "where the portal for interactive grants is served, in plain HTTP; empty: nowhere")
	flags.StringVar(&o.portalURL, "portal-url", "", "address of the portal as browsers see it, such as https://tokens.example.com; with /callback it is the redirect URI to register at the vendor")
	flags.BoolVar(&o.enableImplicit, "enable-implicit", false, "serve the grant Implicit, which RFC 9700 discourages")
	flags.Float64Var(&o.kubeAPIQPS, "kube-api-qps", 1000, "requests a second to the API server, above 0; -1: as many as it takes")
	flags.IntVar(&o.kubeAPIBurst, "kube-api-burst", 2000, "requests to the API server above that for a short time")
	flags.BoolVar(&o.printVersion, "version", false, "print version, commit and Go version")
	return o
}

// validate refuses what can't be meant.
func (o *options) validate(left []string) error {
	switch {
	case len(left) > 0:
		return fmt.Errorf("%q is no flag: see --help", left[0])
	case o.maxConcurrentReconciles < 1:
		return errors.New("--max-concurrent-reconciles must be at least 1")
	case !positive(o.kubeAPIQPS) && o.kubeAPIQPS != -1:
		return errors.New("--kube-api-qps must be above 0, or -1 for as many as the API server takes")
	case o.kubeAPIQPS > 0 && o.kubeAPIBurst < 1:
		return errors.New("--kube-api-burst must be at least 1: no request would fit into less")
	case (o.portalAddress == "") != (o.portalURL == ""):
		return errors.New("--portal-bind-address and --portal-url belong together: where the portal is served, and where browsers find it")
	case o.portalURL == "":
		return nil
	}
	return o.validatePortal()
}

// positive is false for what is no number, too. Kubernetes' client takes 0 for a default of its own.
func positive(n float64) bool { return n > 0 }

// validatePortal brings --portal-url into the form in which links and redirect URIs are made of it.
func (o *options) validatePortal() error {
	parsed, err := portal.ParseURL(o.portalURL)
	if err != nil {
		return fmt.Errorf("--portal-url: %w", err)
	}
	o.portal, o.portalURL = parsed, parsed.String()
	return nil
}

// metricsStayHere tells whether none but processes of the same machine or pod reach the metrics, so that they need neither TLS nor a question. Whoever
// states the flag for the question means it, whatever the address.
func (o *options) metricsStayHere() bool {
	host, _, err := net.SplitHostPort(o.metricsAddress)
	if err != nil || o.metricsAuthorization.given {
		return false
	}
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}

// choice is a flag that is on or off, and knows whether it was given.
type choice struct{ value, given bool }

// String implements flag.Value.
func (c *choice) String() string { return strconv.FormatBool(c.value) }

// Set implements flag.Value.
func (c *choice) Set(text string) (err error) {
	c.given = true
	c.value, err = strconv.ParseBool(text)
	return err
}

// IsBoolFlag lets the flag stand without a value.
func (c *choice) IsBoolFlag() bool { return true }

// list is a flag of values separated by commas.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(text string) error {
	*l = nil
	for value := range strings.SplitSeq(text, ",") {
		if value = strings.TrimSpace(value); value != "" {
			*l = append(*l, value)
		}
	}
	return nil
}

// apiServerAddresses are where the API server is. A vendor's endpoint must not lead there. Loopback addresses are left out: the switch for
// them is --allow-loopback.
func apiServerAddresses(ctx context.Context, config *rest.Config) ([]netip.Addr, error) {
	host := config.Host
	if u, err := url.Parse(host); err == nil && u.Host != "" {
		host = u.Hostname()
	} else if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("find the API server's addresses: %w", err)
	}
	var addresses []netip.Addr
	for _, address := range found {
		if address = address.Unmap(); !address.IsLoopback() {
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}

// mostVerbose is the highest verbosity that is logged: from 7 on, Kubernetes' client shows headers, and from 8 on whole bodies of
// requests, Secrets among them.
const mostVerbose = zapcore.Level(-6)

// withoutBodies caps a log level, whatever --zap-log-level asks for.
func withoutBodies(level zapcore.LevelEnabler) zapcore.LevelEnabler {
	return zap.LevelEnablerFunc(func(l zapcore.Level) bool {
		if level == nil {
			return l >= zapcore.InfoLevel
		}
		return l >= mostVerbose && level.Enabled(l)
	})
}

// version and commit are set by the linker.
var version, commit = "dev", "unknown" //nolint:gochecknoglobals // the linker sets them

// versionText is what --version prints.
func versionText() string {
	return fmt.Sprintf("tokensync %s, commit %s, %s", version, commit, runtime.Version())
}
