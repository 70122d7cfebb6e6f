package judge_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tokensync.dev/tokensync/test/judge"
)

const (
	redirectURI = "https://client.example/callback"
	verifier    = "a-verifier-that-is-long-enough-for-rfc-7636-to-like-it"
)

// client is an OAuth client and its person, made of net/http alone.
type client struct {
	t    *testing.T
	j    *judge.Judge
	http *http.Client
}

func newClient(t *testing.T, options ...judge.Option) *client {
	t.Helper()
	j := judge.Start(t, redirectURI, options...)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(j.CABundle) {
		t.Fatal("the judge's certificate is no PEM")
	}
	return &client{t: t, j: j, http: &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// form makes values of pairs; later ones replace earlier ones, and an empty one removes.
func form(base url.Values, pairs ...string) url.Values {
	made := maps.Clone(base)
	for i := 0; i < len(pairs); i += 2 {
		made.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			made.Del(pairs[i])
		}
	}
	return made
}

func codeRequest(clientID string) url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI}, "scope": {"openid offline_access orders"},
		"state": {"a state of some length"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
}

// send returns the answer's status, where it leads, and its body.
func (c *client) send(request *http.Request) (status int, leadsTo *url.URL, body string) {
	c.t.Helper()
	response, err := c.http.Do(request.WithContext(c.t.Context()))
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	leadsTo, err = response.Location()
	if err != nil {
		leadsTo = nil // it leads nowhere
	}
	return response.StatusCode, leadsTo, string(read)
}

func (c *client) post(address string, values url.Values) *http.Request {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, address, strings.NewReader(values.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return request
}

// consent fills in the judge's page, and returns where the browser is sent, and the page where it is not.
func (c *client) consent(query, fields url.Values) (sentTo *url.URL, page string) {
	c.t.Helper()
	_, sentTo, page = c.send(c.post(c.j.URL+"/authorize?"+query.Encode(), fields))
	if sentTo != nil && !strings.HasPrefix(sentTo.String(), redirectURI) {
		c.t.Fatalf("the browser is sent to %s", sentTo)
	}
	return sentTo, page
}

func signedIn() url.Values {
	return url.Values{"username": {judge.Person}, "password": {judge.Password}, "decision": {"allow"}}
}

// code lets the person consent to a client.
func (c *client) code(clientID string) string {
	c.t.Helper()
	sentTo, page := c.consent(codeRequest(clientID), signedIn())
	if sentTo == nil || sentTo.Query().Get("code") == "" || sentTo.Query().Get("state") != "a state of some length" {
		c.t.Fatalf("no code: %v\n%s", sentTo, page)
	}
	return sentTo.Query().Get("code")
}

// tokens asks the token endpoint in the way of a client.
func (c *client) tokens(clientID string, values url.Values) (int, map[string]any) {
	c.t.Helper()
	request := c.post(c.j.URL+"/token", values)
	switch clientID {
	case judge.ClientID:
		request.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(judge.ClientSecret))
	case judge.PostClientID:
		request = c.post(c.j.URL+"/token", form(values, "client_id", clientID, "client_secret", judge.ClientSecret))
	case judge.PublicClientID:
		request = c.post(c.j.URL+"/token", form(values, "client_id", clientID))
	}
	status, _, body := c.send(request)
	answer := map[string]any{}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		c.t.Fatalf("%v: %s", err, body)
	}
	return status, answer
}

func exchange(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier}}
}

func (c *client) refresh(refreshToken string) (int, map[string]any) {
	c.t.Helper()
	return c.tokens(judge.ClientID, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
}

// text is a member of an answer.
func text(answer map[string]any, name string) string {
	value, _ := answer[name].(string)
	return value
}

// subject reads an ID token without a look at its signature, which is fosite's.
func subject(t *testing.T, idToken string) string {
	t.Helper()
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		t.Fatalf("the ID token has %d parts", len(parts))
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]any{}
	if err := json.Unmarshal(claims, &read); err != nil {
		t.Fatal(err)
	}
	return text(read, "sub")
}

