//go:build cluster

package e2e

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/test/certificate"
)

// identityProvider is the key pair of the one that the example manifest for SAML speaks for.
func identityProvider(t *testing.T) (key, cert []byte) {
	t.Helper()
	cert, key = certificate.New(t, "idp.acme.example")
	return key, cert
}

// unattended are the example manifests' OAuthTokens that need nobody, and attended those that need a person; both with the Secret that
// holds the token.
var (
	unattended = map[string]string{
		"sfr-supervisor-api": "sfr-supervisor-api", "genesys-api": "genesys-api-token", "genesys-scim": "genesys-scim", "genesys-saml": "genesys-saml",
		"bright-pattern-config": "bright-pattern-config", "vantage-unattended": "vantage-unattended", "warehouse": "warehouse-token",
	}
	attended = map[string]string{"vantage": "vantage", "genesys-user": "genesys-user", "genesys-embeddable": "genesys-embeddable"}
)

// examples applies the example manifests as they are. The vendors' own host names lead to the scripted vendor.
func examples(s *Stage, key, cert []byte, pace pace) {
	const namespace = "examples"
	s.Namespace(namespace)
	quick := quickCaller(s)
	folder := filepath.Join(kubetest.Root(), "hack", "demo", "manifests")
	s.Kubectl("apply", "-n", namespace, "-f", folder, "--server-side")
	// The one place in which the examples ask for something of one's own.
	s.PatchSecret(namespace, "genesys-saml-client", map[string]string{"saml_signing_key": string(key), "saml_signing_certificate": string(cert)})
	for name, secret := range unattended {
		s.AwaitToken(namespace, name)
		s.AwaitLive(namespace, secret)
	}
	for name, secret := range attended {
		token := s.AwaitCondition(namespace, name, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired)
		if token.Status.Authorization == nil || !strings.HasPrefix(token.Status.Authorization.URL, portalURL+"/authorize/") {
			s.TB.Errorf("%s has no link", name)
			continue
		}
		if title := s.Follow(namespace, name, token.Status.Authorization.URL); !strings.Contains(title, "is connected") {
			s.TB.Errorf("%s: the last page that the person sees is %q", name, title)
		}
		s.AwaitToken(namespace, name)
		s.AwaitLive(namespace, secret)
	}
	n := wanted(s, "E2E_RENEWALS", 10)
	report(s, namespace, n)
	s.AwaitRenewals(n, time.Duration(n)*pace.brisk*7/10+patience, quick)
	s.Accounts(quick)
	s.Remove(team, "quick")
}

// report runs a pod that mounts the token of an example, as the example's pod does, through n renewals that are asked for.
func report(s *Stage, namespace string, n int) {
	s.TB.Helper()
	const example = "sfr-supervisor-api"
	reporter := s.Call(namespace, "reporter", unattended[example])
	for i := range n {
		s.Renew(namespace, example, strconv.Itoa(i+1))
		s.AwaitRenewals(i+1, patience, reporter)
	}
	s.Accounts(reporter)
	s.Remove(namespace, "reporter")
}

// quickCaller calls with the tokens that live shortest.
func quickCaller(s *Stage) *Caller {
	s.TB.Helper()
	s.Declare(team, brisk)
	s.AwaitToken(team, brisk)
	return s.Call(team, "quick", brisk)
}
