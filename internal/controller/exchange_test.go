package controller

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// staticVendor is a catalogue entry of a vendor that says that its refresh tokens don't rotate.
const staticVendor = `
name: static
title: Static
documentation: https://vendor.example/oauth
clientAuthentication: ClientSecretBasic
grants: {Password: {}, RefreshToken: {}}
endpoints: {tokenURL: "https://vendor.example/token"}
refreshTokenRotation: Static
`

// flowOf is a flow of vendor generic, or of the one above.
func flowOf(t *testing.T, grant oauth.GrantType, change ...func(*oauth.Settings)) *oauth.Flow {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "static.yaml"), []byte(staticVendor), 0o600); err != nil {
		t.Fatal(err)
	}
	catalogue := loadCatalogue(t, folder)
	settings := oauth.Settings{
		Vendor: "generic", Grant: grant, AllowedHosts: []string{"vendor.example"}, Credentials: oauth.Credentials{},
		Endpoints:         oauth.Endpoints{TokenURL: "https://vendor.example/token"},
		EnableInteractive: true,
		SAML2Bearer:       oauth.AssertionSettings{Issuer: "https://idp.example", Subject: "robot"},
	}
	for _, key := range []string{"client_id", "client_secret", "username", "password", "refresh_token", "saml_signing_key", "saml_signing_certificate"} {
		settings.Credentials[key] = oauth.NewSensitive("the " + key)
	}
	for _, c := range change {
		c(&settings)
	}
	if grant == oauth.AuthorizationCode {
		settings.Endpoints.AuthorizationURL = "https://vendor.example/authorize"
	}
	flow, err := catalogue.Resolve(settings)
	if err != nil {
		t.Fatal(err)
	}
	return flow
}

func readyAssertion(s *oauth.Settings) {
	delete(s.Credentials, "saml_signing_key")
	delete(s.Credentials, "saml_signing_certificate")
	s.Credentials["assertion"] = oauth.NewSensitive("PHNhbWw+")
}

func static(s *oauth.Settings) { s.Vendor, s.Endpoints = "static", oauth.Endpoints{} }

func implicit(s *oauth.Settings) {
	s.EnableImplicit, s.Endpoints.AuthorizationURL = true, "https://vendor.example/authorize"
}

// seeded observes an OAuthToken whose credentials hold a first refresh token.
func seeded(seed string, rivals ...claim) *observation {
	return &observation{
		token: someToken(), sharers: rivals,
		credentials: credentialsView{secret: credentialsSecret("", map[string]string{"refresh_token": seed})},
	}
}

// chosen is what an exchange is, for comparing.
type chosen struct {
	Means      means
	Credential string
	NotBefore  time.Time
	Reason     string // of the problem
}

