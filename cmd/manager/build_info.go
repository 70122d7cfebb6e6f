package main

import (
	"errors"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// showBuildInfo makes the series by which monitoring sees that there is a manager, leading or not.
func showBuildInfo() error {
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tokensync_build_info", Help: "1 for each manager, with its version, commit and Go version.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
	err := metrics.Registry.Register(info)
	if _, again := errors.AsType[prometheus.AlreadyRegisteredError](err); again { // by an earlier manager of this process
		return nil
	}
	return err
}
