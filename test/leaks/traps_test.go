package leaks

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// trap is an OAuthToken that must fail, though not by what a vendor answers.
type trap struct {
	grant, reason string
	change        func(*v1alpha1.OAuthToken, map[string]string)
}

// host is a name that DNS does not know, and that only the credentials Secret holds.
func host() string { return "tenant-" + strings.ToLower(rand.Text()) + ".invalid" }

// traps are the reasons that need no vendor's answer, with a secret wherever a message could quote one.
func traps() map[string]trap {
	of := func(vendor string, parameters map[string]v1alpha1.ParameterValue) func(o *v1alpha1.OAuthToken) {
		return func(o *v1alpha1.OAuthToken) {
			o.Spec.Vendor, o.Spec.Parameters, o.Spec.Endpoints, o.Spec.Scopes = vendor, parameters, nil, nil
		}
	}
	rendering := func(source string) func(*v1alpha1.OAuthToken, map[string]string) {
		return func(o *v1alpha1.OAuthToken, _ map[string]string) {
			o.Spec.Target = &v1alpha1.Target{Template: &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"config": v1alpha1.TemplateSource(source)}}}
		}
	}
	return map[string]trap{
		"host-unknown": {machine, v1alpha1.ReasonVendorUnavailable, func(o *v1alpha1.OAuthToken, data map[string]string) {
			of("bright-pattern", map[string]v1alpha1.ParameterValue{"tenant": "acme.example"})(o)
			data["host"] = host()
		}},
		"host-is-no-host": {machine, v1alpha1.ReasonInvalidSpec, func(o *v1alpha1.OAuthToken, data map[string]string) {
			of("bright-pattern", map[string]v1alpha1.ParameterValue{"tenant": "acme.example"})(o)
			data["host"] = "user:" + unspeakable() + "@" + host()
		}},
		"tenant-in-secret": {machine, v1alpha1.ReasonVendorUnavailable, func(o *v1alpha1.OAuthToken, data map[string]string) {
			of("bright-pattern", nil)(o)
			data["host"], data["tenant"] = host(), unspeakable()
		}},
		"parameter-not-allowed": {machine, v1alpha1.ReasonInvalidSpec, func(o *v1alpha1.OAuthToken, data map[string]string) {
			of("genesys-cloud", nil)(o)
			data["region"] = unspeakable()
		}},
		"key-is-none": {saml, v1alpha1.ReasonCredentialsIncomplete, func(_ *v1alpha1.OAuthToken, data map[string]string) {
			data["saml_signing_key"] = "-----BEGIN PRIVATE KEY-----\n" + rand.Text() + "\n" + rand.Text() + "\n-----END PRIVATE KEY-----\n"
		}},
		"certificate-is-none": {saml, v1alpha1.ReasonCredentialsIncomplete, func(_ *v1alpha1.OAuthToken, data map[string]string) {
			data["saml_signing_certificate"] = unspeakable()
		}},
		"secret-is-binary": {machine, v1alpha1.ReasonCredentialsIncomplete, func(_ *v1alpha1.OAuthToken, data map[string]string) {
			data["client_secret"] += "\x00"
		}},
		"secret-is-long": {machine, v1alpha1.ReasonCredentialsIncomplete, func(_ *v1alpha1.OAuthToken, data map[string]string) {
			data["client_secret"] += strings.Repeat("x", 100<<10)
		}},
		"endpoint-elsewhere": {machine, v1alpha1.ReasonEndpointNotAllowed, func(o *v1alpha1.OAuthToken, _ map[string]string) {
			o.Spec.Endpoints.TokenURL = "https://collector.example/token"
		}},
		"nobody-listens": {password, v1alpha1.ReasonVendorUnavailable, func(o *v1alpha1.OAuthToken, _ map[string]string) {
			o.Spec.Endpoints.TokenURL = "https://" + nobody + "/token"
		}},
		"certificate-unknown": {password, v1alpha1.ReasonVendorUnavailable, func(o *v1alpha1.OAuthToken, _ map[string]string) {
			o.Spec.CABundle = nil
		}},
		"template-fails":        {machine, v1alpha1.ReasonTemplateFailed, rendering(`{{ fromJson .AccessToken }}{{ (fromJson .AccessToken).a.b }}`)},
		"template-calls":        {machine, v1alpha1.ReasonTemplateFailed, rendering(`{{ .AccessToken.Field }}`)},
		"template-quotes":       {machine, v1alpha1.ReasonTemplateFailed, rendering(`{{ get .AccessToken "a" }}`)},
		"template-wants":        {machine, v1alpha1.ReasonTemplateFailed, rendering(`{{ index .Extra "nothing" "deep" }}`)},
		"template-is-too-large": {machine, v1alpha1.ReasonTemplateFailed, rendering(`{{ range .Extra.list }}{{ $.AccessToken }}{{ end }}`)},
	}
}

func TestNoFaultOfAUserQuotesASecret(t *testing.T) {
	t.Parallel()
	s := SetStage(t, "--zap-devel", "--zap-log-level=10")
	reasons := map[string]string{}
	for name, trap := range traps() {
		s.Make(trap.grant, name, trap.change)
		reasons[name] = trap.reason
	}
	s.occupied(t)
	reasons["occupied"] = v1alpha1.ReasonSecretConflict
	s.unlabelled(t)
	reasons["unlabelled"] = v1alpha1.ReasonCredentialsNotLabelled
	var refused []string
	for _, grant := range []string{machine, seed, code} { // an admission webhook refuses what the names say, and quotes it
		s.Make(grant, grant+"-refused")
		refused = append(refused, grant+"-refused")
	}
	s.Until(slices.Collect(maps.Keys(reasons)), func(token *v1alpha1.OAuthToken) string { return because(token, reasons[token.Name]) })
	harness.Eventually(t, func() string {
		for _, name := range refused {
			if !strings.Contains(s.Manager.Log(), name) {
				return "the log tells nothing of " + name
			}
		}
		return ""
	})
	s.reports(t)
}

// occupied makes an OAuthToken whose target is somebody's Secret.
func (s *Stage) occupied(t *testing.T) {
	t.Helper()
	value := unspeakable()
	s.Canaries.Add(Foreign, "somebody", value)
	s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "occupied"}, StringData: map[string]string{"access_token": value}})
	s.Make(machine, "occupied")
}

// unlabelled makes an OAuthToken whose credentials are not for it.
func (s *Stage) unlabelled(t *testing.T) {
	t.Helper()
	value := unspeakable()
	s.Canaries.Add(Foreign, "somebody", value)
	s.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, StringData: map[string]string{"client_secret": value}})
	s.Make(machine, "unlabelled", func(o *v1alpha1.OAuthToken, _ map[string]string) { o.Spec.CredentialsSecretRef.Name = "theirs" })
}

func because(token *v1alpha1.OAuthToken, reason string) string {
	for _, condition := range token.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady && condition.Reason == reason {
			return ""
		}
	}
	return fmt.Sprintf("is not told of as %s: %+v", reason, token.Status.Conditions)
}