func TestCodeForEachKindOfClient(t *testing.T) {
	t.Parallel()
	for _, id := range []string{judge.ClientID, judge.PostClientID, judge.PublicClientID} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, judge.WithLife(2*time.Minute))
			code := c.code(id)
			status, answer := c.tokens(id, exchange(code))
			life, _ := answer["expires_in"].(float64)
			if status != http.StatusOK || life < 110 || life > 120 || subject(t, text(answer, "id_token")) != judge.Person {
				t.Fatalf("%d %v", status, answer)
			}
			access, refresh := text(answer, "access_token"), text(answer, "refresh_token")
			if !c.j.Accepts(access) || !c.j.Refreshes(refresh) || !c.j.Alive(refresh) || c.j.Granted("authorization_code") != 1 || c.j.ReusedCodes() != 0 {
				t.Error("the judge does not know what it issued")
			}
			status, answer = c.tokens(id, exchange(code))
			if status != http.StatusBadRequest || text(answer, "error") != "invalid_grant" || c.j.ReusedCodes() != 1 || c.j.Granted("authorization_code") != 1 {
				t.Errorf("a code that came twice: %d %v, %d seen", status, answer, c.j.ReusedCodes())
			}
			if c.j.Accepts(access) || c.j.Alive(refresh) {
				t.Error("what came of a code that came twice stays good")
			}
		})
	}
}

func TestRefusedAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for name, test := range map[string]struct {
		id     string
		values url.Values
		want   string
	}{
		"another verifier":              {judge.ClientID, form(exchange(c.code(judge.ClientID)), "code_verifier", verifier+"x"), "invalid_grant"},
		"no verifier":                   {judge.ClientID, form(exchange(c.code(judge.ClientID)), "code_verifier", ""), "invalid_grant"},
		"another redirect_uri":          {judge.ClientID, form(exchange(c.code(judge.ClientID)), "redirect_uri", redirectURI+"x"), "invalid_grant"},
		"a code of another client":      {judge.ClientID, exchange(c.code(judge.PostClientID)), "invalid_grant"},
		"a code that nobody issued":     {judge.ClientID, exchange("nothing.nothing"), "invalid_grant"},
		"post, where basic is agreed":   {"", form(exchange("any"), "client_id", judge.ClientID, "client_secret", judge.ClientSecret), "invalid_client"},
		"no secret, where there is one": {"", form(exchange("any"), "client_id", judge.PostClientID), "invalid_client"},
		"another secret":                {"", form(exchange("any"), "client_id", judge.PostClientID, "client_secret", "x"), "invalid_client"},
	} {
		if status, answer := c.tokens(test.id, test.values); status/100 != 4 || text(answer, "error") != test.want {
			t.Errorf("%s: %d %v, want %s", name, status, answer, test.want)
		}
	}
	if granted := c.j.Granted("authorization_code"); granted != 0 {
		t.Errorf("%d were granted", granted)
	}
}

func TestRefusedAtTheAuthorizationEndpoint(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for name, test := range map[string]struct {
		query, fields url.Values
		want          string
	}{
		"no PKCE":                   {form(codeRequest(judge.ClientID), "code_challenge", "", "code_challenge_method", ""), signedIn(), "invalid_request"},
		"plain PKCE":                {form(codeRequest(judge.ClientID), "code_challenge_method", "plain"), signedIn(), "invalid_request"},
		"a state that is too short": {form(codeRequest(judge.ClientID), "state", "x"), signedIn(), "invalid_state"},
		"an unknown scope":          {form(codeRequest(judge.ClientID), "scope", "everything"), signedIn(), "invalid_scope"},
		"the person says no":        {codeRequest(judge.ClientID), url.Values{"decision": {"deny"}}, "access_denied"},
	} {
		sentTo, page := c.consent(test.query, test.fields)
		if sentTo == nil || sentTo.Query().Get("error") != test.want || sentTo.Query().Get("code") != "" {
			t.Errorf("%s: sent to %v, want %s\n%s", name, sentTo, test.want, page)
		}
	}
	sentTo, page := c.consent(form(codeRequest(judge.ClientID), "redirect_uri", "https://attacker.example/"), signedIn())
	if sentTo != nil || !strings.Contains(page, "invalid_request") {
		t.Errorf("another redirect_uri: sent to %v\n%s", sentTo, page)
	}
	sentTo, page = c.consent(codeRequest(judge.ClientID), form(signedIn(), "password", "wrong"))
	if sentTo != nil || !strings.Contains(page, "User name and password do not match.") {
		t.Errorf("a wrong password: sent to %v\n%s", sentTo, page)
	}
}

