package acceptance_test

import (
	"testing"
)

func TestEveryFlowGoesFromApplyToATokenThatTheServerAccepts(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for name, test := range map[string]struct {
		manifest    string
		interactive bool
		grant       string // as fosite counts it; "": none at the token endpoint
	}{
		"a user's name and password":                         {manifest: "password", grant: "password"},
		"client credentials that must be form-encoded":       {manifest: "client-credentials", grant: "client_credentials"},
		"client credentials in the body":                     {manifest: "client-secret-post", grant: "client_credentials"},
		"client credentials under other keys":                {manifest: "mapped-keys", grant: "client_credentials"},
		"a code with PKCE, from discovery":                   {manifest: "code", interactive: true, grant: "authorization_code"},
		"a code with PKCE, for a client that needs encoding": {manifest: "odd-code", interactive: true, grant: "authorization_code"},
		"a code with PKCE, for a client without a secret":    {manifest: "public-code", interactive: true, grant: "authorization_code"},
		"implicit":                               {manifest: "implicit", interactive: true},
		"a refresh token from elsewhere":         {manifest: "seed", grant: "refresh_token"},
		"an assertion that xmlsec1 finds signed": {manifest: "saml", grant: "urn:ietf:params:oauth:grant-type:saml2-bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Judge.Granted(test.grant)
			s.in(t).obtain(test.manifest, test.interactive)
			if granted := s.Judge.Granted(test.grant) - before; test.grant != "" && granted != 1 {
				t.Errorf("%d requests of %s were granted, want 1", granted, test.grant)
			}
		})
	}
}

func TestAnAssertionOfAStrangerIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Judge.Trust(s.Judge.CABundle) // another key than the one that signs
	s.apply("saml")
	s.awaitReason("saml", "InvalidGrant")
}
