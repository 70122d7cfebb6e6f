package judge

import (
	"testing"

	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
)

// The clients that the judge knows, and the person. A client has one way to authenticate and is refused with another.
const (
	ClientID       = "tokensync"        // client_secret_basic
	PostClientID   = "tokensync-post"   // client_secret_post
	PublicClientID = "tokensync-public" // no secret
	ClientSecret   = "a secret, with: signs % of + its own"
	// OddClientID has, like its secret, what only a form-encoded Authorization header brings over (RFC 6749, section 2.3.1 and appendix B).
	OddClientID     = "https://client.example/é+%: &=1"
	OddClientSecret = "sécrèt / with: %2B + & = ?"
	Person          = "ada"
	Password        = "correct horse"
)

// know registers the clients.
func (j *Judge) know(tb testing.TB, redirectURI string) {
	tb.Helper()
	secret, err := bcrypt.GenerateFromPassword([]byte(ClientSecret), bcrypt.MinCost)
	if err != nil {
		tb.Fatal(err)
	}
	odd, err := bcrypt.GenerateFromPassword([]byte(OddClientSecret), bcrypt.MinCost)
	if err != nil {
		tb.Fatal(err)
	}
	j.store.Users[Person] = storage.MemoryUserRelation{Username: Person, Password: Password}
	for id, authentication := range map[string]string{
		ClientID: "client_secret_basic", OddClientID: "client_secret_basic", PostClientID: "client_secret_post", PublicClientID: "none",
	} {
		client := &fosite.DefaultClient{
			ID: id, Secret: secret, RedirectURIs: []string{redirectURI}, ResponseTypes: []string{"code", "token"},
			GrantTypes: []string{"authorization_code", "implicit", "refresh_token", "client_credentials", "password", samlBearer},
			Scopes:     []string{"openid", "offline_access", "orders"},
		}
		if id == OddClientID {
			client.Secret = odd
		}
		if authentication == "none" {
			client.Public, client.Secret = true, nil
		}
		j.store.Clients[id] = &fosite.DefaultOpenIDConnectClient{TokenEndpointAuthMethod: authentication, DefaultClient: client}
	}
}
