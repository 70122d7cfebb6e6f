// Command manager is the operator: it keeps the tokens of all OAuthTokens fresh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	goruntime "runtime"
	"runtime/debug"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/controller"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/metricsaccess"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/portal"
)

// heapGrowth is by how many percent the heap may grow before it is collected: what is kept is small and lives long, so that a collection
// costs little, and half of Go's default saves a quarter of the memory.
const heapGrowth = 50

func main() {
	debug.SetGCPercent(heapGrowth)
	goruntime.MemProfileRate = 0 // no profile is served, and its table takes a megabyte
	if err := run(ctrl.SetupSignalHandler(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tokensync:", err)
		os.Exit(1)
	}
}

// run is the life of the process. It returns when the context ends, leadership is lost, or a part fails, and only after every refresh
// token that was received is saved.
func run(ctx context.Context, out io.Writer, arguments []string) error {
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.SetOutput(out)
	o := registerFlags(flags)
	logging := zap.Options{}
	logging.BindFlags(flags)
	config.RegisterFlags(flags)
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if o.printVersion {
		_, err := fmt.Fprintln(out, versionText())
		return err
	}
	if err := o.validate(flags.Args()); err != nil {
		return err
	}
	log.SetOutput(io.Discard) // net/http tells it what a server sends beyond its answer, which may be a token
	logging.Level = withoutBodies(logging.Level)
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	catalogue, err := oauth.LoadCatalogue(o.vendorsDir)
	if err != nil {
		return fmt.Errorf("load the vendor catalogue, with --vendors-dir=%q: %w", o.vendorsDir, err)
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	if err := showBuildInfo(); err != nil {
		return err
	}
	restConfig.QPS, restConfig.Burst = float32(o.kubeAPIQPS), o.kubeAPIBurst
	m, err := newManager(ctx, restConfig, o)
	if err != nil {
		return err
	}
	reconciler, err := newReconciler(ctx, m, o, catalogue)
	if err != nil {
		return err
	}
	defer reconciler.Wait()
	ctrl.Log.WithName("manager").Info("starting", "version", versionText())
	return m.Start(ctx)
}

func newManager(ctx context.Context, restConfig *rest.Config, o *options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme() // of what is used alone: all of Kubernetes' kinds would cost megabytes
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, eventsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	consistent := true
	settings := ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controller.CacheOptions(o.namespaces),
		Client:                        client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: &consistent}},
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaseName, // in metrics
		LeaderElectionReleaseOnCancel: true,
		HealthProbeBindAddress:        o.healthAddress,
		GracefulShutdownTimeout:       &gracePeriod,
		Metrics:                       metricsOptions(o),
	}
	var lock *watchedLock
	if o.leaderElect {
		var err error
		if lock, err = newLock(ctx, restConfig, o.ownNamespace); err != nil {
			return nil, fmt.Errorf("prepare the election of a leader: %w", err)
		}
		settings.LeaderElectionResourceLockInterface = lock
	}
	m, err := ctrl.NewManager(restConfig, settings)
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	if lock != nil {
		lock.tellBy(m)
	}
	if err := m.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return m, m.AddReadyzCheck("cache", cacheIsFilled(m))
}

// metricsOptions serve metrics with TLS, to those who may read them or, without --metrics-authorization, to whoever reaches the address; on a loopback
// address in plain HTTP.
func metricsOptions(o *options) metricsserver.Options {
	served := metricsserver.Options{BindAddress: o.metricsAddress, SecureServing: !o.metricsStayHere()}
	if served.SecureServing && o.metricsAuthorization.value {
		served.FilterProvider = metricsaccess.Filter
	}
	return served
}

// cacheIsFilled is ready once the manager has read what there is, whether it leads or not.
func cacheIsFilled(m manager.Manager) healthz.Checker {
	return func(request *http.Request) error {
		if !m.GetCache().WaitForCacheSync(request.Context()) {
			return errors.New("the cache is not filled yet")
		}
		return nil
	}
}

func newReconciler(ctx context.Context, m ctrl.Manager, o *options, catalogue *oauth.Catalogue) (*controller.Reconciler, error) {
	direct, err := client.New(m.GetConfig(), client.Options{Scheme: m.GetScheme()})
	if err != nil {
		return nil, err
	}
	key, err := controller.HashKey(ctx, direct, o.ownNamespace)
	if err != nil {
		return nil, err
	}
	denied, err := apiServerAddresses(ctx, m.GetConfig())
	if err != nil {
		return nil, err
	}
	reconciler := &controller.Reconciler{
		Client: m.GetClient(), Live: m.GetAPIReader(), HashKey: key, Clock: clock.RealClock{},
		Recorder: m.GetEventRecorder("tokensync"), MaxConcurrentReconciles: o.maxConcurrentReconciles,
		Vendors: oauth.NewClient(oauth.ClientOptions{
			AllowLoopback: o.allowLoopback, InsecureHTTPHosts: o.insecureHTTPHosts, DeniedAddresses: denied,
			Now: clock.RealClock{}.Now, UserAgent: "tokensync/" + version,
		}),
		Platform: declaration.Platform{
			Catalogue: catalogue, AllowedHosts: o.allowedHosts, InsecureHTTPHosts: o.insecureHTTPHosts,
			EnableImplicit: o.enableImplicit, PortalURL: o.portalURL,
		},
	}
	if err := reconciler.SetupWithManager(ctx, m); err != nil || o.portal == nil {
		return reconciler, err
	}
	return reconciler, (&portal.Portal{
		Client: m.GetClient(), Live: m.GetAPIReader(), URL: o.portal, Clock: clock.RealClock{}, Implicit: o.enableImplicit,
		Recorder: m.GetEventRecorder("tokensync-portal"), Observe: reconciler.ObserveAuthorization,
	}).SetupWithManager(ctx, m, o.portalAddress)
}