func TestRotationWithReuseDetection(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	first := c.j.Issue(t, judge.ClientID, "orders")
	_, answer := c.refresh(first)
	second := text(answer, "refresh_token")
	if second == "" || second == first || c.j.Refreshes(first) || !c.j.Refreshes(second) || !c.j.Alive(first) || c.j.Reused() != 0 || c.j.Granted("refresh_token") != 1 {
		t.Fatalf("after a refresh: %v, %d granted, %d reused", answer, c.j.Granted("refresh_token"), c.j.Reused())
	}
	status, answer := c.refresh(first)
	if status != http.StatusBadRequest || text(answer, "error") != "invalid_grant" || c.j.Reused() != 1 {
		t.Errorf("a spent one: %d %v, %d seen", status, answer, c.j.Reused())
	}
	if c.j.Refreshes(second) || c.j.Alive(second) || c.j.Alive(first) {
		t.Error("the family outlives a reuse")
	}
	if status, _ := c.refresh("nothing.nothing"); status != http.StatusBadRequest || c.j.Reused() != 1 {
		t.Error("an unknown one counts as spent")
	}
	if c.j.Refreshes("") || c.j.Alive("") {
		t.Error("no refresh token is a good one")
	}
}

func TestOneOfManyAtOnceIsGranted(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	one := c.j.Issue(t, judge.ClientID, "orders")
	var all sync.WaitGroup
	const many = 16
	for range many {
		all.Go(func() {
			request := c.post(c.j.URL+"/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {one}})
			request.SetBasicAuth(url.QueryEscape(judge.ClientID), url.QueryEscape(judge.ClientSecret))
			response, err := c.http.Do(request)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
		})
	}
	all.Wait()
	if granted := c.j.Granted("refresh_token"); granted != 1 || c.j.Reused() == 0 {
		t.Errorf("%d of %d were granted, %d seen as reuse", granted, many, c.j.Reused())
	}
}

func TestServersThatForgiveAReuse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		option  judge.Option
		rotates bool
	}{"lenient": {judge.Lenient(), true}, "without rotation": {judge.WithoutRotation(), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, test.option)
			status, answer := c.tokens(judge.ClientID, exchange(c.code(judge.ClientID)))
			first := text(answer, "refresh_token")
			if status != http.StatusOK || first == "" {
				t.Fatalf("no refresh token at first: %d %v", status, answer)
			}
			for range 2 {
				status, answer := c.refresh(first)
				second, brings := answer["refresh_token"]
				if status != http.StatusOK || !c.j.Accepts(text(answer, "access_token")) || brings != test.rotates || second == first {
					t.Errorf("%d %v", status, answer)
				}
			}
			if !c.j.Refreshes(first) || !c.j.Alive(first) || c.j.Reused() != 0 || c.j.Granted("refresh_token") != 2 {
				t.Errorf("%d granted, %d reused", c.j.Granted("refresh_token"), c.j.Reused())
			}
		})
	}
}

func TestImplicit(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	sentTo, page := c.consent(form(codeRequest(judge.ClientID), "response_type", "token", "scope", "orders"), signedIn())
	if sentTo == nil || sentTo.RawQuery != "" {
		t.Fatalf("sent to %v\n%s", sentTo, page)
	}
	answer, err := url.ParseQuery(sentTo.Fragment)
	if err != nil || !c.j.Accepts(answer.Get("access_token")) || answer.Get("state") != "a state of some length" || answer.Has("refresh_token") {
		t.Errorf("%v %v", answer, err)
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	for _, id := range []string{judge.ClientID, judge.PostClientID} {
		status, answer := c.tokens(id, url.Values{"grant_type": {"client_credentials"}, "scope": {"orders"}})
		if status != http.StatusOK || !c.j.Accepts(text(answer, "access_token")) || answer["refresh_token"] != nil {
			t.Errorf("%s: %d %v", id, status, answer)
		}
	}
	if status, answer := c.tokens(judge.PublicClientID, url.Values{"grant_type": {"client_credentials"}}); status == http.StatusOK {
		t.Errorf("without a secret: %v", answer)
	}
	if granted := c.j.Granted("client_credentials"); granted != 2 {
		t.Errorf("%d were granted, want 2", granted)
	}
}
