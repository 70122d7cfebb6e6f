package controller_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// checkCounted looks at what else must be so after a mishap: one event, one request in the metrics and at the vendor, the series that say what
// is wrong, and the token that is served untouched.
func (g *grid) checkCounted(r route, name string, m mishap) {
	g.t.Helper()
	want, earlier, seen := r.after(m), 0, 0
	if r.served {
		earlier = 1
	}
	if m.sent() {
		seen = 1
	}
	if got := g.tokens(name); got != earlier+seen {
		g.t.Errorf("%s: the vendor has seen %d requests, want %d", name, got, earlier+seen)
	}
	told := 1
	if r.served && r.grant == v1alpha1.GrantAuthorizationCode && want.reason == v1alpha1.ReasonAuthorizationRequired {
		told++ // somebody was asked before the first token
	}
	if got := g.events(name)[want.reason]; got != told {
		g.t.Errorf("%s: %d events of reason %s, want %d: %v", name, got, want.reason, told, g.events(name))
	}
	results := map[string]float64{m.reason: 1}
	if r.served {
		results["success"] = 1
	}
	if diff := cmp.Diff(results, seriesOf("tokensync_token_requests_total", "vendor", g.vendorOf(name), "result")); diff != "" {
		g.t.Errorf("%s: requests in the metrics (-want +got):\n%s", name, diff)
	}
	if diff := cmp.Diff(map[string]float64{name: float64(earlier)}, g.gauges("tokensync_token_ready", name, "name")); diff != "" {
		g.t.Errorf("%s: token_ready (-want +got):\n%s", name, diff)
	}
	if diff := cmp.Diff(map[string]float64{want.reason: 1}, g.gauges("tokensync_token_problem", name, "reason")); diff != "" {
		g.t.Errorf("%s: token_problem (-want +got):\n%s", name, diff)
	}
	g.checkNextAttempt(name, want)
	if !r.served && g.exists(name) {
		g.t.Errorf("%s: there is a target Secret without a token", name)
	}
	if r.served {
		g.checkUntouched(name)
	}
}

// checkNextAttempt compares what status says of the next attempt with the fate.
func (g *grid) checkNextAttempt(name string, want fate) {
	g.t.Helper()
	token := g.oauthToken(name)
	if want.most == 0 {
		return
	}
	failures := token.Status.Failures
	if failures == nil || failures.LastTime == nil || failures.NextAttempt == nil || failures.Count != 1 {
		g.t.Errorf("%s: failures are %+v", name, failures)
		return
	}
	least, most := want.least, want.most
	if want.lastTenth {
		least = token.Status.ExpiresAt.Add(-token.Status.ExpiresAt.Sub(token.Status.IssuedAt.Time) / 10).Sub(failures.LastTime.Time)
		most = least
	}
	if pause := failures.NextAttempt.Sub(failures.LastTime.Time); pause < least || pause > most {
		g.t.Errorf("%s: status says that the next attempt is after %s, want %s to %s", name, pause, least, most)
	}
}

func (g *grid) checkUntouched(name string) {
	g.t.Helper()
	before, now := g.before[name], g.secret(name)
	if diff := cmp.Diff(before.Data, now.Data); diff != "" || before.ResourceVersion != now.ResourceVersion {
		g.t.Errorf("%s: the target Secret was written", name)
	}
}

// lastTenthBegins is how long after the mishap a tenth of the served token's life remains: of an hour, 45 minutes of which had passed.
const lastTenthBegins = 9 * time.Minute

// moments are when, after the mishap, it is looked whose next request has come: just before and just after each pause of the table.
func moments() []time.Duration {
	return []time.Duration{
		3 * time.Second, 7 * time.Second, 26 * time.Second, 34 * time.Second, 53 * time.Second, 67 * time.Second, 89 * time.Second, 100 * time.Second,
		lastTenthBegins - time.Second, lastTenthBegins + time.Second,
		59*time.Minute + 59*time.Second, 67 * time.Minute, 6*time.Hour - time.Second, 6*time.Hour + 11*time.Minute,
	}
}

