package controller

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

func TestProblemsNameTheirRemedy(t *testing.T) {
	named := func(name string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Type: corev1.SecretTypeOpaque}
	}
	badMapping := credentialsSecret("client_id=LOST", nil)
	tests := map[string]struct {
		problem *problem
		reason  string
		remedy  string
	}{
		"the credentials Secret is absent": {
			credentialsProblem(&observation{token: subject()}), v1alpha1.ReasonAwaitingCredentials,
			"create it with the label tokensync.dev/role=credentials",
		},
		"the credentials Secret lacks the label": {
			credentialsProblem(&observation{token: subject(), credentials: credentialsView{unlabelled: true}}), v1alpha1.ReasonCredentialsNotLabelled,
			"kubectl label secret client -n shop tokensync.dev/role=credentials",
		},
		"the credentials Secret has another label": {
			credentialsProblem(&observation{token: subject(), credentials: credentialsView{unlabelled: true, otherRole: true}}), v1alpha1.ReasonCredentialsNotLabelled,
			"kubectl label secret client -n shop tokensync.dev/role=credentials --overwrite",
		},
		"the mapping of keys is wrong": {
			credentialsProblem(&observation{token: subject(), credentials: credentialsView{secret: badMapping}}), v1alpha1.ReasonCredentialsIncomplete,
			"it must name a key, not a value",
		},
		"a foreign Secret is in the way": {
			conflictProblem(&observation{token: subject(), target: viewTarget(subject(), named("api"))}), v1alpha1.ReasonSecretConflict,
			"kubectl annotate secret api -n shop tokensync.dev/adopt-by=api",
		},
		"a foreign Secret has the state Secret's name": {
			stateConflict(&observation{token: subject(), state: named("api-oauth-state")}), v1alpha1.ReasonSecretConflict,
			"kubectl label secret api-oauth-state -n shop tokensync.dev/role=state",
		},
		"an older OAuthToken has the target": {
			conflictProblem(&observation{token: subject(func(o *v1alpha1.OAuthToken) { o.CreationTimestamp = metav1.NewTime(noon) }), rivals: []claim{{name: "older"}}}),
			v1alpha1.ReasonSecretConflict, "set spec.target.name to another name",
		},
		"a refresh token waits to be saved": {
			savingProblem(&observation{token: subject(), saving: true, saves: precious}), v1alpha1.ReasonRefreshInterrupted, "do not stop the operator",
		},
		"a failure waits to be noted": {
			savingProblem(&observation{token: subject(), saving: true, saves: tidy}), v1alpha1.ReasonRefreshInterrupted, "and nothing is requested before: find out",
		},
		"a quota is used up": {
			refusedProblem("api", errors.New(`secrets "api" is forbidden: exceeded quota: small, requested: secrets=1`)), v1alpha1.ReasonSecretConflict,
			"raise it",
		},
		"a webhook refuses": {
			refusedProblem("api", errors.New(`admission webhook "policy.example" denied the request: canary`)), v1alpha1.ReasonSecretConflict,
			`"policy.example" refuses it: change its policy`,
		},
		"a webhook does not answer": {
			refusedProblem("api", apierrors.NewInternalError(errors.New(`failed calling webhook "guard.example": canary`))), v1alpha1.ReasonSecretConflict,
			`"guard.example" does not answer: mend it`,
		},
		"a quota leaves no place for the state Secret": {
			refusedStateProblem("api-oauth-state", withoutWords(apierrors.NewForbidden(corev1.Resource("secrets"), "api-oauth-state", errors.New("exceeded quota: small")))),
			v1alpha1.ReasonSecretConflict, `the state Secret "api-oauth-state" be written: a ResourceQuota of the namespace is used up: raise it`,
		},
		"a webhook refuses the state Secret": {
			refusedStateProblem("api-oauth-state", withoutWords(apierrors.NewForbidden(corev1.Resource("secrets"), "api-oauth-state",
				errors.New(`admission webhook "policy.example" denied the request: canary`)))), v1alpha1.ReasonSecretConflict, `"policy.example" refuses it: let its policy allow it`,
		},
		"something else refuses the state Secret": {
			refusedStateProblem("api-oauth-state", withoutWords(apierrors.NewForbidden(corev1.Resource("secrets"), "api-oauth-state", errors.New("canary")))),
			v1alpha1.ReasonSecretConflict, "the operator's role",
		},
		"something else refuses":    {refusedProblem("api", errors.New("canary")), v1alpha1.ReasonSecretConflict, "compare spec.target"},
		"repairs do not hold":       {fightProblem(subject()), v1alpha1.ReasonSecretConflict, "kubectl get secret api -n shop --show-managed-fields"},
		"others were throttled":     {pausedProblem(), v1alpha1.ReasonRateLimited, "fewer of them"},
		"a refresh was interrupted": {interrupted(&oauth.Flow{}, true), v1alpha1.ReasonRefreshInterrupted, "and then tried again"},
		"a refresh was interrupted whose grant a person obtained": {
			interrupted(&oauth.Flow{Grant: oauth.AuthorizationCode}, true), v1alpha1.ReasonRefreshInterrupted, "at the address in status.authorization.url",
		},
		"a refresh was interrupted that began with a seed": {
			interrupted(&oauth.Flow{Grant: oauth.RefreshToken}, true), v1alpha1.ReasonRefreshInterrupted, "puts a new one under the key refresh_token",
		},
		"a refresh was interrupted that began with an assertion": {
			interrupted(&oauth.Flow{Grant: oauth.SAML2Bearer}, true), v1alpha1.ReasonRefreshInterrupted, "puts a fresh assertion under the key assertion",
		},
		"a refresh was interrupted whose grant can be repeated": {
			interrupted(&oauth.Flow{Grant: oauth.Password}, false), v1alpha1.ReasonRefreshInterrupted, "the next token is asked for without it",
		},
		"a refresh token is used up": {
			personNeeded(&oauth.Flow{Grant: oauth.RefreshToken}, v1alpha1.ReasonAuthorizationRequired), v1alpha1.ReasonAuthorizationRequired,
			"put a new one under the key refresh_token",
		},
		"another OAuthToken spends the refresh token": {
			claimed(oauth.RefreshToken, &observation{token: subject(func(o *v1alpha1.OAuthToken) { o.CreationTimestamp = metav1.NewTime(noon) }), sharers: []claim{{name: "older"}}}),
			v1alpha1.ReasonInvalidSpec, "a refresh token of its own",
		},
		"another OAuthToken sends the assertion": {
			claimed(oauth.SAML2Bearer, &observation{token: subject(func(o *v1alpha1.OAuthToken) { o.CreationTimestamp = metav1.NewTime(noon) }), sharers: []claim{{name: "older"}}}),
			v1alpha1.ReasonInvalidSpec, "an assertion of its own",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.problem == nil || test.problem.reason != test.reason || !strings.Contains(test.problem.message, test.remedy) {
				t.Fatalf("got %+v, want reason %s and %q", test.problem, test.reason, test.remedy)
			}
			checkMessage(t, test.problem.message)
		})
	}
}