func TestTheNextExchange(t *testing.T) {
	now := noon
	password, refresh := flowOf(t, oauth.Password), flowOf(t, oauth.RefreshToken)
	bound := binding(refresh)
	held := keepsake{RefreshToken: oauth.NewSensitive("kept"), Binding: bound, Spent: []string{spentHash("seed")}}
	with := func(k keepsake, change func(*keepsake)) keepsake { change(&k); return k }
	declared := func(at time.Time) func(*keepsake) {
		return func(k *keepsake) { k.Intent = &intent{Deadline: at.Add(sendWithin), Credential: "hash"} }
	}
	doubtful := func(k *keepsake) { k.Intent = &intent{Credential: "hash"} }
	hour := &record{IssuedAt: now.Add(-40 * time.Minute), ExpiresAt: now.Add(20 * time.Minute)}

	for name, test := range map[string]struct {
		flow   *oauth.Flow
		seen   *observation
		keep   keepsake
		served *record
		want   chosen
	}{
		"a first refresh token is spent": {
			refresh, seeded("seed"), keepsake{}, nil, chosen{Means: bySeed, Credential: "seed"},
		},
		"a spent first refresh token is never sent again; what replaced it is": {
			refresh, seeded("seed"), held, nil, chosen{Means: byRefresh, Credential: "kept"},
		},
		"a spent first refresh token that nothing replaced leaves it to a person": {
			refresh, seeded("seed"), keepsake{Spent: held.Spent}, nil, chosen{Reason: v1alpha1.ReasonAuthorizationRequired},
		},
		"a new first refresh token goes before the one that is kept": {
			refresh, seeded("new"), held, nil, chosen{Means: bySeed, Credential: "new"},
		},
		"a new first refresh token waits until nobody can be sending the one that is kept": {
			refresh, seeded("new"), with(held, declared(now)), nil,
			chosen{Means: bySeed, Credential: "new", NotBefore: now.Add(sendWithin + time.Minute)},
		},
		"of two OAuthTokens with one first refresh token the older spends it": {
			refresh, seeded("seed", claim{name: "younger", created: metav1.NewTime(now.Add(time.Second)), uid: "0a"}),
			keepsake{},
			nil,
			chosen{Means: bySeed, Credential: "seed"},
		},
		"of two OAuthTokens with one first refresh token the younger doesn't": {
			refresh, seeded("seed", claim{name: "older", created: metav1.NewTime(now.Add(-time.Second)), uid: "0c"}),
			keepsake{},
			nil,
			chosen{Reason: v1alpha1.ReasonInvalidSpec},
		},
		"of two that are equally old, the one with the smaller UID spends it": {
			refresh, seeded("seed", claim{name: "twin", created: metav1.NewTime(now), uid: "0a"}),
			keepsake{},
			nil,
			chosen{Reason: v1alpha1.ReasonInvalidSpec},
		},
		"a refresh token is preferred to the grant": {
			password, seeded(""), held, hour, chosen{Means: byRefresh, Credential: "kept"},
		},
		"without a refresh token the grant is used": {
			password, seeded(""), keepsake{}, hour, chosen{Means: byGrant},
		},
		"a refresh token past its end is not sent; the grant is used": {
			password, seeded(""), with(held, func(k *keepsake) { k.ExpiresAt = now }), hour, chosen{Means: byGrant},
		},
		"a refresh token a second before its end is sent": {
			password, seeded(""), with(held, func(k *keepsake) { k.ExpiresAt = now.Add(time.Second) }), hour,
			chosen{Means: byRefresh, Credential: "kept"},
		},
		"a refresh token past its end, without another grant, is told as such": {
			refresh, seeded("seed"), with(held, func(k *keepsake) { k.ExpiresAt = now }), hour, chosen{Reason: v1alpha1.ReasonRefreshTokenExpired},
		},
		"a refresh token for another client or endpoint is not sent": {
			password, seeded(""), with(held, func(k *keepsake) { k.Binding = "another" }), hour, chosen{Means: byGrant},
		},
		"a refresh token for another client, without another grant, leaves it to a person": {
			refresh, seeded("seed"), with(held, func(k *keepsake) { k.Binding = "another" }), hour,
			chosen{Reason: v1alpha1.ReasonAuthorizationRequired},
		},
		"a refresh token that may be spent is left alone where the grant can be repeated": {
			password, seeded(""), with(held, doubtful), hour, chosen{Means: byGrant},
		},
		"a refresh token that may be spent is left alone until a tenth of the served token's life remains": {
			refresh, seeded("seed"), with(held, doubtful), hour, chosen{Means: byRefresh, Credential: "kept", NotBefore: now.Add(14 * time.Minute)},
		},
		"a refresh token that may be spent is tried where no token is served": {
			refresh, seeded("seed"), with(held, doubtful), nil, chosen{Means: byRefresh, Credential: "kept"},
		},
		"a use that somebody began is waited for": {
			refresh, seeded("seed"), with(held, declared(now)), nil,
			chosen{Means: byRefresh, Credential: "kept", NotBefore: now.Add(sendWithin + time.Minute)},
		},
		"where a token is served that lasts shorter than that wait, the wait counts": {
			refresh, seeded("seed"), with(held, declared(now)), &record{IssuedAt: now.Add(-9 * time.Minute), ExpiresAt: now.Add(time.Minute)},
			chosen{Means: byRefresh, Credential: "kept", NotBefore: now.Add(sendWithin + time.Minute)},
		},
		"a vendor that does not rotate leaves no doubt: only the wait for another sender remains": {
			flowOf(t, oauth.RefreshToken, static), seeded("seed"), with(held, func(k *keepsake) { k.Binding = ""; declared(now)(k) }), hour,
			chosen{Means: byRefresh, Credential: "kept", NotBefore: now.Add(sendWithin + time.Minute)},
		},
		"a vendor that does not rotate leaves no doubt after a lost answer": {
			flowOf(t, oauth.RefreshToken, static), seeded("seed"), with(held, func(k *keepsake) { k.Binding = ""; doubtful(k) }), hour,
			chosen{Means: byRefresh, Credential: "kept"},
		},
		"client credentials are sent as often as needed": {
			flowOf(t, oauth.ClientCredentials), seeded(""), keepsake{}, nil, chosen{Means: byGrant},
		},
		"an assertion that is signed here is made for each request": {
			flowOf(t, oauth.SAML2Bearer), seeded(""), keepsake{}, nil, chosen{Means: byGrant},
		},
		"a ready assertion is sent once": {
			flowOf(t, oauth.SAML2Bearer, readyAssertion), seeded(""), keepsake{}, nil, chosen{Means: byAssertion, Credential: "PHNhbWw+"},
		},
		"a ready assertion that was sent is not sent again": {
			flowOf(t, oauth.SAML2Bearer, readyAssertion), seeded(""),
			keepsake{Spent: []string{spentHash("PHNhbWw+")}},
			nil,
			chosen{Reason: v1alpha1.ReasonAwaitingCredentials},
		},
		"a refresh token past its end, of a ready assertion that was sent, leaves it to a fresh one": {
			flowOf(t, oauth.SAML2Bearer, readyAssertion), seeded(""),
			keepsake{RefreshToken: oauth.NewSensitive("kept"), ExpiresAt: now, Spent: []string{spentHash("PHNhbWw+")}},
			hour,
			chosen{Reason: v1alpha1.ReasonAwaitingCredentials},
		},
		"a ready assertion that another OAuthToken has sent is not sent": {
			flowOf(t, oauth.SAML2Bearer, readyAssertion), seeded(""),
			keepsake{Elsewhere: []string{spentHash("PHNhbWw+")}},
			nil,
			chosen{Reason: v1alpha1.ReasonAwaitingCredentials},
		},
		"of two OAuthTokens with one ready assertion the older sends it": {
			flowOf(t, oauth.SAML2Bearer, readyAssertion), seeded("", claim{name: "younger", created: metav1.NewTime(now.Add(time.Second)), uid: "0a"}),
			keepsake{},
			nil,
			chosen{Means: byAssertion, Credential: "PHNhbWw+"},
		},
		"of two OAuthTokens with one ready assertion the younger doesn't": {
			flowOf(t, oauth.SAML2Bearer, readyAssertion), seeded("", claim{name: "older", created: metav1.NewTime(now.Add(-time.Second)), uid: "0c"}),
			keepsake{},
			nil,
			chosen{Reason: v1alpha1.ReasonInvalidSpec},
		},
		"assertions that are signed here are each OAuthToken's own": {
			flowOf(t, oauth.SAML2Bearer), seeded("", claim{name: "older", created: metav1.NewTime(now.Add(-time.Second)), uid: "0c"}),
			keepsake{},
			nil,
			chosen{Means: byGrant},
		},
		"a person's grant begins with a first refresh token": {
			flowOf(t, oauth.AuthorizationCode), seeded("seed"), keepsake{}, nil, chosen{Means: bySeed, Credential: "seed"},
		},
		"a person's grant whose first refresh token is spent needs that person": {
			flowOf(t, oauth.AuthorizationCode), seeded("seed"), keepsake{Spent: held.Spent}, nil, chosen{Reason: v1alpha1.ReasonAuthorizationRequired},
		},
		"a person's grant whose first refresh token another one has needs that person": {
			flowOf(t, oauth.AuthorizationCode), seeded("seed", claim{name: "older", created: metav1.NewTime(now.Add(-time.Second)), uid: "0c"}),
			keepsake{},
			nil,
			chosen{Reason: v1alpha1.ReasonAuthorizationRequired},
		},
		"the implicit grant uses no refresh token": {
			flowOf(t, oauth.Implicit, implicit), seeded("seed"), keepsake{}, nil, chosen{Reason: v1alpha1.ReasonAuthorizationRequired},
		},
		"an interactive grant without a refresh token needs a person": {
			flowOf(t, oauth.AuthorizationCode), seeded(""), keepsake{}, nil, chosen{Reason: v1alpha1.ReasonAuthorizationRequired},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, obstacle := chooseExchange(now, test.flow, test.seen, test.keep, test.served)
			compared := chosen{Means: got.means, Credential: got.credential.Reveal(), NotBefore: got.notBefore}
			if obstacle != nil {
				compared = chosen{Reason: obstacle.reason}
			}
			if diff := cmp.Diff(test.want, compared); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.once() != (got.means != byGrant) {
				t.Error("everything but the grant itself is spent by its use")
			}
		})
	}
}

