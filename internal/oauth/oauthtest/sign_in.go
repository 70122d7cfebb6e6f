package oauthtest

import (
	"html/template"
	"net/http"
	"strings"
)

// ask shows the vendor's pages: one form to sign in and decide. The answer is nil once that is done.
func (x *exchange) ask(client Client) (*Consent, *answer) {
	if x.request.Method != http.MethodPost {
		return nil, x.signIn(client, "")
	}
	name := x.form.Get("username")
	if x.form.Get("decision") == "deny" {
		return &Consent{Error: "access_denied", Description: "The user said no"}, nil
	}
	if !x.server.registry.knows(User{x.place.vendor, x.request.PathValue("tenant"), name, x.form.Get("password")}) {
		return nil, x.signIn(client, "User name and password do not match.")
	}
	return &Consent{Subject: name}, nil
}

func (x *exchange) signIn(client Client, complaint string) *answer {
	var page strings.Builder
	scopes := strings.Fields(x.request.URL.Query().Get("scope"))
	err := signInPage().Execute(&page, map[string]any{
		"Vendor": x.place.vendor, "Client": client.ID, "Scopes": scopes, "Complaint": complaint, "Action": x.request.URL.RequestURI(),
		"Username": x.form.Get("username"),
	})
	if err != nil {
		return &answer{status: http.StatusInternalServerError, contentType: "text/plain", body: "the page can't be made\n"}
	}
	a := answer{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: page.String()}
	a.set("Cache-Control", "no-store")
	return &a
}

// errorPage tells the person what can't be told to the client.
func errorPage(status int, text string) answer {
	return answer{status: status, contentType: "text/html; charset=utf-8", body: "<!DOCTYPE html><html lang=\"en\"><title>Error</title><h1>" +
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
<label for="username">User name</label><input id="username" name="username" value="{{.Username}}" autocomplete="off">
<label for="password">Password</label><input id="password" name="password" type="password">
<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button>
</form>
</main>
</html>
`))
}