// digits finds what may be a time or a count. Names and numbers of documents are no such thing.
var digits = regexp.MustCompile(`[0-9]+`)

// checkMessage complains about a message that could differ for the same problem, or that quotes what it must not.
func checkMessage(t *testing.T, message string) {
	t.Helper()
	if digits.MatchString(message) {
		t.Errorf("the message holds a number: %s", message)
	}
	if strings.Contains(message, "canary") {
		t.Errorf("the message quotes the API server, which may quote the Secret: %s", message)
	}
}

func TestFailuresEndByThemselvesOrNeedAPerson(t *testing.T) {
	alone := map[string]bool{
		v1alpha1.ReasonRateLimited: true, v1alpha1.ReasonVendorUnavailable: true, v1alpha1.ReasonMalformedResponse: true,
		v1alpha1.ReasonRefreshInterrupted: true,
	}
	for _, reason := range knownReasons() {
		if got := failureProblem(&v1alpha1.FailureStatus{Reason: reason}).waiting; got != alone[reason] {
			t.Errorf("%s ends by itself: %t", reason, got)
		}
	}
}

func TestATemplateThatCantBeReadIsFoundBeforeAnyRequest(t *testing.T) {
	object := subject(func(o *v1alpha1.OAuthToken) {
		o.Spec.Target = &v1alpha1.Target{Template: &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{
			"b": "{{ env `HOME` }}", "a": "{{ .AccessToken", "fine": "{{ .AccessToken }}",
		}}}
	})
	got := templateProblem(object)
	if got == nil || got.reason != v1alpha1.ReasonTemplateFailed || !strings.HasSuffix(got.message, ": correct spec.target.template") {
		t.Fatalf("got %+v", got)
	}
	if a, b := strings.Index(got.message, "template.data[a]"), strings.Index(got.message, "template.data[b]"); a != 0 || b < a {
		t.Errorf("faults are not all there, in a stable order: %s", got.message)
	}
	if templateProblem(subject()) != nil {
		t.Error("no template is a problem")
	}
}
