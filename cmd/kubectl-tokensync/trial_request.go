package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// request asks the vendor for a token, and tells of it without showing it.
func (t *trial) request(ctx context.Context) {
	request, err := t.flow.TokenRequest(t.verb.now())
	if err != nil {
		t.addFailure("credentials", err)
		return
	}
	if t.spends() {
		t.add(warning, "request", "what was in the Secret is spent by this try (--spend)")
	}
	token, err := t.verb.vendors.Token(ctx, request)
	if err != nil {
		t.addFailure("request", err)
		return
	}
	t.add(fine, "request", "%s issued a token", hostOf(t.flow.Endpoints.TokenURL))
	t.tellLifetime(token)
	t.tellScope(token)
	t.tellRefreshToken(token)
	t.claims = oauth.UnverifiedClaims(token.AccessToken)
	t.render(token)
	t.revoke(ctx, token)
}

// lifetime is how long the operator takes the token to live.
func (t *trial) lifetime(token *oauth.Token) time.Duration {
	var stated time.Duration
	if r := t.token.Spec.Renewal; r != nil {
		stated = r.AssumedLifetime.Value()
	}
	return cmp.Or(token.Lifetime, stated, t.flow.AssumedLifetime(), time.Hour)
}

func (t *trial) tellLifetime(token *oauth.Token) {
	lifetime := t.lifetime(token)
	plan := renewal.Plan(renewal.Token{IssuedAt: token.RequestedAt, ExpiresAt: token.RequestedAt.Add(lifetime)}, declaration.Renewal(t.token), "")
	renewed := duration.HumanDuration(plan.RenewalTime.Sub(token.RequestedAt))
	if token.Lifetime == 0 {
		t.add(warning, "lifetime", "the vendor does not say how long the token lives; %s are assumed (spec.renewal.assumedLifetime). It would be renewed after about %s",
			duration.HumanDuration(lifetime), renewed)
	} else {
		t.add(fine, "lifetime", "%s, renewed after about %s", duration.HumanDuration(lifetime), renewed)
	}
	if plan.Short {
		t.add(warning, "lifetime", "under 4 minutes: pods may see expired tokens, since kubelets bring a changed Secret only after up to 90 s")
	}
	if plan.Clamped {
		t.add(warning, "lifetime", "spec.renewal asks for more than half of the token's life, and half is used")
	}
}

func (t *trial) tellScope(token *oauth.Token) {
	granted, asked := strings.Fields(token.Scope), t.flow.Scopes
	switch missing := without(slices.Clone(asked), granted); {
	case len(granted) == 0 && len(asked) == 0:
		t.add(remark, "scope", "none was asked for, and the vendor names none")
	case len(granted) == 0:
		t.add(fine, "scope", "as asked for: %s", strings.Join(asked, " "))
	case len(missing) > 0:
		t.add(warning, "scope", "granted: %s; asked for, but not granted: %s", token.Scope, strings.Join(missing, " "))
	default:
		t.add(fine, "scope", "%s", token.Scope)
	}
}

func (t *trial) tellRefreshToken(token *oauth.Token) {
	if token.RefreshToken.IsEmpty() {
		return
	}
	words := "one came with it"
	if token.RefreshTokenLifetime > 0 {
		words += " and lives " + duration.HumanDuration(token.RefreshTokenLifetime)
	}
	t.add(remark, "refresh token", "%s; it is forgotten with this try", words)
}

// render makes the target Secret's data, and names its keys.
func (t *trial) render(token *oauth.Token) {
	data, err := content.Render(t.targetSpec(), content.Token{
		AccessToken: token.AccessToken.Reveal(), TokenType: token.TokenType, IDToken: token.IDToken.Reveal(), Extra: token.Extra,
		Scope:    cmp.Or(token.Scope, strings.Join(t.flow.Scopes, " ")),
		IssuedAt: token.RequestedAt, ExpiresAt: token.RequestedAt.Add(t.lifetime(token)),
	})
	if err != nil {
		t.addReason("target", v1alpha1.ReasonTemplateFailed, err.Error()+": correct spec.target.template")
		return
	}
	t.add(fine, "target", "Secret %q would hold %s", cmp.Or(t.targetSpec().Name, t.token.Name), strings.Join(slices.Sorted(maps.Keys(data)), ", "))
}

// revoke takes the token back where that is wanted.
func (t *trial) revoke(ctx context.Context, token *oauth.Token) {
	if !t.verb.revoke || t.flow.NeedsRevocationEndpoint() && !t.complete(ctx, "revocation") {
		return
	}
	tokens := map[string]oauth.Sensitive{"access_token": token.AccessToken, "refresh_token": token.RefreshToken}
	for _, hint := range slices.Sorted(maps.Keys(tokens)) {
		if tokens[hint].IsEmpty() {
			continue
		}
		request := t.flow.RevocationRequest(tokens[hint], hint)
		if request == nil {
			t.add(remark, "revocation", "no revocation endpoint is known: the token lives on until its end, and nobody has it")
			return
		}
		if err := t.verb.vendors.Revoke(ctx, request); err != nil {
			t.addFailure("revocation", err)
			continue
		}
		t.add(fine, "revocation", "the %s is revoked", strings.ReplaceAll(hint, "_", " "))
	}
}
