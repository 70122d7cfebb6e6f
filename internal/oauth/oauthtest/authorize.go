package oauthtest

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Implicit is the grant of RFC 6749, section 4.2, as it stands in Client.Grants.
const Implicit = "implicit"

// Consent is what a person does at the authorization endpoint. The zero value consents.
type Consent struct {
	// Subject is who it is. Default: ada.
	Subject string
	// Error is answered in place of a code, such as access_denied or login_required (RFC 6749, section 4.1.2.1).
	Error string
	// Description goes with Error.
	Description string
	// Issuer is what the answer says of its sender in place of the truth (RFC 9207); "-" leaves it out.
	Issuer string
}

// ConsentBy has somebody answer at a vendor's authorization endpoint at once, without pages, until the next call; nil brings the pages back.
func (s *Server) ConsentBy(vendor Vendor, who *Consent) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.registry.consents[vendor] = who
}

// RegisterRedirectURI adds a redirect URI to every client that is known.
func (s *Server) RegisterRedirectURI(uri string) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	for key, client := range s.registry.clients {
		client.RedirectURIs = append(slices.Clone(client.RedirectURIs), uri)
		s.registry.clients[key] = client
	}
}

// NameIssuer has authorization answers of all vendors name their sender, and discovery announce it (RFC 9207).
func (s *Server) NameIssuer() { s.namesIssuer.Store(true) }

// authorize is the authorization endpoint: RFC 6749, sections 4.1.1 and 4.2.1. A client or redirect URI that is not known is told to the
// person, and never redirected to (section 4.1.2.1).
func (x *exchange) authorize() (answer, Outcome) {
	query := x.request.URL.Query()
	client, known := x.server.registry.client(x.place.vendor, query.Get("client_id"))
	if !known || !slices.Contains(client.RedirectURIs, query.Get("redirect_uri")) {
		return errorPage("The client or its redirect URI is not known here."), invalidRequest
	}
	if code, description := x.checkAuthorization(client, query); code != "" {
		return x.back(query, url.Values{"error": {code}, "error_description": {description}}, ""), Outcome(code)
	}
	x.server.registry.mu.RLock()
	consent := x.server.registry.consents[x.place.vendor]
	x.server.registry.mu.RUnlock()
	if consent == nil {
		var shown *answer
		if consent, shown = x.ask(client); shown != nil {
			return *shown, Served
		}
	}
	if consent.Error != "" {
		refusal := url.Values{"error": {consent.Error}}
		if consent.Description != "" {
			refusal.Set("error_description", consent.Description)
		}
		return x.back(query, refusal, consent.Issuer), Outcome(consent.Error)
	}
	subject := consent.Subject
	if subject == "" {
		subject = "ada"
	}
	if query.Get("response_type") == "token" {
		given := x.server.vault.issue(x.server.now(), order{client, permit{scope: query.Get("scope")}, x.server.lifetimeFor(client), x.fault})
		return x.back(query, url.Values{
			"access_token": {given.accessToken}, "token_type": {"Bearer"}, "scope": {given.scope},
			"expires_in": {strconv.Itoa(int(given.lifetime / time.Second))},
		}, consent.Issuer), Issued
	}
	code := x.server.vault.newCode(x.server.now(), client, query, subject)
	return x.back(query, url.Values{"code": {code}}, consent.Issuer), Issued
}

// checkAuthorization returns an error code of RFC 6749, section 4.1.2.1; empty: nothing is wrong.
func (x *exchange) checkAuthorization(client Client, query url.Values) (code, description string) {
	grant := map[string]string{"code": AuthorizationCode, "token": Implicit}[query.Get("response_type")]
	scopes := slices.DeleteFunc(strings.Fields(query.Get("scope")), func(s string) bool { return s == "offline_access" })
	for name, values := range query {
		if len(values) > 1 {
			return invalidRequest, "a parameter is given twice: " + name
		}
	}
	switch {
	case grant == "":
		return "unsupported_response_type", "response_type must be code or token"
	case !slices.Contains(client.Grants, grant):
		return unauthorizedClient, "this client may not ask in this way"
	case !withinScopes(strings.Join(scopes, " "), client.Scopes):
		return invalidScope, "the client may not ask for this scope"
	case query.Has("code_challenge") && query.Get("code_challenge_method") != "S256":
		return invalidRequest, "the code challenge's method must be S256"
	case client.Authentication == None && grant == AuthorizationCode && !query.Has("code_challenge"):
		return invalidRequest, "a client without a secret needs a code challenge"
	case x.place.vendor == ABBYY && query.Get("productId") == "":
		return invalidRequest, "productId is missing"
	}
	return "", ""
}

