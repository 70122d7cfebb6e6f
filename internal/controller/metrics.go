package controller

import (
	"cmp"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// metrics are what the operator counts, and the series of OAuthTokens, which go with them.
type metrics struct {
	series                   *series
	requests, authorizations *prometheus.CounterVec
	duration                 *prometheus.HistogramVec
	lateness                 prometheus.Histogram
}

func newMetrics() *metrics {
	return &metrics{
		series: registered(newSeries()),
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
	now := facts{
		vendor: o.token.Spec.Vendor, grant: cmp.Or(status.GrantType, string(o.token.Spec.GrantType)),
		issued: timeOf(status.IssuedAt), expiration: timeOf(status.ExpiresAt), renewal: timeOf(status.RenewalTime),
		clientSecretExpiration: clientSecretExpiry(o),
		ready:                  meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady),
		authorizationRequired:  meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionAuthorizationRequired),
		suspended:              o.token.Spec.Suspend,
		rested:                 o.token.Spec.Suspend || o.rested && status.ExpiresAt.Equal(o.token.Status.ExpiresAt),
	}
	if status.RefreshToken != nil {
		now.refreshExpiration = timeOf(status.RefreshToken.ExpiresAt)
	}
	now.reason, _ = problemIn(status)
	m.series.set(types.NamespacedName{Namespace: o.token.Namespace, Name: o.token.Name}, now)
}

// rested tells whether an OAuthToken has been suspended since its token was issued. Status shows it until the suspension is over; then the first
// request may have to wait, or fail.
func (m *metrics) rested(token *v1alpha1.OAuthToken) bool {
	status := token.Status
	told := m.series.of(types.NamespacedName{Namespace: token.Namespace, Name: token.Name})
	return status.ExpiresAt != nil && (status.RenewalTime == nil || told.rested && told.expiration.Equal(status.ExpiresAt.Time))
}

// forget removes the series of an OAuthToken that is gone.
func (m *metrics) forget(key types.NamespacedName) { m.series.drop(key) }

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
	expiry, _ := declaration.ClientSecretExpiry(o.credentials.secret)
	return expiry
}
