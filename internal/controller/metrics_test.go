package controller

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// gathered are the values of the operator's gauges and counters that bear a label, by name.
func gathered(t *testing.T, label, value string) map[string]float64 {
	t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if labelled(m, label, value) {
				found[family.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return found
}

func labelled(m *dto.Metric, label, value string) bool {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == label && pair.GetValue() == value {
			return true
		}
	}
	return false
}

func TestSeriesOfAnOAuthTokenFollowItsStatusAndGoWithIt(t *testing.T) {
	m := newMetrics()
	object := subject(func(o *v1alpha1.OAuthToken) { o.Name = "metered" })
	secret := credentialsSecret("", nil)
	secret.Annotations = map[string]string{v1alpha1.ClientSecretExpiresAtAnnotation: "2026-09-01T00:00:00Z"}
	o := &observation{token: object, credentials: credentialsView{secret: secret}}
	at := func(t time.Time) float64 { return float64(t.Unix()) }
	held := goodToken()
	status := statusOf(noon, object, &plan{}, &result{held: held, matches: true, keep: keepsake{
		RefreshToken: oauth.NewSensitive("r"), ExpiresAt: noon.Add(720 * time.Hour),
	}})
	m.observe(o, status)
	want := map[string]float64{
		"tokensync_token_issued_timestamp_seconds":             at(held.IssuedAt),
		"tokensync_token_expiration_timestamp_seconds":         at(held.ExpiresAt),
		"tokensync_token_renewal_timestamp_seconds":            at(status.RenewalTime.Time),
		"tokensync_refresh_token_expiration_timestamp_seconds": at(noon.Add(720 * time.Hour)),
		"tokensync_client_secret_expiration_timestamp_seconds": at(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)),
		"tokensync_token_ready":                                1,
		"tokensync_authorization_required":                     0,
		"tokensync_oauthtoken_suspended":                       0,
		"tokensync_oauthtoken_info":                            1,
	}
	if diff := cmp.Diff(want, gathered(t, "name", "metered")); diff != "" {
		t.Errorf("with a token (-want +got):\n%s", diff)
	}

	secret.Annotations[v1alpha1.ClientSecretExpiresAtAnnotation] = "soon"
	m.observe(o, statusOf(noon, object, &plan{}, &result{}))
	want = map[string]float64{
		"tokensync_token_ready": 0, "tokensync_authorization_required": 0, "tokensync_oauthtoken_suspended": 0,
		"tokensync_oauthtoken_info": 1, "tokensync_token_problem": 1,
	}
	if diff := cmp.Diff(want, gathered(t, "name", "metered")); diff != "" {
		t.Errorf("without one (-want +got):\n%s", diff)
	}

	m.forget(types.NamespacedName{Namespace: object.Namespace, Name: object.Name})
	if left := gathered(t, "name", "metered"); len(left) != 0 {
		t.Errorf("series of an OAuthToken that is gone: %v", left)
	}
}

func TestSeriesSayWhatAnOAuthTokenIsAndWhatItsProblemIs(t *testing.T) {
	m := newMetrics()
	object := subject(func(o *v1alpha1.OAuthToken) { o.Name, o.Spec.Vendor = "described", "acme" })
	observe := func(p *problem) {
		m.observe(&observation{token: object}, statusOf(noon, object, &plan{}, &result{held: goodToken(), matches: true, problem: p}))
	}
	one := func(name, label, value string) {
		t.Helper()
		if got := gathered(t, "name", "described")[name]; got != 1 {
			t.Errorf("%s is %v in sum over its series, want 1", name, got)
		}
		if got := gathered(t, label, value)[name]; got != 1 {
			t.Errorf("%s with %s=%q is %v, want 1", name, label, value, got)
		}
	}
	observe(&problem{reason: v1alpha1.ReasonAuthorizationRequired, authorize: true})
	one("tokensync_oauthtoken_info", "vendor", "acme")
	one("tokensync_token_problem", "reason", v1alpha1.ReasonAuthorizationRequired)
	one("tokensync_authorization_required", "name", "described")

	object.Spec.Vendor, object.Spec.GrantType, object.Spec.Suspend = "other", v1alpha1.GrantPassword, true
	object.Status.GrantType = ""
	observe(&problem{reason: v1alpha1.ReasonVendorUnavailable})
	one("tokensync_oauthtoken_info", "vendor", "other")
	one("tokensync_oauthtoken_info", "grant", "Password")
	one("tokensync_token_problem", "reason", v1alpha1.ReasonVendorUnavailable)
	one("tokensync_oauthtoken_suspended", "name", "described")

	observe(nil)
	if got := gathered(t, "name", "described")["tokensync_token_problem"]; got != 0 {
		t.Error("a problem is told of that is no more")
	}
	m.forget(types.NamespacedName{Namespace: object.Namespace, Name: object.Name})
	if left := gathered(t, "name", "described"); len(left) != 0 {
		t.Errorf("series of an OAuthToken that is gone: %v", left)
	}
}

