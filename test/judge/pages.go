package judge

import (
	"html/template"
	"net/http"

	"github.com/ory/fosite"
)

// authorize is the authorization endpoint: a page to sign in and decide, then fosite's answer.
func (j *Judge) authorize(w http.ResponseWriter, r *http.Request) {
	request, err := j.provider.NewAuthorizeRequest(r.Context(), r)
	if err != nil {
		j.provider.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	name, complaint := r.PostFormValue("username"), ""
	switch {
	case r.Method == http.MethodPost && r.PostFormValue("decision") == "deny":
		j.provider.WriteAuthorizeError(r.Context(), w, request, fosite.ErrAccessDenied.WithHint("The person said no."))
		return
	case r.Method == http.MethodPost && r.PostFormValue("password") != Password:
		complaint = "User name and password do not match."
		fallthrough
	case r.Method != http.MethodPost:
		_ = signInPage().Execute(w, map[string]any{"Client": request.GetClient().GetID(), "Scopes": request.GetRequestedScopes(), "Complaint": complaint})
		return
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	response, err := j.provider.NewAuthorizeResponse(r.Context(), request, newSession(name))
	if err != nil {
		j.provider.WriteAuthorizeError(r.Context(), w, request, err)
		return
	}
	j.provider.WriteAuthorizeResponse(r.Context(), w, request, response)
}

func signInPage() *template.Template {
	return template.Must(template.New("sign in").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign in at the judge</title>
<style>body { font: 1rem/1.5 sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem } label { display: block }</style>
<main><h1>Sign in</h1><p>{{.Client}} asks for {{range .Scopes}}<code>{{.}}</code> {{end}}</p>{{with .Complaint}}<p role="alert">{{.}}</p>{{end}}
<form method="post">
<label>User name <input name="username"></label><label>Password <input name="password" type="password"></label>
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button>
</form></main></html>
`))
}
