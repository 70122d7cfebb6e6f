package acceptance_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"tokensync.dev/tokensync/internal/xmlsec"
	"tokensync.dev/tokensync/test/judge"
)

// sent is what matters of a token request.
type sent struct {
	Form          url.Values
	Authorization string
}

// recorder is a token endpoint that keeps what comes.
func recorder(t *testing.T) (endpoint oauth2.Endpoint, last func() sent) {
	t.Helper()
	var came sent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		came = sent{Form: r.PostForm, Authorization: r.Header.Get("Authorization")}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"a","token_type":"Bearer","expires_in":60}`))
	}))
	t.Cleanup(server.Close)
	return oauth2.Endpoint{TokenURL: server.URL, AuthURL: server.URL}, func() sent { return came }
}

// ours is the newest request that the manager sent to the judge's token endpoint.
func (s *stage) ours() sent {
	s.TB.Helper()
	requests := s.Judge.Requests("/token")
	if len(requests) == 0 {
		s.TB.Fatal("the manager has sent nothing")
	}
	newest := requests[len(requests)-1]
	return sent{Form: newest.Form, Authorization: newest.Authorization}
}

func TestOthersWouldSendTheSameTokenRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	endpoint, theirs := recorder(t)
	basic, post := endpoint, endpoint
	basic.AuthStyle, post.AuthStyle = oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams
	client := oauth2.Config{ClientID: judge.ClientID, ClientSecret: judge.ClientSecret, Endpoint: basic, Scopes: []string{"orders"}}
	for name, test := range map[string]struct {
		manifest string
		ask      func(ctx context.Context) error
	}{
		"password": {"password", func(ctx context.Context) error {
			_, err := client.PasswordCredentialsToken(ctx, judge.Person, judge.Password)
			return err
		}},
		"client credentials, form-encoded": {"client-credentials", func(ctx context.Context) error {
			return credentials(ctx, judge.OddClientID, judge.OddClientSecret, basic)
		}},
		"client credentials in the body": {"client-secret-post", func(ctx context.Context) error {
			return credentials(ctx, judge.PostClientID, judge.ClientSecret, post)
		}},
		"refresh token": {"seed", func(ctx context.Context) error {
			_, err := client.TokenSource(ctx, &oauth2.Token{RefreshToken: s.values["SEED"]}).Token()
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s.in(t).obtain(test.manifest, false)
			if err := test.ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			if difference := cmp.Diff(theirs(), s.ours()); difference != "" {
				t.Errorf("-x/oauth2 +ours:\n%s", difference)
			}
		})
	}
}

func credentials(ctx context.Context, id, secret string, endpoint oauth2.Endpoint) error {
	config := clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: endpoint.TokenURL, AuthStyle: endpoint.AuthStyle, Scopes: []string{"orders"}}
	_, err := config.Token(ctx)
	return err
}

// TestOthersWouldAskAndExchangeTheSame compares the authorization request and the exchange of its code, and has the challenge computed from
// the verifier. The client is the one whose id and secret need form-encoding.
func TestOthersWouldAskAndExchangeTheSame(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.obtain("odd-code", true)
	exchange, asked := s.ours(), s.Judge.Requests("/authorize")[0].Query
	endpoint, theirs := recorder(t)
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	client := oauth2.Config{
		ClientID: judge.OddClientID, ClientSecret: judge.OddClientSecret, Endpoint: endpoint, RedirectURL: s.PortalURL() + "/callback",
		Scopes: []string{"openid", "offline_access", "orders"},
	}
	verifier := exchange.Form.Get("code_verifier")
	link, err := url.Parse(client.AuthCodeURL(asked.Get("state"), oauth2.S256ChallengeOption(verifier)))
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(link.Query(), asked); difference != "" {
		t.Errorf("authorization request, -x/oauth2 +ours:\n%s", difference)
	}
	if _, err := client.Exchange(t.Context(), exchange.Form.Get("code"), oauth2.VerifierOption(verifier)); err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(theirs(), exchange); difference != "" {
		t.Errorf("exchange, -x/oauth2 +ours:\n%s", difference)
	}
}

func TestOthersFindTheSameEndpointsAndAcceptTheIDToken(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.obtain("code", true)
	ctx := oidc.ClientContext(t.Context(), s.http())
	provider, err := oidc.NewProvider(ctx, s.Judge.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := provider.Endpoint().TokenURL, s.Judge.URL+"/token"; got != want || len(s.Judge.Requests("/token")) != 1 {
		t.Errorf("go-oidc finds the token endpoint %s, the manager asked %s", got, want)
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: judge.ClientID}).Verify(ctx, s.secretValue("code", "id_token"))
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != judge.Person {
		t.Errorf("the ID token is %s's, want %s", token.Subject, judge.Person)
	}
	if shown := s.Token("code").Status.Authorization; shown == nil || shown.Subject != token.Subject {
		t.Errorf("status shows %+v, the ID token is %s's", shown, token.Subject)
	}
}

// TestAChangedAssertionDoesNotVerify shows that xmlsec1 judges what the manager sent, and does not just nod.
func TestAChangedAssertionDoesNotVerify(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.obtain("saml", false)
	document, err := base64.RawURLEncoding.DecodeString(s.ours().Form.Get("assertion"))
	if err != nil {
		t.Fatal(err)
	}
	certificate := []byte(strings.ReplaceAll(s.values["CERTIFICATE"], "    ", ""))
	if err := xmlsec.Verify(t.Context(), document, certificate); err != nil {
		t.Error(err)
	}
	document = bytes.ReplaceAll(document, []byte(">ada<"), []byte(">eve<"))
	if xmlsec.Verify(t.Context(), document, certificate) == nil {
		t.Error("an assertion about somebody else verifies")
	}
}
