package oauthtest

import (
	"encoding/base64"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxBody bounds the requests that are read.
const maxBody = 1 << 20

// confidential are the parameters that may not stand in a URL (RFC 6749, section 2.3.1; RFC 9700, section 4.2).
func confidential() []string {
	return []string{
		"client_id", "client_secret", "client_assertion", "assertion", "username", "password", "code", "code_verifier",
		"refresh_token", "token", "grant_type",
	}
}

// read reads the body. A body that is no form leaves the form empty; checkForm says why.
func (x *exchange) read() {
	body, err := io.ReadAll(http.MaxBytesReader(x.writer, x.request.Body, maxBody))
	if err != nil {
		x.unreadable = true
		return
	}
	x.body = string(body)
	form, err := url.ParseQuery(x.body)
	if err != nil || !validText(form) {
		x.unreadable = true
		return
	}
	x.form = form
}

// validText tells whether names and values are UTF-8 (RFC 6749, appendix B).
func validText(form url.Values) bool {
	for name, values := range form {
		if !utf8.ValidString(name) || slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
			return false
		}
	}
	return true
}

// checkForm refuses what RFC 6749, section 3.2, forbids: another method, another encoding, a parameter given twice.
func (x *exchange) checkForm() *refusal {
	if x.request.Method != http.MethodPost {
		return &refusal{code: invalidRequest, description: "the method must be POST", status: http.StatusMethodNotAllowed}
	}
	mediaType, _, err := mime.ParseMediaType(x.request.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return refuse(invalidRequest, "the content type must be application/x-www-form-urlencoded")
	}
	if x.unreadable {
		return refuse(invalidRequest, "the body is not a form")
	}
	query := x.request.URL.Query()
	for _, name := range confidential() {
		if query.Has(name) {
			return refuse(invalidRequest, "%s must not stand in the URL", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x.form)) {
		if len(x.form[name]) > 1 {
			return refuse(invalidRequest, "a parameter is given twice: %s", name)
		}
	}
	return nil
}

// claim is who the client says it is, and how.
type claim struct {
	id, secret string
	method     Authentication
}

// claimed reads the client's claim from header and body; the body's client_id alone is no second claim.
func (x *exchange) claimed() (claim, *refusal) {
	id, secret := x.form.Get("client_id"), x.form.Get("client_secret")
	header := x.request.Header.Get("Authorization")
	if header == "" {
		if secret == "" {
			return claim{id, "", None}, nil
		}
		return claim{id, secret, Post}, nil
	}
	basic, ok := decodeBasic(header)
	switch {
	case !ok:
		return claim{id: id}, refuse(invalidClient, "the Authorization header is not Basic with form-encoded parts")
	case secret != "": // RFC 6749, section 2.3: one method in each request
		return basic, refuse(invalidRequest, "client credentials in header and body")
	case id != "" && id != basic.id:
		return basic, refuse(invalidRequest, "header and body name two clients")
	}
	return basic, nil
}

// decodeBasic reads id and secret, which are form-encoded each before they are joined (RFC 6749, section 2.3.1).
func decodeBasic(header string) (claim, bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return claim{}, false
	}
	joined, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return claim{}, false
	}
	rawID, rawSecret, found := strings.Cut(string(joined), ":")
	id, idErr := url.QueryUnescape(rawID)
	secret, secretErr := url.QueryUnescape(rawSecret)
	if !found || idErr != nil || secretErr != nil {
		return claim{}, false
	}
	return claim{id, secret, Basic}, true
}

// authenticate finds the client and checks that it proved itself in the way that is due.
func (x *exchange) authenticate() (Client, *refusal) {
	claimed, r := x.claimed()
	if r != nil {
		return Client{}, r
	}
	client, known := x.server.registry.client(x.place.vendor, claimed.id)
	switch {
	case !known:
		return Client{}, refuse(invalidClient, "unknown client")
	case claimed.method != client.Authentication:
		return Client{}, refuse(invalidClient, "this client must authenticate by %s", client.Authentication)
	case claimed.secret != client.Secret && client.Authentication != None:
		return Client{}, refuse(invalidClient, "wrong client secret")
	}
	return client, nil
}
