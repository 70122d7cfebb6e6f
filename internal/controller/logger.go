package controller

import (
	"slices"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// loggers makes the logger of each look. What it tells of the look is written out only if something is logged, which mostly nothing is.
func loggers(base logr.Logger) func(*ctrl.Request) logr.Logger {
	base = base.WithValues("controller", controllerName, "controllerGroup", "tokensync.dev", "controllerKind", "OAuthToken")
	sink := base.WithCallDepth(1).GetSink()
	if sink == nil { // of a logger that discards everything
		return func(*ctrl.Request) logr.Logger { return base }
	}
	return func(request *ctrl.Request) logr.Logger {
		values := []any(nil)
		if request != nil {
			values = []any{
				"OAuthToken", klog.KRef(request.Namespace, request.Name), "namespace", request.Namespace, "name", request.Name,
			}
		}
		return logr.New(lateValues{sink, values})
	}
}

// lateValues is a log sink that gives its values to another one with each message. zap's own writes them out when a logger is derived.
type lateValues struct {
	logr.LogSink

	values []any
}

// Init implements logr.LogSink: the other sink is set up already.
func (l lateValues) Init(logr.RuntimeInfo) {}

// Info implements logr.LogSink.
func (l lateValues) Info(level int, message string, values ...any) {
	l.LogSink.Info(level, message, slices.Concat(l.values, values)...)
}

// Error implements logr.LogSink.
func (l lateValues) Error(err error, message string, values ...any) {
	l.LogSink.Error(err, message, slices.Concat(l.values, values)...)
}

// WithValues implements logr.LogSink.
func (l lateValues) WithValues(values ...any) logr.LogSink {
	return lateValues{l.LogSink, slices.Concat(l.values, values)}
}

// WithName implements logr.LogSink.
func (l lateValues) WithName(name string) logr.LogSink {
	return lateValues{l.LogSink.WithName(name), l.values}
}
