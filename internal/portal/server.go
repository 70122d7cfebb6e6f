package portal

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = outcomePatience + 15*time.Second
	idleTimeout   = time.Minute
	shutdown      = 5 * time.Second
	// largestHeader has place for the longest query, since answers in it may be long, and for some cookies.
	largestHeader = 64 << 10
)

// SetupWithManager prepares the cache and has the manager serve the portal at an address, on every replica, whether it leads or not.
func (p *Portal) SetupWithManager(ctx context.Context, m ctrl.Manager, address string) error {
	for name, values := range indexes() {
		if err := m.GetFieldIndexer().IndexField(ctx, &corev1.Secret{}, name, values); err != nil {
			return err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for the portal: %w", err)
	}
	patience := shutdown
	return m.Add(&manager.Server{
		Name: "portal", Listener: listener, ShutdownTimeout: &patience,
		Server: &http.Server{
			Handler: p.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: largestHeader,
			BaseContext: func(net.Listener) context.Context { return ctx }, // waiting browsers do not hold up the end
		},
	})
}
