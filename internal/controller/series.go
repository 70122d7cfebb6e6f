package controller

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"
)

// facts are what the series of an OAuthToken tell of it.
type facts struct {
	vendor, grant, reason                                                  string
	issued, expiration, renewal, refreshExpiration, clientSecretExpiration time.Time // zero: none
	ready, authorizationRequired, suspended                                bool
	rested                                                                 bool // it has been suspended since its token was issued
}

// series are the gauges of all OAuthTokens. They are made when they are read, from a few words for each: gauges that are kept would
// take two and a half kilobytes.
type series struct {
	issued, expiration, renewal, refreshExpiration, clientSecretExpiration *prometheus.Desc
	ready, authorizationRequired, suspended, info, problem                 *prometheus.Desc

	mu    sync.Mutex
	known map[types.NamespacedName]facts
}

func newSeries() *series {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tokensync_"+name, help, append([]string{"namespace", "name"}, labels...), nil)
	}
	return &series{
		issued:                 gauge("token_issued_timestamp_seconds", "When the token in the target Secret was issued."),
		expiration:             gauge("token_expiration_timestamp_seconds", "When the token in the target Secret ends."),
		renewal:                gauge("token_renewal_timestamp_seconds", "When the token is due for renewal; absent while spec.suspend is true."),
		refreshExpiration:      gauge("refresh_token_expiration_timestamp_seconds", "When the refresh token ends."),
		clientSecretExpiration: gauge("client_secret_expiration_timestamp_seconds", "When the client secret ends, as its Secret says."),
		ready:                  gauge("token_ready", "1 while the target Secret holds a good token that matches the spec, else 0."),
		authorizationRequired:  gauge("authorization_required", "1 while a person must authorize, else 0."),
		suspended:              gauge("oauthtoken_suspended", "1 while spec.suspend is true, else 0."),
		info:                   gauge("oauthtoken_info", "1 for each OAuthToken, with its vendor and grant.", "vendor", "grant"),
		problem: gauge("token_problem", "1 while there is no good token, or its renewal fails, with the reason of the condition Ready or RenewalFailing.",
			"reason"),
		known: map[types.NamespacedName]facts{},
	}
}

// Describe implements prometheus.Collector.
func (s *series) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{
		s.issued, s.expiration, s.renewal, s.refreshExpiration, s.clientSecretExpiration,
		s.ready, s.authorizationRequired, s.suspended, s.info, s.problem,
	} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (s *series) Collect(samples chan<- prometheus.Metric) {
	s.mu.Lock()
	known := maps.Clone(s.known)
	s.mu.Unlock()
	for key, f := range known {
		name, namespace := label("name", key.Name), label("namespace", key.Namespace)
		who := []*dto.LabelPair{name, namespace}
		at := func(description *prometheus.Desc, t time.Time) {
			if !t.IsZero() {
				samples <- sample{description, who, float64(t.Unix())}
			}
		}
		at(s.issued, f.issued)
		at(s.expiration, f.expiration)
		at(s.renewal, f.renewal)
		at(s.refreshExpiration, f.refreshExpiration)
		at(s.clientSecretExpiration, f.clientSecretExpiration)
		samples <- sample{s.ready, who, oneIf(f.ready)}
		samples <- sample{s.authorizationRequired, who, oneIf(f.authorizationRequired)}
		samples <- sample{s.suspended, who, oneIf(f.suspended)}
		samples <- sample{s.info, []*dto.LabelPair{label("grant", f.grant), name, namespace, label("vendor", f.vendor)}, 1}
		if f.reason != "" {
			samples <- sample{s.problem, []*dto.LabelPair{name, namespace, label("reason", f.reason)}, 1}
		}
	}
}

// set tells of an OAuthToken, in the place of what was told before.
func (s *series) set(key types.NamespacedName, now facts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[key] = now
}

// of is what was told of an OAuthToken.
func (s *series) of(key types.NamespacedName) facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[key]
}

// drop removes the series of an OAuthToken that is gone.
func (s *series) drop(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, key)
}

// sample is the value of a gauge, with its labels in the order of their names, as prometheus.Metric demands.
type sample struct {
	description *prometheus.Desc
	labels      []*dto.LabelPair
	value       float64
}

// Desc implements prometheus.Metric.
func (s sample) Desc() *prometheus.Desc { return s.description }

// Write implements prometheus.Metric.
func (s sample) Write(into *dto.Metric) error {
	into.Label, into.Gauge = s.labels, &dto.Gauge{Value: &s.value}
	return nil
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

func oneIf(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