// back sends the browser to the redirect URI with an answer: in the query, or in the fragment where a token was asked for.
func (x *exchange) back(query, given url.Values, issuer string) answer {
	if state := query.Get("state"); state != "" {
		given.Set("state", state)
	}
	if x.server.namesIssuer.Load() && issuer != "-" {
		given.Set("iss", x.issuer())
		if issuer != "" {
			given.Set("iss", issuer)
		}
	}
	target, separator := query.Get("redirect_uri"), "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	if query.Get("response_type") == "token" {
		separator = "#"
	}
	a := answer{status: http.StatusFound, contentType: "text/html"}
	a.set("Location", target+separator+given.Encode())
	a.set("Cache-Control", "no-store")
	return a
}

// issuer is this vendor's identifier, as its metadata have it.
func (x *exchange) issuer() string {
	path := strings.TrimSuffix(x.request.URL.Path, x.dialect().metadata["authorization_endpoint"])
	if x.dialect().metadata == nil {
		path = x.place.prefix
	}
	return x.origin() + path
}

// ask shows the vendor's pages: one form to sign in and decide. The answer is nil once that is done.
func (x *exchange) ask(client Client) (*Consent, *answer) {
	if x.request.Method != http.MethodPost {
		return nil, x.signIn(client, "")
	}
	name := x.form.Get("username")
	if x.form.Get("decision") == "deny" {
		return &Consent{Error: "access_denied", Description: "The user said no"}, nil
	}
	if !x.server.registry.knows(User{x.place.vendor, "", name, x.form.Get("password")}) {
		return nil, x.signIn(client, "User name and password do not match.")
	}
	return &Consent{Subject: name}, nil
}

func (x *exchange) signIn(client Client, complaint string) *answer {
	var page strings.Builder
	scopes := strings.Fields(x.request.URL.Query().Get("scope"))
	err := signInPage().Execute(&page, map[string]any{
		"Vendor": x.place.vendor, "Client": client.ID, "Scopes": scopes, "Complaint": complaint, "Action": x.request.URL.RequestURI(),
	})
	if err != nil {
		return &answer{status: http.StatusInternalServerError, contentType: "text/plain", body: "the page can't be made\n"}
	}
	return &answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: page.String()}
}

func errorPage(text string) answer {
	return answer{status: http.StatusBadRequest, contentType: "text/html; charset=utf-8", body: "<!DOCTYPE html><html lang=\"en\"><title>Error</title><h1>" +
		template.HTMLEscapeString(text) + "</h1></html>\n"}
}

// signInPage stands for all that a vendor shows before it sends the browser back.
func signInPage() *template.Template {
	return template.Must(template.New("sign in").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to {{.Vendor}} (played)</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem; color: #222; background: #fff; }
label { display: block; margin: 1rem 0 0.25rem; } input { width: 100%; padding: 0.5rem; font: inherit; box-sizing: border-box; }
button { padding: 0.6rem 1.2rem; margin: 1.5rem 0.5rem 0 0; font: inherit; } .complaint { color: #a02000; }
</style>
<main>
<h1>Sign in to {{.Vendor}}</h1>
<p>The client {{.Client}} asks for{{range .Scopes}} <code>{{.}}</code>{{else}} access{{end}}. This server only plays the vendor.</p>
{{with .Complaint}}<p class="complaint" role="alert">{{.}}</p>{{end}}
<form method="post" action="{{.Action}}">
<label for="username">User name</label><input id="username" name="username" autocomplete="off">
<label for="password">Password</label><input id="password" name="password" type="password">
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button>
</form>
</main>
</html>
`))
}
