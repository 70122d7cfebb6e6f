package judge

import (
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

func (j *Judge) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/authorize", j.inTurn(j.authorize))
	routes.HandleFunc("POST /token", j.inTurn(j.token))
	routes.HandleFunc("POST /revoke", j.inTurn(j.revoke))
	routes.HandleFunc("GET /.well-known/openid-configuration", says(map[string]any{
		"issuer": j.URL, "authorization_endpoint": j.URL + "/authorize", "token_endpoint": j.URL + "/token",
		"revocation_endpoint": j.URL + "/revoke", "jwks_uri": j.URL + "/keys",
		"response_types_supported": []string{"code", "token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
	}))
	routes.HandleFunc("GET /keys", says(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &j.key.PublicKey, Algorithm: "RS256", Use: "sig"}}}))
	return routes
}

func says(document any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(document)
	}
}

// revoke is the revocation endpoint (RFC 7009).
func (j *Judge) revoke(w http.ResponseWriter, r *http.Request) {
	j.provider.WriteRevocationResponse(r.Context(), w, j.provider.NewRevocationRequest(r.Context(), r))
}
