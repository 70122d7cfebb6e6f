package judge

import (
	"testing"

	"github.com/ory/fosite"
	"golang.org/x/crypto/bcrypt"
)

// The clients that the judge knows, and the person. A client has one way to authenticate and is refused with another.
const (
	ClientID       = "tokensync"        // client_secret_basic
	PostClientID   = "tokensync-post"   // client_secret_post
	PublicClientID = "tokensync-public" // no secret
	ClientSecret   = "a secret, with: signs % of + its own"
	Person         = "ada"
	Password       = "correct horse"
)

// know registers the clients.
func (j *Judge) know(tb testing.TB, redirectURI string) {
	tb.Helper()
	secret, err := bcrypt.GenerateFromPassword([]byte(ClientSecret), bcrypt.MinCost)
	if err != nil {
		tb.Fatal(err)
	}
	for id, authentication := range map[string]string{ClientID: "client_secret_basic", PostClientID: "client_secret_post", PublicClientID: "none"} {
		client := &fosite.DefaultClient{
			ID: id, Secret: secret, RedirectURIs: []string{redirectURI}, ResponseTypes: []string{"code", "token"},
			GrantTypes: []string{"authorization_code", "implicit", "refresh_token", "client_credentials"},
			Scopes:     []string{"openid", "offline_access", "orders"},
		}
		if authentication == "none" {
			client.Public, client.Secret = true, nil
		}
		j.store.Clients[id] = &fosite.DefaultOpenIDConnectClient{TokenEndpointAuthMethod: authentication, DefaultClient: client}
	}
}
