package oauthtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// exchanging makes the form of a code's exchange. Changes are names and values; an empty value removes a parameter.
func exchanging(code string, changes ...string) string {
	form := url.Values{"grant_type": {AuthorizationCode}, "code": {code}, "redirect_uri": {comeBack}, "code_verifier": {verifier}}
	return with(form.Encode(), changes...)
}

// claims checks an ID token's signature and reads what it says.
func claims(t *testing.T, idToken any, secret string) map[string]any {
	t.Helper()
	text, _ := idToken.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no signed ID token", text)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); parts[2] != want {
		t.Errorf("the signature is %s, want %s", parts[2], want)
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(decoded, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func TestEachVendorExchangesCodesInItsWay(t *testing.T) {
	const (
		genesysAuthorize = "/genesys/oauth/authorize"
		abbyyAuthorize   = "/abbyy/auth2/connect/authorize"
		online           = "openid permissions global.wildcard"
	)
	abbyySecret := []string{"client_id", abbyyClient, "client_secret", "change-me"}
	abbyyAsk := func(scope string) string { return asking(abbyyClient, scope, "productId", abbyyProduct) }
	type result struct {
		Status                int
		Error                 string
		Refresh, ID, NewToken bool
		Scope                 string
	}
	for name, test := range map[string]struct {
		change       func(*Client)
		vendor       Vendor
		clientID     string
		ask, at      string // query and path
		basic        []string
		path         string
		formChanges  []string
		wantExchange result
	}{
		"Genesys, Basic": {
			nil, Genesys, genesysUser, asking(genesysUser, "users"), genesysAuthorize,
			[]string{genesysUser, "change-me"},
			genesysPath, nil,
			result{Status: 200, Refresh: true, NewToken: true, Scope: "users"},
		},
		"Genesys, the secret in the body": {
			nil, Genesys, genesysUser, asking(genesysUser, "users"), genesysAuthorize, nil, genesysPath,
			[]string{"client_id", genesysUser, "client_secret", "change-me"},
			result{Status: 401, Error: "invalid_client"},
		},
		"Genesys, a wrong secret": {
			nil, Genesys, genesysUser, asking(genesysUser, "users"), genesysAuthorize,
			[]string{genesysUser, "wrong"},
			genesysPath, nil,
			result{Status: 401, Error: "invalid_client"},
		},
		"Genesys, a client without a secret gets no refresh token": {
			func(c *Client) { c.Authentication = None }, Genesys, genesysUser, asking(genesysUser, "users"), genesysAuthorize, nil, genesysPath,
			[]string{"client_id", genesysUser},
			result{Status: 200, NewToken: true, Scope: "users"},
		},
		"ABBYY with offline_access": {
			nil, ABBYY, abbyyClient, abbyyAsk(abbyyScope), abbyyAuthorize, nil, abbyyPath, abbyySecret,
			result{Status: 200, Refresh: true, ID: true, NewToken: true, Scope: abbyyScope},
		},
		"ABBYY with offline_access in the token request alone": {
			nil, ABBYY, abbyyClient, abbyyAsk(online), abbyyAuthorize, nil, abbyyPath, append([]string{"scope", abbyyScope}, abbyySecret...),
			result{Status: 200, Refresh: true, ID: true, NewToken: true, Scope: online},
		},
		"ABBYY without offline_access": {
			nil, ABBYY, abbyyClient, abbyyAsk(online), abbyyAuthorize, nil, abbyyPath, abbyySecret,
			result{Status: 200, ID: true, NewToken: true, Scope: online},
		},
		"ABBYY, a client whose setting allows no refresh tokens": {
			func(c *Client) { c.RefreshTokens = false }, ABBYY, abbyyClient, abbyyAsk(abbyyScope), abbyyAuthorize, nil, abbyyPath, abbyySecret,
			result{Status: 200, ID: true, NewToken: true, Scope: abbyyScope},
		},
		"ABBYY, Basic": {
			nil, ABBYY, abbyyClient, abbyyAsk(abbyyScope), abbyyAuthorize,
			[]string{abbyyClient, "change-me"},
			abbyyPath, nil,
			result{Status: 400, Error: "invalid_client"},
		},
		"ABBYY at another tenant": {
			nil, ABBYY, abbyyClient, abbyyAsk(abbyyScope), abbyyAuthorize, nil, "/abbyy/auth2/other/connect/token", abbyySecret,
			result{Status: 400, Error: "invalid_client"},
		},
		"ABBYY at its tenant": {
			nil, ABBYY, abbyyClient, abbyyAsk(abbyyScope), abbyyAuthorize, nil, "/abbyy/auth2/" + exampleTenant + "/connect/token", abbyySecret,
			result{Status: 200, Refresh: true, ID: true, NewToken: true, Scope: abbyyScope},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newVendors(&settable{now: epoch})
			client, _ := s.Client(test.vendor, test.clientID)
			if test.change != nil {
				test.change(&client)
				s.Register(client)
			}
			code := answered(t, visit(s, test.at, test.ask)).Get("code")
			w := call{path: test.path, basic: test.basic, form: exchanging(code, test.formChanges...)}.do(s)
			members := object(t, w.Body.String())
			token, _ := members["access_token"].(string)
			refusal, _ := members["error"].(string)
			scope, _ := members["scope"].(string)
			got := result{w.Code, refusal, members["refresh_token"] != nil, members["id_token"] != nil, s.IsLive(token), scope}
			if diff := cmp.Diff(test.wantExchange, got); diff != "" {
				t.Errorf("(-want +got):\n%s%s", diff, w.Body)
			}
		})
	}
}

func TestCodesNeedTheirVerifier(t *testing.T) {
	tooShort := strings.Repeat("a", 42)
	sum := sha256.Sum256([]byte(tooShort))
	ofTooShort := base64.RawURLEncoding.EncodeToString(sum[:])
	for name, test := range map[string]struct {
		challenge, verifier string
		want                string // error
	}{
		"the right one":         {challenge, verifier, ""},
		"a wrong one":           {challenge, strings.Repeat("a", 43), "invalid_grant"},
		"none":                  {challenge, "", "invalid_grant"},
		"the challenge itself":  {challenge, challenge, "invalid_grant"},
		"one that is too short": {ofTooShort, tooShort, "invalid_grant"},
		"one for no challenge":  {"", verifier, "invalid_grant"},
		"none for no challenge": {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now)
			code := answered(t, asks(s, "code_challenge", test.challenge)).Get("code")
			w := call{path: genericPath, basic: []string{"shop", "change-me"}, form: exchanging(code, "code_verifier", test.verifier)}.do(s)
			got, _ := object(t, w.Body.String())["error"].(string)
			if got != test.want {
				t.Fatalf("error %q, want %q", got, test.want)
			}
			if again := exchanged(s, code); again.Code == 200 {
				t.Error("the code is good for a second use")
			}
		})
	}
}

