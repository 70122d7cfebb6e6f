package controller

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// The words of kstatus for how an object stands, which Argo CD, Flux and kubectl wait go by.
const (
	KStatusCurrent    = "Current"
	KStatusInProgress = "InProgress"
	KStatusFailed     = "Failed"
)

// KStatus says how kstatus reads an OAuthToken: generation first, then the abnormal-true conditions, then Ready. It complains where
// conditions contradict each other.
func KStatus(object *v1alpha1.OAuthToken) (word string, complaints []string) {
	is := func(kind string) bool { return meta.IsStatusConditionTrue(object.Status.Conditions, kind) }
	complain := func(when bool, format string, values ...any) {
		if when {
			complaints = append(complaints, fmt.Sprintf(format, values...))
		}
	}
	ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	complain(ready == nil, "there is no condition Ready")
	complain(is(v1alpha1.ConditionStalled) && is(v1alpha1.ConditionReconciling), "it is Stalled and Reconciling at once")
	failing := is(v1alpha1.ConditionStalled) || is(v1alpha1.ConditionReconciling)
	complain(is(v1alpha1.ConditionReady) == failing, "Ready is %t, and it is Stalled or Reconciling: %t", is(v1alpha1.ConditionReady), failing)
	complain(is(v1alpha1.ConditionRenewalFailing) && !is(v1alpha1.ConditionReady), "a renewal fails where no token is served")
	for _, c := range object.Status.Conditions {
		complain(c.Type != v1alpha1.ConditionReady && c.Status != metav1.ConditionTrue, "%s is abnormal-true and there as %s", c.Type, c.Status)
		complain(c.ObservedGeneration != object.Status.ObservedGeneration, "%s speaks of generation %d", c.Type, c.ObservedGeneration)
		complain(!slices.Contains(knownReasons(), c.Reason), "%s has the unknown reason %s", c.Type, c.Reason)
		complain(c.Message == "", "%s has no message", c.Type)
	}
	switch {
	case object.Status.ObservedGeneration != object.Generation, is(v1alpha1.ConditionReconciling):
		return KStatusInProgress, complaints
	case is(v1alpha1.ConditionStalled):
		return KStatusFailed, complaints
	case is(v1alpha1.ConditionReady):
		return KStatusCurrent, complaints
	}
	return KStatusInProgress, complaints
}

// knownReasons are all reasons of conditions that the API documents.
func knownReasons() []string {
	return slices.Collect(maps.Values(constants("../../api/v1alpha1/conditions.go", "Reason")))
}

// constants are the string constants of a source file whose names have a prefix, by what follows it.
func constants(file, prefix string) map[string]string {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		panic(err)
	}
	found := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, isLiteral := spec.Values[0].(*ast.BasicLit)
		if name, hasPrefix := strings.CutPrefix(spec.Names[0].Name, prefix); isLiteral && hasPrefix {
			found[name], _ = strconv.Unquote(literal.Value)
		}
		return true
	})
	return found
}

func TestTheReasonsOfTheTokenClientAreThoseOfTheAPI(t *testing.T) {
	api, client := constants("../../api/v1alpha1/conditions.go", "Reason"), constants("../oauth/error.go", "Reason")
	if len(client) < 10 || len(api) < 20 {
		t.Fatalf("%d and %d constants were found", len(client), len(api))
	}
	for name, value := range client {
		if api[name] != value {
			t.Errorf("oauth.Reason%s is %q, the API's is %q", name, value, api[name])
		}
	}
}

// subject is an OAuthToken as the tables of this package have it.
func subject(change ...func(*v1alpha1.OAuthToken)) *v1alpha1.OAuthToken {
	object := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "api", Generation: 3, UID: "8d9a"},
		Spec:       v1alpha1.OAuthTokenSpec{Vendor: "genesys-cloud", CredentialsSecretRef: v1alpha1.SecretReference{Name: "client"}},
	}
	for _, c := range change {
		c(object)
	}
	return object
}

func suspended(object *v1alpha1.OAuthToken) { object.Spec.Suspend = true }

func goodToken() *record {
	return &record{IssuedAt: noon.Add(-10 * time.Minute), ExpiresAt: noon.Add(50 * time.Minute)}
}

func expiredToken() *record { return &record{IssuedAt: noon.Add(-time.Hour), ExpiresAt: noon} }

func failedWith(reason string) *problem {
	return failureProblem(&v1alpha1.FailureStatus{Reason: reason, Message: "The token endpoint fails."})
}

func config(reason oauth.Reason) *problem {
	return configProblem(&oauth.ConfigError{Reason: reason, Faults: []string{"mend it"}})
}