// liveOn lets time pass. Until its pause is over an OAuthToken asks for nothing; then once, and that succeeds, unless what it sends is spent.
func (g *grid) liveOn(r route, all map[string]mishap, struck time.Time, requests map[string]int) {
	g.t.Helper()
	waiting := maps.Clone(all)
	for _, moment := range moments() {
		g.hands.SetTime(struck.Add(moment))
		names := slices.Sorted(maps.Keys(waiting))
		for _, name := range names {
			g.nudge(name)
		}
		g.settled()
		for _, name := range names {
			want := r.after(all[name])
			if g.checkMoment(r, name, want, moment, requests[name]) {
				delete(waiting, name)
			}
		}
	}
	for name := range waiting {
		if r.after(all[name]).most > 0 {
			g.t.Errorf("%s: no further request in %s", name, moments()[len(moments())-1])
		}
	}
}

// checkMoment tells whether an OAuthToken has made its next request, and complains where that is too early, too late, more than one, or in vain.
func (g *grid) checkMoment(r route, name string, want fate, moment time.Duration, before int) bool {
	g.t.Helper()
	least, most := want.least, want.most
	if want.lastTenth {
		least, most = lastTenthBegins, lastTenthBegins
	}
	made := g.tokens(name) - before
	switch {
	case want.spent && moment > most:
		if made != 0 {
			g.t.Errorf("%s: what was sent before is sent again: %d requests %s after the mishap", name, made, moment)
		}
		g.awaitReason(name, v1alpha1.ReasonAwaitingCredentials)
		return true
	case most == 0 || moment < least:
		if made != 0 {
			g.t.Errorf("%s: %d requests %s after the mishap, want none", name, made, moment)
		}
		return made != 0
	case moment <= most:
		return made != 0
	case made != 1:
		g.t.Errorf("%s: %d requests %s after the mishap, want one", name, made, moment)
		return true
	}
	g.checkMended(name, want)
	return true
}

// checkMended looks at the outcome of the request after a mishap.
func (g *grid) checkMended(name string, want fate) {
	g.t.Helper()
	token := g.oauthToken(name)
	if want.vain != "" && token.Spec.GrantType == v1alpha1.GrantSAML2Bearer {
		g.awaitReason(name, want.vain)
		return
	}
	if want.vain != "" {
		if !has(token, v1alpha1.ConditionAuthorizationRequired, want.vain) {
			g.t.Errorf("%s: nobody is asked although what was sent is spent or past its end: %+v", name, token.Status.Conditions)
		}
		return
	}
	left := slices.DeleteFunc(slices.Clone(token.Status.Conditions), func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue && c.Reason == v1alpha1.ReasonTokenIssued
	})
	if len(left) != 0 || len(token.Status.Conditions) != 1 || token.Status.Failures != nil || !g.vendor.IsLive(g.served(name)) {
		g.t.Errorf("%s: not mended: %+v, failures %+v", name, token.Status.Conditions, token.Status.Failures)
	}
}

// awaitReason waits until an OAuthToken says why there is no new token.
func (g *grid) awaitReason(name, reason string) {
	g.t.Helper()
	g.eventually(func() string {
		token := g.oauthToken(name)
		if has(token, v1alpha1.ConditionRenewalFailing, reason) || slices.ContainsFunc(token.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionFalse && c.Reason == reason
		}) {
			return ""
		}
		return fmt.Sprintf("%s: want the reason %s, have %+v", name, reason, token.Status.Conditions)
	})
}

// gauges are the values of a metric for one OAuthToken, by another label.
func (g *grid) gauges(metric, name, by string) map[string]float64 {
	return seriesOf(metric, "namespace", g.namespace, by, "name="+name)
}

// seriesOf are the values of a metric where a label has a value, and others too, by yet another label.
func seriesOf(metric, label, value, by string, others ...string) map[string]float64 {
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		return nil
	}
	found := map[string]float64{}
	for _, family := range families {
		if family.GetName() != metric {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			var pairs strings.Builder
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
				fmt.Fprintf(&pairs, "%s=%s,", pair.GetName(), pair.GetValue())
			}
			fits := !slices.ContainsFunc(others, func(o string) bool { return !strings.Contains(pairs.String(), o+",") })
			if labels[label] == value && fits {
				found[labels[by]] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return found
}