func TestACodeLivesForAMinute(t *testing.T) {
	for name, test := range map[string]struct {
		later time.Duration
		want  int
	}{
		"in its last second": {59 * time.Second, 200},
		"when it is over":    {time.Minute, 400},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now)
			code := answered(t, asks(s)).Get("code")
			now = now.Add(test.later)
			if w := exchanged(s, code); w.Code != test.want {
				t.Errorf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
		})
	}
}

func TestASecondUseOfACodeEndsWhatTheFirstGave(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*Client)
		refresh bool // in between
	}{
		"an access token alone":             {func(c *Client) { c.RefreshTokens = false }, false},
		"an access token and a family":      {func(*Client) {}, false},
		"a family that was refreshed since": {func(*Client) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now, test.change)
			code := answered(t, asks(s)).Get("code")
			given := object(t, exchanged(s, code).Body.String())
			access, _ := given["access_token"].(string)
			refresh, _ := given["refresh_token"].(string)
			all := []string{access}
			if test.refresh {
				w := call{path: genericPath, basic: []string{"shop", "change-me"}, form: "grant_type=refresh_token&refresh_token=" + refresh}.do(s)
				next, _ := object(t, w.Body.String())["access_token"].(string)
				all = append(all, next)
			}
			for _, token := range all {
				if !s.IsLive(token) {
					t.Fatal("a token is dead before the second use")
				}
			}
			if w := exchanged(s, code); w.Code != 400 || object(t, w.Body.String())["error"] != "invalid_grant" {
				t.Errorf("the second use: status %d, %s", w.Code, w.Body)
			}
			for _, token := range all {
				if s.IsLive(token) {
					t.Error("an access token outlives the second use")
				}
			}
			if s.FamilyAlive(refresh) {
				t.Error("the family outlives the second use")
			}
		})
	}
}

func TestASecondUseThatOvertakesTheFirstEndsItToo(t *testing.T) {
	now := epoch
	s := newConsenting(&now)
	code := answered(t, asks(s)).Get("code")
	client, _ := s.Client(Generic, "shop")
	form, err := url.ParseQuery(exchanging(code))
	if err != nil {
		t.Fatal(err)
	}
	spent, r := s.vault.spend(now, client, form)
	if r != nil {
		t.Fatal(r.description)
	}
	exchanged(s, code) // before the first has been given anything
	given := s.vault.issue(now, order{client: client, permit: permit{scope: "orders", startsFamily: true, code: spent}, lifetime: time.Hour})
	if s.IsLive(given.accessToken) || s.FamilyAlive(given.refreshToken) {
		t.Error("what the first use was given is live")
	}
}