// obstacle is a problem, and how the status without a good token tells of it.
type obstacle struct {
	problem *problem
	others  []string // conditions beside Ready
	kstatus string
}

// obstacles are problems by their reason.
func obstacles() map[string]obstacle {
	waits := func(p *problem) obstacle {
		return obstacle{p, []string{v1alpha1.ConditionReconciling}, KStatusInProgress}
	}
	stalls := func(p *problem, more ...string) obstacle {
		return obstacle{p, append(more, v1alpha1.ConditionStalled), KStatusFailed}
	}
	person := func(reason string) obstacle {
		return stalls(personNeeded(&oauth.Flow{Grant: oauth.RefreshToken}, reason), v1alpha1.ConditionAuthorizationRequired)
	}
	all := map[string]obstacle{
		v1alpha1.ReasonAwaitingCredentials:    waits(credentialsProblem(&observation{token: subject()})),
		v1alpha1.ReasonCredentialsNotLabelled: stalls(credentialsProblem(&observation{token: subject(), credentials: credentialsView{unlabelled: true}})),
		v1alpha1.ReasonSecretConflict: stalls(conflictProblem(&observation{token: subject(), target: viewTarget(subject(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "api", Namespace: "shop"}, Type: corev1.SecretTypeOpaque,
		})})),
		v1alpha1.ReasonTemplateFailed:        stalls(templateFailed("template.data[x] fails")),
		v1alpha1.ReasonAuthorizationRequired: person(v1alpha1.ReasonAuthorizationRequired),
		v1alpha1.ReasonRefreshTokenExpired:   person(v1alpha1.ReasonRefreshTokenExpired),
		v1alpha1.ReasonRefreshInterrupted:    waits(interrupted(&oauth.Flow{}, true)),
	}
	for _, reason := range []oauth.Reason{oauth.ReasonInvalidSpec, oauth.ReasonEndpointNotAllowed, oauth.ReasonCredentialsIncomplete} {
		all[string(reason)] = stalls(config(reason))
	}
	for _, reason := range []string{
		v1alpha1.ReasonInvalidClient, v1alpha1.ReasonInvalidGrant, v1alpha1.ReasonInvalidScope, v1alpha1.ReasonInvalidRequest,
		v1alpha1.ReasonUnauthorizedClient, v1alpha1.ReasonUnsupportedGrantType, v1alpha1.ReasonAccessDenied,
	} {
		all[reason] = stalls(failedWith(reason))
	}
	for _, reason := range []string{v1alpha1.ReasonRateLimited, v1alpha1.ReasonVendorUnavailable, v1alpha1.ReasonMalformedResponse} {
		all[reason] = waits(failedWith(reason))
	}
	return all
}

// situation is what statusOf is asked about, and what it should say.
type situation struct {
	object  *v1alpha1.OAuthToken
	outcome result
	ready   metav1.ConditionStatus
	reason  string
	others  []string
	kstatus string
}

func situations() map[string]situation {
	const no, yes = metav1.ConditionFalse, metav1.ConditionTrue
	reconciling, stalled := []string{v1alpha1.ConditionReconciling}, []string{v1alpha1.ConditionStalled}
	all := map[string]situation{
		"a good token": {subject(), result{held: goodToken(), matches: true}, yes, v1alpha1.ReasonTokenIssued, nil, KStatusCurrent},
		"a good token while suspended": {
			subject(suspended), result{held: goodToken(), matches: true}, yes, v1alpha1.ReasonTokenIssued, nil, KStatusCurrent,
		},
		"nothing yet": {subject(), result{}, no, v1alpha1.ReasonRequesting, reconciling, KStatusInProgress},
		"a good token for another spec": {
			subject(), result{held: goodToken()}, no, v1alpha1.ReasonRequesting, reconciling, KStatusInProgress,
		},
		"nothing while suspended": {subject(suspended), result{}, no, v1alpha1.ReasonSuspended, stalled, KStatusFailed},
		"a good token for another spec while suspended": {
			subject(suspended), result{held: goodToken()}, no, v1alpha1.ReasonSuspended, stalled, KStatusFailed,
		},
		"an expired token": {
			subject(), result{held: expiredToken(), matches: true}, no, v1alpha1.ReasonTokenExpired, reconciling, KStatusInProgress,
		},
		"an expired token while suspended": {
			subject(suspended), result{held: expiredToken(), matches: true}, no, v1alpha1.ReasonTokenExpired, stalled, KStatusFailed,
		},
	}
	for reason, o := range obstacles() {
		all[reason+" without a token"] = situation{subject(), result{problem: o.problem}, no, reason, o.others, o.kstatus}
		all[reason+" with an expired token"] = situation{
			subject(), result{problem: o.problem, held: expiredToken(), matches: true}, no, reason, o.others, o.kstatus,
		}
		served := []string{v1alpha1.ConditionRenewalFailing}
		if o.problem.authorize {
			served = append(served, v1alpha1.ConditionAuthorizationRequired)
		}
		all[reason+" with a good token"] = situation{
			subject(), result{problem: o.problem, held: goodToken(), matches: true}, yes, v1alpha1.ReasonTokenIssued, served, KStatusCurrent,
		}
	}
	return all
}

