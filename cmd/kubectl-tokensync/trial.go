package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// trial tries one OAuthToken as the operator would, without writing anything.
type trial struct {
	findings

	verb   *testVerb
	token  *v1alpha1.OAuthToken
	secret *corev1.Secret
	flow   *oauth.Flow
}

// run does all steps, each as long as those before found nothing that makes it pointless.
func (t *trial) run(ctx context.Context, file *manifest) {
	t.askCluster(ctx)
	t.findSecret(ctx, file)
	if t.secret != nil {
		t.checkSecret()
	}
	t.resolve()
	if t.secret == nil || t.flow == nil || !t.discover(ctx) {
		return
	}
	t.checkTemplates()
	switch {
	case t.flow.IsInteractive():
		t.tellOfConsent()
	case t.failed():
	case t.verb.noRequest:
		t.add(remark, "request", "left out (--no-request): the vendor has not been asked whether the credentials are right")
	case t.spends() && !t.verb.spend:
		t.refuseToSpend()
	default:
		t.request(ctx)
	}
}

// checkSecret finds what keeps the operator from using the Secret, and what its owner did not mean so.
func (t *trial) checkSecret() {
	switch role := t.secret.Labels[v1alpha1.RoleLabel]; role {
	case v1alpha1.RoleCredentials:
	case "":
		t.addReason("credentials", v1alpha1.ReasonCredentialsNotLabelled, fmt.Sprintf(
			"Secret %q lacks the label by which its owner lets Tokensync use it: add %s: %s", t.secret.Name, v1alpha1.RoleLabel, v1alpha1.RoleCredentials))
	default:
		t.addReason("credentials", v1alpha1.ReasonCredentialsNotLabelled, fmt.Sprintf(
			"the label %s of Secret %q must be %s, or Tokensync does not use it", v1alpha1.RoleLabel, t.secret.Name, v1alpha1.RoleCredentials))
	}
	if _, faults := declaration.KeyMapping(t.secret); len(faults) > 0 {
		t.addReason("credentials", v1alpha1.ReasonCredentialsIncomplete, strings.Join(faults, "; "))
	}
	if _, unreadable := declaration.ClientSecretExpiry(t.secret); unreadable != "" {
		t.add(warning, "credentials", "%s", unreadable)
	}
}

// resolve checks spec and credentials against the catalogue. Without a Secret, what does not depend on it is checked.
func (t *trial) resolve() {
	if fields := t.token.Spec.InvalidDurations(); len(fields) > 0 {
		t.addReason("spec", v1alpha1.ReasonInvalidSpec, strings.Join(fields, ", ")+" must be a duration such as 90s, 15m or 720h: correct it")
		return
	}
	flow, err := t.verb.platform.Catalogue.Resolve(declaration.Settings(t.token, t.secret, t.verb.platform))
	if wrong, ok := errors.AsType[*oauth.ConfigError](err); ok {
		for _, one := range wrong.Faults {
			t.add(fault, "spec", "%s", one)
		}
		t.add(remark, "spec", "%s", v1alpha1.FailureGuide(string(wrong.Reason)))
		return
	}
	t.flow = flow
	if t.secret == nil {
		return
	}
	if lacking := flow.Lacking(); lacking != nil {
		t.addReason("credentials", string(lacking.Reason), lacking.Error())
	}
	t.add(fine, "credentials", "Secret %q; used of it: %s", t.secret.Name, strings.Join(flow.UsedCredentials, ", "))
	t.add(fine, "vendor", "%s, grant %s", flow.Vendor.Title, flow.Grant)
	if flow.Grant == oauth.Password {
		t.add(warning, "vendor", "RFC 9700, section 2.4, forbids the grant Password: use another one as soon as the vendor has it")
	}
}

// discover finds the endpoints for the grant that the issuer names.
func (t *trial) discover(ctx context.Context) bool {
	if !t.flow.NeedsDiscovery() && !t.flow.NeedsAuthorizationEndpoint() {
		return true
	}
	if t.verb.noRequest {
		t.add(remark, "discovery", "left out (--no-request)")
		return false
	}
	if !t.complete(ctx, "discovery") {
		return false
	}
	t.add(fine, "discovery", "%s names its endpoints", hostOf(t.flow.Endpoints.IssuerURL))
	return true
}

// complete asks the issuer for what is not stated of the endpoints.
func (t *trial) complete(ctx context.Context, about string) bool {
	flow, err := t.verb.vendors.Complete(ctx, t.flow)
	if err != nil {
		t.addFailure(about, err)
		return false
	}
	t.flow = flow
	return true
}

// addFailure adds what a vendor, or the way to it, has against a request.
func (t *trial) addFailure(about string, err error) {
	if failure, ok := errors.AsType[*oauth.Error](err); ok {
		t.addReason(about, string(failure.Reason), failure.Message)
		return
	}
	if wrong, ok := errors.AsType[*oauth.ConfigError](err); ok {
		t.addReason(about, string(wrong.Reason), wrong.Error())
		return
	}
	t.add(fault, about, "%v", err)
}

func (t *trial) checkTemplates() {
	for _, one := range content.Faults(t.targetSpec()) {
		t.addReason("target", v1alpha1.ReasonTemplateFailed, one+": correct spec.target.template")
	}
}

func (t *trial) targetSpec() v1alpha1.Target {
	if t.token.Spec.Target == nil {
		return v1alpha1.Target{}
	}
	return *t.token.Spec.Target
}

// tellOfConsent says what a person will have to do, who can't be replaced here.
func (t *trial) tellOfConsent() {
	request, err := t.flow.AuthorizationRequest(somePortal + "/callback")
	if err != nil {
		t.addFailure("consent", err)
		return
	}
	t.add(fine, "consent", "a browser would be sent to %s", request.Host())
	if _, first := t.flow.Once(); !first.IsEmpty() {
		t.add(remark, "consent", "the refresh token in the Secret stands for a person's consent. It can be spent once at most vendors, so no token was requested")
		return
	}
	t.add(remark, "consent", "a person is needed, so no token was requested. Apply the manifest, then: kubectl tokensync authorize %s -n %s", t.token.Name, t.token.Namespace)
	t.add(remark, "consent", "the vendor must know the redirect URI <--portal-url of the operator>/callback")
}

// spends tells whether the request uses something up.
func (t *trial) spends() bool {
	_, ready := t.flow.ReadyAssertion()
	return ready || t.flow.Grant == oauth.RefreshToken
}

func (t *trial) refuseToSpend() {
	what := "the refresh token in the Secret can be spent once at most vendors, and what comes back for it can't be kept here: afterwards a person has to obtain a new one"
	if t.flow.Grant == oauth.SAML2Bearer {
		what = "the ready assertion in the Secret can be sent once: afterwards a fresh one is needed"
	}
	t.add(remark, "request", "no token was requested, since %s. With --spend it is tried all the same", what)
}

// hostOf is the host of an address.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Host
}

// title names the OAuthToken that is tried.
func (t *trial) title() string {
	return fmt.Sprintf("OAuthToken %s, namespace %s", t.token.Name, t.token.Namespace)
}
