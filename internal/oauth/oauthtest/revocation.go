package oauthtest

import "net/http"

// revocation is RFC 7009. Unknown tokens are fine with it (section 2.2); another client's are not (section 2.1).
func (x *exchange) revocation() (answer, Outcome) {
	r := x.checkForm()
	var client Client
	if r == nil {
		client, r = x.authenticate()
	}
	if r == nil {
		r = x.require("token")
	}
	token := x.form.Get("token")
	if owner, known := x.server.vault.owner(token); r == nil && known && owner != (clientKey{client.Vendor, client.ID}) {
		r = refuse(unauthorizedClient, "the token was issued to another client")
	}
	if r != nil {
		return x.refusalAnswer(r), Outcome(r.code)
	}
	x.server.Revoke(token)
	return answer{status: http.StatusOK}, Revoked
}
