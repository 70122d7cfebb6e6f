package oauthtest

import (
	"crypto/x509"
	"maps"
	"slices"
	"sync"
	"time"
)

// Authentication is how a client proves who it is (RFC 6749, section 2.3).
type Authentication string

// The ways of client authentication.
const (
	Basic Authentication = "Basic" // the Authorization header
	Post  Authentication = "Post"  // client_id and client_secret in the body
	None  Authentication = "None"  // client_id alone
)

// The grant types, as they stand in a request.
const (
	ClientCredentials = "client_credentials"
	Password          = "password"
	AuthorizationCode = "authorization_code"
	RefreshToken      = "refresh_token"
	SAML2Bearer       = "urn:ietf:params:oauth:grant-type:saml2-bearer"
)

// Rotation is what a refresh does to the refresh token.
type Rotation string

// The ways of rotation.
const (
	// Keep: the answer holds no refresh token, and the old one stays good (RFC 6749, section 6).
	Keep Rotation = ""
	// Repeat: the answer holds the old refresh token.
	Repeat Rotation = "Repeat"
	// Rotate: the answer holds a new one, the old one is spent, and using a spent one revokes the whole family (RFC 9700, section
	// 4.14.2).
	Rotate Rotation = "Rotate"
)

// Client is a registered OAuth client.
type Client struct {
	Vendor Vendor
	ID     string
	Secret string
	// Authentication is the only one accepted. Default: the vendor's documented one, Basic for Generic.
	Authentication Authentication
	// Grants are the grant types that the client may use.
	Grants []string
	// Scopes are those that the client may ask for. ABBYY wants exactly these, Generic some of them or none.
	Scopes []string
	// Tenant is the tenant that the client belongs to (Bright Pattern, ABBYY).
	Tenant string
	// RedirectURIs are where browsers may be sent back to.
	RedirectURIs []string
	// TenantParameter is the parameter in which Bright Pattern's version takes the tenant: "tenant" (the default) or "scope".
	TenantParameter string
	// Parameters must stand in each token request but refreshes, with these values (Generic).
	Parameters map[string]string
	// Lifetime is that of its access tokens. Default: WithLifetime's, else the vendor's.
	Lifetime time.Duration
	// RefreshTokens says that answers hold a refresh token. ABBYY gives it for offline_access only, as OpenID Connect Core, section
	// 11, has it, and for no client credentials; Genesys for codes only.
	RefreshTokens bool
	// RefreshLifetime is the span from the first refresh token of a family to the end of its last. Default: 30 days.
	RefreshLifetime time.Duration
	// Rotation is what a refresh does to the refresh token.
	Rotation Rotation
}

// User is somebody with a password.
type User struct {
	Vendor   Vendor
	Tenant   string
	Username string
	Password string
}

// IdentityProvider is whom a vendor's organisation trusts to vouch for its users (RFC 7522).
type IdentityProvider struct {
	Vendor Vendor
	// OrgName is the organisation's short name at Genesys; Generic has none.
	OrgName string
	// Issuer, Audience and Recipient must stand in the assertion as they are here.
	Issuer, Audience, Recipient string
	// Certificates are those whose keys may sign.
	Certificates []*x509.Certificate
	// Subjects are the names it may vouch for. Empty: any.
	Subjects []string
}

type clientKey struct {
	vendor Vendor
	id     string
}

type userKey struct {
	vendor           Vendor
	tenant, username string
}

type providerKey struct {
	vendor  Vendor
	orgName string
}

// registry is what a vendor's administrators have set up.
type registry struct {
	mu        sync.RWMutex
	clients   map[clientKey]Client
	users     map[userKey]string
	providers map[providerKey]IdentityProvider
	consents  map[Vendor]*Consent
}

func newRegistry() *registry {
	return &registry{
		clients:   map[clientKey]Client{},
		users:     map[userKey]string{},
		providers: map[providerKey]IdentityProvider{},
		consents:  map[Vendor]*Consent{},
	}
}

// Register adds clients, or replaces those of the same vendor and ID. Tokens that were issued stay live.
func (s *Server) Register(clients ...Client) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	for _, client := range clients {
		if client.Authentication == "" {
			client.Authentication = s.dialects[client.Vendor].authentication
		}
		if client.RefreshLifetime == 0 {
			client.RefreshLifetime = 30 * 24 * time.Hour
		}
		client.Grants = slices.Clone(client.Grants)
		client.Scopes = slices.Clone(client.Scopes)
		client.RedirectURIs = slices.Clone(client.RedirectURIs)
		client.Parameters = maps.Clone(client.Parameters)
		s.registry.clients[clientKey{client.Vendor, client.ID}] = client
	}
}

// Unregister removes a client, as when somebody deletes it at the vendor. Tokens that were issued stay live.
func (s *Server) Unregister(vendor Vendor, id string) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	delete(s.registry.clients, clientKey{vendor, id})
}

// Client is the registered client, for tests that change one field of it and register it again.
func (s *Server) Client(vendor Vendor, id string) (Client, bool) {
	return s.registry.client(vendor, id)
}

// SetPassword adds a user, or changes the password of one.
func (s *Server) SetPassword(user User) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.registry.users[userKey{user.Vendor, user.Tenant, user.Username}] = user.Password
}

// Trust adds an identity provider, or replaces that of the same vendor and organisation.
func (s *Server) Trust(provider IdentityProvider) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.registry.providers[providerKey{provider.Vendor, provider.OrgName}] = provider
}

func (r *registry) client(vendor Vendor, id string) (Client, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	client, known := r.clients[clientKey{vendor, id}]
	return client, known
}

func (r *registry) provider(vendor Vendor, orgName string) (IdentityProvider, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	provider, known := r.providers[providerKey{vendor, orgName}]
	return provider, known
}

// knows tells whether the password is that of exactly one user of this name; an empty tenant stands for all of them.
func (r *registry) knows(user User) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if user.Tenant != "" {
		password, known := r.users[userKey{user.Vendor, user.Tenant, user.Username}]
		return known && password == user.Password
	}
	namesakes, right := 0, false
	for key, password := range r.users {
		if key.vendor == user.Vendor && key.username == user.Username {
			namesakes++
			right = password == user.Password
		}
	}
	return namesakes == 1 && right
}