func TestThePersonNeededIsToldWhatToDo(t *testing.T) {
	for name, test := range map[string]struct {
		grant  oauth.GrantType
		reason string
		want   string
	}{
		"a seed": {
			oauth.RefreshToken, v1alpha1.ReasonAuthorizationRequired,
			"the refresh token was used up or is refused: put a new one under the key refresh_token of the credentials Secret",
		},
		"a seed past its end": {
			oauth.RefreshToken, v1alpha1.ReasonRefreshTokenExpired,
			"the refresh token is past its end: put a new one under the key refresh_token of the credentials Secret",
		},
		"a browser": {
			oauth.AuthorizationCode, v1alpha1.ReasonAuthorizationRequired, "somebody must authorize: open the address in status.authorization.url",
		},
		"a browser, after the end": {
			oauth.AuthorizationCode, v1alpha1.ReasonRefreshTokenExpired,
			"the refresh token is past its end: somebody must authorize: open the address in status.authorization.url",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := personNeeded(flowOf(t, test.grant), test.reason)
			if got.message != test.want || got.reason != test.reason || !got.authorize || got.waiting {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestARefreshTokenIsBoundToClientAndEndpointAlone(t *testing.T) {
	same := binding(flowOf(t, oauth.RefreshToken))
	for name, test := range map[string]struct {
		change func(*oauth.Settings)
		same   bool
	}{
		"scopes":             {func(s *oauth.Settings) { s.Scopes = []string{"more"} }, true},
		"client_secret":      {func(s *oauth.Settings) { s.Credentials["client_secret"] = oauth.NewSensitive("changed") }, true},
		"parameters":         {func(s *oauth.Settings) { s.Parameters = map[string]string{"audience": "them"} }, true},
		"client_id":          {func(s *oauth.Settings) { s.Credentials["client_id"] = oauth.NewSensitive("changed") }, false},
		"token endpoint":     {func(s *oauth.Settings) { s.Endpoints.TokenURL = "https://vendor.example/other" }, false},
		"issuer":             {func(s *oauth.Settings) { s.Endpoints = oauth.Endpoints{IssuerURL: "https://vendor.example"} }, false},
		"way of proving it":  {func(s *oauth.Settings) { s.ClientAuthentication = oauth.ClientSecretPost }, true},
		"revocation address": {func(s *oauth.Settings) { s.Endpoints.RevocationURL = "https://vendor.example/revoke" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := binding(flowOf(t, oauth.RefreshToken, test.change)) == same; got != test.same {
				t.Errorf("still good: %v, want %v", got, test.same)
			}
		})
	}
}

func TestWhatIsKeptAfterAnAnswer(t *testing.T) {
	answered := noon.Add(time.Hour)
	end := noon.Add(720 * time.Hour)
	password, refresh := flowOf(t, oauth.Password), flowOf(t, oauth.RefreshToken)
	bound := binding(password)
	held := keepsake{
		RefreshToken: oauth.NewSensitive("kept"), IssuedAt: noon, ExpiresAt: end, Binding: bound, Warnings: []string{"given"},
		Intent: &intent{Deadline: noon, Credential: "hash"},
	}
	doubted := func(before refreshToken) keepsake {
		return keepsake{RefreshToken: oauth.NewSensitive("seed"), Intent: held.Intent, Previous: before}
	}
	text := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	first := []string{keyRefreshTokenIssuedAt, formatTime(noon), keyRefreshTokenExpiresAt, formatTime(end), keyRefreshTokenBinding, bound}
	now := []string{keyRefreshTokenIssuedAt, formatTime(answered), keyRefreshTokenBinding, bound}
	monthly := func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: new(v1alpha1.Duration("720h"))}
	}

	for name, test := range map[string]struct {
		flow   *oauth.Flow
		means  means
		keep   keepsake
		answer oauth.Token
		token  func(*v1alpha1.OAuthToken)
		want   map[string]string
	}{
		"a rotated refresh token takes the old one's place, and its end does not move": {
			password, byRefresh, held,
			oauth.Token{RefreshToken: oauth.NewSensitive("rotated")},
			monthly,
			text(append(first, keyRefreshToken, "rotated", keyWarnings, "given")...),
		},
		"without one in the answer the old one stays, and its end does not move": {
			password, byRefresh, held, oauth.Token{}, monthly, text(append(first, keyRefreshToken, "kept", keyWarnings, "given")...),
		},
		"a new grant's refresh token leaves nothing of the one before a seed": {
			password, byGrant,
			keepsake{RefreshToken: oauth.NewSensitive("seed"), Previous: refreshToken{Value: oauth.NewSensitive("older")}},
			oauth.Token{RefreshToken: oauth.NewSensitive("granted")},
			nil,
			text(append(now, keyRefreshToken, "granted")...),
		},
		"only the answer moves the end": {
			password, byRefresh, held,
			oauth.Token{RefreshToken: oauth.NewSensitive("rotated"), RefreshTokenLifetime: time.Hour},
			nil,
			text(
				keyRefreshToken, "rotated", keyRefreshTokenIssuedAt, formatTime(noon), keyRefreshTokenExpiresAt, formatTime(answered.Add(time.Hour)),
				keyRefreshTokenLife, "1h0m0s", keyRefreshTokenBinding, bound, keyWarnings, "given",
			),
		},
		"an end that is told without a new refresh token is the old one's": {
			password, byRefresh, held,
			oauth.Token{RefreshTokenLifetime: time.Hour},
			nil,
			text(
				keyRefreshToken, "kept", keyRefreshTokenIssuedAt, formatTime(noon), keyRefreshTokenExpiresAt, formatTime(answered.Add(time.Hour)),
				keyRefreshTokenLife, "1h0m0s", keyRefreshTokenBinding, bound, keyWarnings, "given",
			),
		},
		"an end that comes with another grant's token says nothing of the refresh token that is kept": {
			password, byGrant,
			keepsake{RefreshToken: held.RefreshToken, IssuedAt: noon, ExpiresAt: end, Binding: "another"},
			oauth.Token{RefreshTokenLifetime: time.Hour},
			nil,
			text(append(slices.Clone(first[:4]), keyRefreshTokenBinding, "another", keyRefreshToken, "kept")...),
		},
		"an end that is not told again stands, and does not slide": {
			password, byRefresh,
			keepsake{RefreshToken: held.RefreshToken, IssuedAt: noon, ExpiresAt: end, Life: 720 * time.Hour, Binding: bound},
			oauth.Token{RefreshToken: oauth.NewSensitive("rotated")},
			nil,
			text(append(first, keyRefreshToken, "rotated")...),
		},
		"a grant's first refresh token is kept with the end that the user states": {
			password, byGrant,
			keepsake{},
			oauth.Token{RefreshToken: oauth.NewSensitive("first")},
			monthly,
			text(append(now, keyRefreshToken, "first", keyRefreshTokenExpiresAt, formatTime(answered.Add(720*time.Hour)))...),
		},
		"a grant's first refresh token of which nobody states the end is kept without": {
			password, byGrant, keepsake{}, oauth.Token{RefreshToken: oauth.NewSensitive("first")}, nil, text(append(now, keyRefreshToken, "first")...),
		},
		"a new grant begins a new life; warnings that were given, of a client secret too, stay known": {
			password, byGrant, held,
			oauth.Token{RefreshToken: oauth.NewSensitive("second")},
			monthly,
			text(append(now, keyRefreshToken, "second", keyWarnings, "given", keyRefreshTokenExpiresAt, formatTime(answered.Add(720*time.Hour)))...),
		},
		"a new grant without a refresh token drops the one that may be spent": {
			password, byGrant, held, oauth.Token{}, nil, text(keyWarnings, "given"),
		},
		"a new grant without a refresh token drops a seed that may be spent, and leaves the one before it": {
			password, byGrant, doubted(refreshToken{Value: oauth.NewSensitive("before"), IssuedAt: noon, Binding: bound}),
			oauth.Token{},
			nil,
			text(keyRefreshToken, "before", keyRefreshTokenIssuedAt, formatTime(noon), keyRefreshTokenBinding, bound),
		},
		"unless that may be spent too": {
			password, byGrant, doubted(refreshToken{Value: oauth.NewSensitive("before"), Intent: held.Intent}), oauth.Token{}, nil, text(),
		},
		"the refresh token before a seed goes once the seed proved good": {
			refresh, bySeed, held.withSeed(oauth.NewSensitive("seed"), "hash", bound, answered, 0),
			oauth.Token{},
			nil,
			text(append(now, keyRefreshToken, "seed", keySpent, "hash", keyWarnings, "given")...),
		},
		"a seed's life counts from its first use, also where the answer holds no refresh token": {
			refresh, bySeed, keepsake{}.withSeed(oauth.NewSensitive("seed"), "hash", bound, answered, 720*time.Hour),
			oauth.Token{},
			monthly,
			text(append(now, keyRefreshToken, "seed", keySpent, "hash", keyRefreshTokenExpiresAt, formatTime(answered.Add(720*time.Hour)))...),
		},
		"client credentials keep none (RFC 6749, section 4.4.3)": {
			flowOf(t, oauth.ClientCredentials), byGrant, keepsake{}, oauth.Token{RefreshToken: oauth.NewSensitive("needless")}, nil, text(),
		},
		"an assertion that is signed here keeps none": {
			flowOf(t, oauth.SAML2Bearer), byGrant, keepsake{}, oauth.Token{RefreshToken: oauth.NewSensitive("needless")}, nil, text(),
		},
		"a ready assertion keeps one, since the assertion serves once": {
			flowOf(t, oauth.SAML2Bearer, readyAssertion), byAssertion,
			keepsake{},
			oauth.Token{RefreshToken: oauth.NewSensitive("first")},
			nil,
			text(append(now, keyRefreshToken, "first")...),
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.answer.RequestedAt = answered
			token := someToken()
			if test.token != nil {
				test.token(token)
			}
			p := &plan{flow: test.flow, keep: test.keep, exchange: exchange{means: test.means}}
			got := keepsakeAfter(&observation{token: token}, p, &test.answer)
			if diff := cmp.Diff(test.want, texts(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheMessageOfACollisionNamesTheOther(t *testing.T) {
	for grant, want := range map[oauth.GrantType]string{
		oauth.RefreshToken: `OAuthToken "older" spends the refresh token of this credentials Secret, and each can be spent once: ` +
			"give this OAuthToken a credentials Secret with a refresh token of its own",
		oauth.SAML2Bearer: `OAuthToken "older" sends the SAML assertion of this credentials Secret, and each can be sent once: ` +
			"give this OAuthToken a credentials Secret with an assertion of its own, or with saml_signing_key and saml_signing_certificate",
	} {
		problem := claimed(grant, seeded("seed", claim{name: "older", created: metav1.NewTime(noon.Add(-time.Hour)), uid: "0c"}))
		if problem == nil || problem.message != want {
			t.Errorf("%s: got %+v", grant, problem)
		}
	}
	if claimed(oauth.RefreshToken, &observation{token: someToken(), credentials: credentialsView{secret: &corev1.Secret{}}}) != nil {
		t.Error("a collision without another OAuthToken")
	}
}