func TestStatusOfEverySituation(t *testing.T) {
	told := map[string]bool{}
	for name, s := range situations() {
		told[s.reason] = true
		t.Run(name, func(t *testing.T) {
			object := s.object
			object.Status = statusOf(noon, object, &plan{}, &s.outcome)
			ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != s.ready || ready.Reason != s.reason {
				t.Errorf("Ready is %+v, want %s with reason %s", ready, s.ready, s.reason)
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(s.others)), otherConditions(object)); diff != "" {
				t.Errorf("other conditions (-want +got):\n%s", diff)
			}
			if failing := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionRenewalFailing); failing != nil &&
				(failing.Reason != s.outcome.problem.reason || failing.Message != s.outcome.problem.message) {
				t.Errorf("RenewalFailing says %q, the problem is %q", failing.Message, s.outcome.problem.message)
			}
			word, complaints := KStatus(object)
			if word != s.kstatus || complaints != nil {
				t.Errorf("kstatus: %s, want %s; complaints: %q", word, s.kstatus, complaints)
			}
		})
	}
	for _, reason := range knownReasons() {
		if !told[reason] {
			t.Errorf("no situation gives Ready the reason %s", reason)
		}
	}
}

// otherConditions are those beside Ready.
func otherConditions(object *v1alpha1.OAuthToken) []string {
	var kinds []string
	for _, c := range object.Status.Conditions {
		if c.Type != v1alpha1.ConditionReady {
			kinds = append(kinds, c.Type)
		}
	}
	return slices.Sorted(slices.Values(kinds))
}

func TestTheSameSituationGivesTheSameStatusAtEveryTime(t *testing.T) {
	for name, s := range situations() {
		t.Run(name, func(t *testing.T) {
			object := s.object
			object.Status = statusOf(noon, object, &plan{}, &s.outcome)
			for _, later := range []time.Duration{time.Second, time.Minute, 49 * time.Minute} {
				again := statusOf(noon.Add(later), object, &plan{}, &s.outcome)
				if diff := cmp.Diff(object.Status, again); diff != "" {
					t.Errorf("after %s (-before +after):\n%s", later, diff)
				}
			}
		})
	}
}

func TestReadyTurnsFalseAtTheSecondOfTheTokensEnd(t *testing.T) {
	for name, failing := range map[string]*problem{"quietly": nil, "while renewal fails": failedWith(v1alpha1.ReasonVendorUnavailable)} {
		t.Run(name, func(t *testing.T) {
			object, held := subject(), goodToken()
			outcome := &result{held: held, matches: true, problem: failing}
			at := func(now time.Time) bool {
				object.Status = statusOf(now, object, &plan{}, outcome)
				return meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReady)
			}
			if !at(noon) || !at(held.ExpiresAt.Add(-time.Second)) || at(held.ExpiresAt) {
				t.Error("Ready does not follow the token's life")
			}
			ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
			if !ready.LastTransitionTime.Time.Equal(held.ExpiresAt) {
				t.Errorf("Ready turned at %s, want %s", ready.LastTransitionTime, held.ExpiresAt)
			}
		})
	}
}