func TestRequestsAreCountedByTheirResult(t *testing.T) {
	m := newMetrics()
	flow := &oauth.Flow{Vendor: &oauth.Vendor{Name: "metered-vendor"}, Grant: oauth.Password}
	m.observeRequest(flow, time.Second, nil)
	m.observeRequest(flow, time.Second, &oauth.Error{Reason: oauth.ReasonInvalidGrant})
	m.observeRequest(flow, time.Second, errors.Join(&oauth.Error{Reason: oauth.ReasonInvalidGrant}))
	for result, want := range map[string]float64{"success": 1, "InvalidGrant": 2} {
		var got dto.Metric
		if err := m.requests.WithLabelValues("metered-vendor", "Password", result).Write(&got); err != nil || got.GetCounter().GetValue() != want {
			t.Errorf("%s: %v, want %v", result, got.GetCounter().GetValue(), want)
		}
	}
	if got := gathered(t, "vendor", "metered-vendor")["tokensync_token_request_duration_seconds"]; got != 3 {
		t.Errorf("%v durations were observed", got)
	}
}

func TestLatenessIsThatOfARenewal(t *testing.T) {
	m := newMetrics()
	count := func() (n uint64, sum float64) {
		var got dto.Metric
		if err := m.lateness.Write(&got); err != nil {
			t.Fatal(err)
		}
		return got.GetHistogram().GetSampleCount(), got.GetHistogram().GetSampleSum()
	}
	before, sum := count()
	m.observeLateness(&answer{at: noon})                                         // a first token
	m.observeLateness(&answer{due: noon, at: noon.Add(1500 * time.Millisecond)}) // late
	m.observeLateness(&answer{due: noon, at: noon.Add(-time.Second)})            // early, since a renewal was asked for
	after, total := count()
	if after-before != 2 || total-sum != 1.5 {
		t.Errorf("%d observations, %v s in sum", after-before, total-sum)
	}
}

func TestAManagerThatStartsAnewInTheProcessFindsItsMetrics(t *testing.T) {
	key := types.NamespacedName{Namespace: "shop", Name: "again"}
	newMetrics().series.set(key, facts{ready: false})
	later := newMetrics()
	later.series.set(key, facts{ready: true})
	if got := gathered(t, "name", "again")["tokensync_token_ready"]; got != 1 {
		t.Errorf("the second manager's value is %v", got)
	}
	later.forget(key)
}

func TestTheEndOfAClientSecretIsReadFromItsOwnersAnnotation(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                          {},
		"tomorrow":                  {},
		"2026-03-01T12:00:00Z":      noon,
		"2026-03-01T13:00:00+01:00": noon,
	} {
		secret := credentialsSecret("", nil)
		metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1alpha1.ClientSecretExpiresAtAnnotation, text)
		if got := clientSecretExpiry(&observation{credentials: credentialsView{secret: secret}}); !got.Equal(want) {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func TestAuthorizationsAreCountedByResult(t *testing.T) {
	r := &Reconciler{metrics: newMetrics()}
	for range 2 {
		r.ObserveAuthorization("counted-vendor", "Completed")
	}
	r.ObserveAuthorization("counted-vendor", "Denied")
	want := map[string]float64{"tokensync_authorizations_total": 3}
	if diff := cmp.Diff(want, gathered(t, "vendor", "counted-vendor")); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	if got := gathered(t, "result", "Denied")["tokensync_authorizations_total"]; got != 1 {
		t.Errorf("%v denials are counted, want 1", got)
	}
}
