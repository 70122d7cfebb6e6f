package controller

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// metrics are the operator's own series. Those of an OAuthToken go with it.
type metrics struct {
	expiration, renewal, refreshExpiration, clientSecretExpiration *prometheus.GaugeVec
	ready, authorizationRequired, suspended, info, problem         *prometheus.GaugeVec
	requests, authorizations                                       *prometheus.CounterVec
	duration                                                       *prometheus.HistogramVec
	lateness                                                       prometheus.Histogram

	mu    sync.Mutex
	known map[types.NamespacedName]traits
}

// traits are what an OAuthToken's series were made with: a series with another label value has to be removed by name.
type traits struct {
	uid                   types.UID
	vendor, grant, reason string
}

func newMetrics() *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		opts := prometheus.GaugeOpts{Name: "tokensync_" + name, Help: help}
		return registered(prometheus.NewGaugeVec(opts, append([]string{"namespace", "name"}, labels...)))
	}
	return &metrics{
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
		requests: registered(prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tokensync_token_requests_total", Help: "Token requests, by result: success, or the reason of the failure.",
		}, []string{"vendor", "grant", "result"})),
		authorizations: registered(prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tokensync_authorizations_total", Help: "Attempts of persons to authorize that ended, by result.",
		}, []string{"vendor", "result"})),
		duration: registered(prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tokensync_token_request_duration_seconds", Help: "How long token requests took.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"vendor", "grant"})),
		lateness: registered(prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tokensync_renewal_lateness_seconds", Help: "How long after its renewal time a token was requested with success.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
		})),
		known: map[types.NamespacedName]traits{},
	}
}

// registered registers a collector, or gives the one that is there from an earlier manager of this process.
func registered[C prometheus.Collector](collector C) C {
	err := ctrlmetrics.Registry.Register(collector)
	if present, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := present.ExistingCollector.(C); ok {
			return same
		}
	}
	return collector
}

// observe sets the series of one OAuthToken.
func (m *metrics) observe(o *observation, status v1alpha1.OAuthTokenStatus) {
	key := types.NamespacedName{Namespace: o.token.Namespace, Name: o.token.Name}
	at := func(gauge *prometheus.GaugeVec, t time.Time) {
		if t.IsZero() {
			gauge.DeleteLabelValues(key.Namespace, key.Name)
			return
		}
		gauge.WithLabelValues(key.Namespace, key.Name).Set(float64(t.Unix()))
	}
	at(m.expiration, timeOf(status.ExpiresAt))
	at(m.renewal, timeOf(status.RenewalTime))
	at(m.clientSecretExpiration, clientSecretExpiry(o))
	var refreshEnd time.Time
	if status.RefreshToken != nil {
		refreshEnd = timeOf(status.RefreshToken.ExpiresAt)
	}
	at(m.refreshExpiration, refreshEnd)
	tell := func(gauge *prometheus.GaugeVec, holds bool) {
		value := 0.0
		if holds {
			value = 1
		}
		gauge.WithLabelValues(key.Namespace, key.Name).Set(value)
	}
	tell(m.ready, meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady))
	tell(m.authorizationRequired, meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionAuthorizationRequired))
	tell(m.suspended, o.token.Spec.Suspend)
	reason, _ := problemIn(status)
	m.describe(key, traits{
		uid: o.token.UID, vendor: o.token.Spec.Vendor, grant: cmp.Or(status.GrantType, string(o.token.Spec.GrantType)), reason: reason,
	})
}

// describe sets the series whose labels tell of an OAuthToken, in the place of those with former values.
func (m *metrics) describe(key types.NamespacedName, now traits) {
	m.mu.Lock()
	before := m.known[key]
	m.known[key] = now
	m.mu.Unlock()
	if before.vendor != now.vendor || before.grant != now.grant {
		m.info.DeleteLabelValues(key.Namespace, key.Name, before.vendor, before.grant)
	}
	if before.reason != now.reason {
		m.problem.DeleteLabelValues(key.Namespace, key.Name, before.reason)
	}
	m.info.WithLabelValues(key.Namespace, key.Name, now.vendor, now.grant).Set(1)
	if now.reason != "" {
		m.problem.WithLabelValues(key.Namespace, key.Name, now.reason).Set(1)
	}
}

// forget removes the series of an OAuthToken that is gone, and returns its UID.
func (m *metrics) forget(key types.NamespacedName) types.UID {
	for _, gauge := range []*prometheus.GaugeVec{
		m.expiration, m.renewal, m.refreshExpiration, m.clientSecretExpiration, m.ready, m.authorizationRequired, m.suspended,
	} {
		gauge.DeleteLabelValues(key.Namespace, key.Name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.known[key]
	delete(m.known, key)
	m.info.DeleteLabelValues(key.Namespace, key.Name, before.vendor, before.grant)
	m.problem.DeleteLabelValues(key.Namespace, key.Name, before.reason)
	return before.uid
}

func (m *metrics) observeRequest(flow *oauth.Flow, took time.Duration, err error) {
	result := "success"
	if failure, ok := errors.AsType[*oauth.Error](err); ok {
		result = string(failure.Reason)
	}
	m.requests.WithLabelValues(flow.Vendor.Name, string(flow.Grant), result).Inc()
	m.duration.WithLabelValues(flow.Vendor.Name, string(flow.Grant)).Observe(took.Seconds())
}

// ObserveAuthorization counts the end of a person's attempt to authorize.
func (r *Reconciler) ObserveAuthorization(vendor, result string) {
	r.metrics.authorizations.WithLabelValues(vendor, result).Inc()
}

// observeLateness notes how long after its renewal time a token came. A first token is not late.
func (m *metrics) observeLateness(given *answer) {
	if !given.due.IsZero() {
		m.lateness.Observe(max(0, given.at.Sub(given.due).Seconds()))
	}
}

// clientSecretExpiry is what the credentials Secret's owner says; zero: nothing that can be read.
func clientSecretExpiry(o *observation) time.Time {
	if o.credentials.secret == nil {
		return time.Time{}
	}
	expiry, ok := parseTime(o.credentials.secret.Annotations[v1alpha1.ClientSecretExpiresAtAnnotation])
	if !ok {
		return time.Time{}
	}
	return expiry
}