func TestStatusHasWholeSecondsInUTC(t *testing.T) {
	object := subject()
	elsewhere := time.FixedZone("elsewhere", 3600)
	held := &record{IssuedAt: noon.Add(-time.Minute), ExpiresAt: noon.Add(time.Hour)}
	status := statusOf(noon.Add(123456789).In(elsewhere), object, &plan{}, &result{held: held, matches: true, recent: []time.Time{noon.Add(999).In(elsewhere)}})
	for name, got := range map[string]metav1.Time{
		"lastTransitionTime": status.Conditions[0].LastTransitionTime, "recentFailures": status.RecentFailures[0], "issuedAt": *status.IssuedAt,
		"renewalTime": *status.RenewalTime,
	} {
		if got.Nanosecond() != 0 || got.Location() != time.UTC {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestStatusKeepsToTheBoundsOfTheAPI(t *testing.T) {
	long := strings.Repeat("é", 4000)
	scopes := make([]string, 0, 400)
	for i := range cap(scopes) {
		scopes = append(scopes, strings.Repeat("s", 2000)+strconv.Itoa(i))
	}
	object := subject(func(o *v1alpha1.OAuthToken) {
		o.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: long}
	})
	status := statusOf(noon, object, &plan{}, &result{
		held: goodToken(), matches: true, scopes: scopes, attempted: true, problem: &problem{reason: v1alpha1.ReasonInvalidSpec, message: long},
	})
	if len(status.Scopes) > 256 || slices.ContainsFunc(status.Scopes, func(s string) bool { return len(s) > 1024 }) {
		t.Errorf("%d scopes of up to %d characters: the API server would refuse the status for ever", len(status.Scopes), len(status.Scopes[0]))
	}
	if n := len(status.LastHandledRenewRequest); n > 1024 || !strings.HasPrefix(long, status.LastHandledRenewRequest) {
		t.Errorf("lastHandledRenewRequest has %d bytes, or a broken character", n)
	}
	for _, c := range status.Conditions {
		if len(c.Message) > 2048 || !strings.HasPrefix(long+c.Message, c.Message) && c.Type == v1alpha1.ConditionRenewalFailing {
			t.Errorf("the message of %s has %d bytes, or a broken character", c.Type, len(c.Message))
		}
	}
}

func TestALongRenewRequestIsHandledOnceToo(t *testing.T) {
	object := subject(func(o *v1alpha1.OAuthToken) {
		o.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: strings.Repeat("x", 5000)}
	})
	p := &plan{held: goodToken()}
	if !p.renewalState(&observation{token: object}, time.Time{}).Renew {
		t.Fatal("the renewal is not asked for")
	}
	object.Status = statusOf(noon, object, p, &result{attempted: true, held: goodToken(), matches: true})
	if state := p.renewalState(&observation{token: object}, time.Time{}); !state.RenewTried {
		t.Error("a failed attempt counts as none: the vendor would be asked in a hot loop")
	}
	given := answerOf(&observation{token: object}, &plan{flow: &oauth.Flow{Vendor: &oauth.Vendor{}}}, &oauth.Token{Lifetime: time.Hour, RequestedAt: noon})
	if n := len(given.record.RenewHandled); n > 1024 {
		t.Errorf("the target's annotation would have %d bytes", n)
	}
	p.held = &given.record
	if p.renewalState(&observation{token: object}, time.Time{}).Renew {
		t.Error("the renewal is still asked for after it was made")
	}
}

// After a change of grant or client the refresh token that is kept can't be used: nobody is to be told of its end.
func TestARefreshTokenThatTheSpecCanNotUseIsNotShown(t *testing.T) {
	end := noon.Add(12 * time.Hour)
	for name, test := range map[string]struct {
		change func(*rig)
		shown  bool
	}{
		"as it was": {func(*rig) {}, true},
		"another grant": {func(r *rig) {
			r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.GrantType = v1alpha1.GrantClientCredentials })
		}, false},
		"another client": {func(r *rig) {
			r.changeSecret("client", func(s *corev1.Secret) { s.Data["client_id"] = []byte("another") })
		}, false},
		"a spec that can't be read": {func(r *rig) { r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Vendor = "nobody" }) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t, func(o *v1alpha1.OAuthToken, _ *corev1.Secret) { o.Spec.GrantType = v1alpha1.GrantPassword })
			r.reconcile(2)
			r.changeSecret("api"+v1alpha1.StateSecretSuffix, func(s *corev1.Secret) { s.Data[keyRefreshTokenExpiresAt] = []byte(formatTime(end)) })
			r.give("another")
			test.change(r)
			r.later(time.Minute)
			if got := r.token().Status.RefreshToken != nil; got != test.shown {
				t.Errorf("status tells of it: %t", got)
			}
			if got := strings.Contains(r.told.String(), v1alpha1.EventRefreshTokenExpiring); got != test.shown {
				t.Errorf("an event tells of it: %t", got)
			}
			key := types.NamespacedName{Namespace: r.token().Namespace, Name: "api"}
			if got := !r.metrics.series.of(key).refreshExpiration.IsZero(); got != test.shown {
				t.Errorf("a metric tells of it: %t", got)
			}
			if got := r.stored("api").RefreshToken.Reveal(); got != "first" {
				t.Errorf("%q is kept", got)
			}
		})
	}
}