func TestOfManyUsesAtOnceOneIsGood(t *testing.T) {
	now := epoch
	s := newConsenting(&now)
	code := answered(t, asks(s)).Get("code")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { exchanged(s, code) })
	}
	wait.Wait()
	if got := s.Count(Match{Grant: AuthorizationCode, Outcome: Issued}); got != 1 {
		t.Errorf("%d uses were good, want 1", got)
	}
}

func TestABBYYsRefreshTokenEnds30DaysAfterTheConsent(t *testing.T) {
	clock := &settable{now: epoch}
	s := newVendors(clock)
	query := asking(abbyyClient, abbyyScope, "productId", abbyyProduct)
	code := answered(t, visit(s, "/auth2/connect/authorize", query)).Get("code")
	secret := []string{"client_id", abbyyClient, "client_secret", "change-me"}
	given := object(t, post(s, abbyyPath, exchanging(code, secret...)).Body.String())
	token, _ := given["refresh_token"].(string)
	refreshes := func() int {
		form := with("grant_type=refresh_token&refresh_token="+token, secret...)
		w := post(s, abbyyPath, form)
		if next, rotated := object(t, w.Body.String())["refresh_token"].(string); rotated {
			token = next
		}
		return w.Code
	}
	for range 29 {
		clock.advance(24 * time.Hour)
		if status := refreshes(); status != 200 {
			t.Fatalf("at %s: status %d", clock.read(), status)
		}
	}
	clock.advance(24*time.Hour - time.Second)
	if status := refreshes(); status != 200 {
		t.Errorf("in the last second: status %d", status)
	}
	clock.advance(time.Second)
	if status := refreshes(); status != 400 {
		t.Errorf("after 30 days: status %d", status)
	}
}

func TestGenesysRotatesAndNoticesAReplay(t *testing.T) {
	s := newVendors(&settable{now: epoch})
	code := answered(t, visit(s, "/oauth/authorize", asking(genesysUser, "users"))).Get("code")
	basic := []string{genesysUser, "change-me"}
	first, _ := object(t, call{path: genesysPath, basic: basic, form: exchanging(code)}.do(s).Body.String())["refresh_token"].(string)
	refreshes := func() (int, string) {
		w := call{path: genesysPath, basic: basic, form: "grant_type=refresh_token&refresh_token=" + first}.do(s)
		next, _ := object(t, w.Body.String())["refresh_token"].(string)
		return w.Code, next
	}
	status, second := refreshes()
	if status != 200 || second == "" || second == first || !s.RefreshTokenIsLive(second) {
		t.Fatalf("status %d, rotated: %t", status, second != first)
	}
	if status, _ = refreshes(); status != 400 || s.FamilyAlive(second) {
		t.Errorf("a replay: status %d, alive: %t", status, s.FamilyAlive(second))
	}
}

func TestIDTokensSayWhoConsented(t *testing.T) {
	abbyyAsk := asking(abbyyClient, abbyyScope, "productId", abbyyProduct)
	for name, test := range map[string]struct{ at, path, issuer string }{
		"ABBYY":                    {"/abbyy/auth2/connect/authorize", abbyyPath, "http://example.com/abbyy/auth2"},
		"ABBYY under its own path": {"/auth2/connect/authorize", "/auth2/connect/token", "http://example.com/auth2"},
		"ABBYY with the tenant": {
			"/auth2/connect/authorize", "/auth2/" + exampleTenant + "/connect/token", "http://example.com/auth2/" + exampleTenant,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newVendors(&settable{now: epoch})
			s.ConsentBy(ABBYY, &Consent{Subject: "grace"})
			code := answered(t, visit(s, test.at, abbyyAsk)).Get("code")
			w := post(s, test.path, exchanging(code, "client_id", abbyyClient, "client_secret", "change-me"))
			want := map[string]any{
				"iss": test.issuer, "sub": "grace", "aud": abbyyClient,
				"iat": float64(epoch.Unix()), "exp": float64(epoch.Add(time.Hour).Unix()),
			}
			if diff := cmp.Diff(want, claims(t, object(t, w.Body.String())["id_token"], "change-me")); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheVaultForgetsCodes(t *testing.T) {
	clock := &settable{now: epoch}
	s := newVendors(clock)
	client := clientKey{Generic, "warehouse"}
	for range 5000 {
		s.vault.newCode(clock.read(), client, url.Values{}, "ada")
		clock.advance(time.Second)
	}
	if held := len(s.vault.codes); held > 2500 {
		t.Errorf("the vault holds %d codes", held)
	}
}
