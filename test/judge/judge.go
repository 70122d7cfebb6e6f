package judge

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"

	"tokensync.dev/tokensync/test/certificate"
)

// Judge is the server. It listens until its test ends.
type Judge struct {
	// URL is the server's address, and its issuer.
	URL string
	// CABundle is the certificate to trust, in PEM.
	CABundle []byte

	fixed bool // refreshes bring no refresh token

	mu       sync.Mutex // one request at a time: neither fosite's memory nor its configuration is made for more
	provider fosite.OAuth2Provider
	strategy compose.CommonStrategy
	store    *store
	grants   map[string]int // granted requests at the token endpoint, by grant_type
	journal  []Request
	key      *rsa.PrivateKey // signs ID tokens

	assertions *assertions
}

// Option changes a Judge before it starts.
type Option func(*settings)

type settings struct {
	life           time.Duration
	lenient, fixed bool
}

// WithLife sets how long access tokens live. The default is an hour.
func WithLife(life time.Duration) Option { return func(s *settings) { s.life = life } }

// Lenient lets spent refresh tokens stay good: a refresh whose answer was lost can be repeated.
func Lenient() Option { return func(s *settings) { s.lenient = true } }

// WithoutRotation lets refresh tokens stay what they are: a refresh brings none (RFC 6749 section 6), and the one before stays good.
func WithoutRotation() Option { return func(s *settings) { s.lenient, s.fixed = true, true } }

// Start runs a judge that sends browsers back to redirectURI only.
func Start(tb testing.TB, redirectURI string, options ...Option) *Judge {
	tb.Helper()
	chosen := settings{life: time.Hour}
	for _, option := range options {
		option(&chosen)
	}
	authority, key := certificate.New(tb, "127.0.0.1", "localhost")
	pair, err := tls.X509KeyPair(authority, key)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		tb.Fatal(err)
	}
	j := &Judge{
		URL: "https://" + listener.Addr().String(), CABundle: authority, grants: map[string]int{}, store: newStore(chosen.lenient), fixed: chosen.fixed,
	}
	j.know(tb, redirectURI)
	j.compose(tb, chosen.life)
	server := &http.Server{Handler: j.routes(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return context.Background() }}
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(func() { _ = server.Close() })
	return j
}

// Granted counts the requests of a grant_type that were granted.
func (j *Judge) Granted(grant string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.grants[grant]
}

// Reused counts the spent refresh tokens that came back.
func (j *Judge) Reused() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.reused
}

// ReusedCodes counts the codes that came back after they were exchanged.
func (j *Judge) ReusedCodes() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.codes
}

// Refreshes tells whether a refresh token can be spent.
func (j *Judge) Refreshes(refreshToken string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.good(context.Background(), j.strategy.RefreshTokenSignature(context.Background(), refreshToken))
}

// Alive tells whether the grant that a refresh token came from can still be refreshed, by this refresh token or by one that followed it.
func (j *Judge) Alive(refreshToken string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.store.alive(context.Background(), j.strategy.RefreshTokenSignature(context.Background(), refreshToken))
}

// Issue makes a refresh token for a client and the person, as if it had been obtained elsewhere.
func (j *Judge) Issue(tb testing.TB, clientID string, scopes ...string) string {
	tb.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	client, err := j.store.GetClient(context.Background(), clientID)
	if err != nil {
		tb.Fatal(err)
	}
	request := fosite.NewRequest()
	request.Client, request.Session, request.GrantedScope = client, newSession(Person), append(fosite.Arguments{"offline_access"}, scopes...)
	refreshToken, signature, err := j.strategy.GenerateRefreshToken(context.Background(), request)
	if err != nil {
		tb.Fatal(err)
	}
	if err := j.store.CreateRefreshTokenSession(context.Background(), signature, "", request); err != nil {
		tb.Fatal(err)
	}
	return refreshToken
}

// Accepts tells whether an access token is good.
func (j *Judge) Accepts(accessToken string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _, err := j.provider.IntrospectToken(context.Background(), accessToken, fosite.AccessToken, newSession(""))
	return err == nil
}

func (j *Judge) compose(tb testing.TB, life time.Duration) {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	j.key = key
	config := &fosite.Config{
		GlobalSecret: []byte(rand.Text() + rand.Text())[:32], AccessTokenLifespan: life, RefreshTokenLifespan: 30 * 24 * time.Hour,
		EnforcePKCE: true, IDTokenIssuer: j.URL, TokenURL: j.URL + "/token", ScopeStrategy: fosite.ExactScopeStrategy,
	}
	keys := func(context.Context) (any, error) { return key, nil }
	j.strategy = compose.CommonStrategy{
		CoreStrategy: compose.NewOAuth2HMACStrategy(config), OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(keys, config),
		Signer: &jwt.DefaultSigner{GetPrivateKey: keys},
	}
	j.assertions = &assertions{life: life, HandleHelper: oauth2.HandleHelper{AccessTokenStrategy: &j.strategy, AccessTokenStorage: j.store, Config: config}}
	j.provider = compose.Compose(config, j.store, &j.strategy,
		func(fosite.Configurator, any, any) any { return j.assertions },
		compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2AuthorizeImplicitFactory, compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2ResourceOwnerPasswordCredentialsFactory, //nolint:staticcheck // deprecated as the grant is: vendors have it
		compose.OAuth2RefreshTokenGrantFactory, compose.OpenIDConnectExplicitFactory, compose.OpenIDConnectRefreshFactory,
		compose.OAuth2TokenIntrospectionFactory, compose.OAuth2TokenRevocationFactory, compose.OAuth2PKCEFactory)
}

// inTurn lets requests in one by one, once their forms are read.
func (j *Judge) inTurn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "This is no form.", http.StatusBadRequest)
			return
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		j.note(r)
		next(w, r)
	}
}

func (j *Judge) token(w http.ResponseWriter, r *http.Request) {
	request, err := j.provider.NewAccessRequest(r.Context(), r, newSession(""))
	if err != nil {
		j.provider.WriteAccessError(r.Context(), w, request, err)
		return
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	response, err := j.provider.NewAccessResponse(r.Context(), request)
	if err != nil {
		j.provider.WriteAccessError(r.Context(), w, request, err)
		return
	}
	if answer, ok := response.(*fosite.AccessResponse); ok && j.fixed && r.PostForm.Get("grant_type") == "refresh_token" {
		delete(answer.Extra, "refresh_token")
	}
	j.grants[r.PostForm.Get("grant_type")]++
	j.provider.WriteAccessResponse(r.Context(), w, request, response)
}

func newSession(subject string) *openid.DefaultSession {
	return &openid.DefaultSession{Subject: subject, Claims: &jwt.IDTokenClaims{Subject: subject}, Headers: &jwt.Headers{}}
}
