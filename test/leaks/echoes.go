package leaks

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
)

// sent is what came with a request.
type sent struct {
	body, header string
	form         url.Values
}

// all is everything that was sent: raw, decoded, value by value, and in base64.
func (s sent) all() string {
	texts := []string{s.body, s.header}
	for _, name := range slices.Sorted(maps.Keys(s.form)) {
		texts = append(texts, name+"="+s.form.Get(name), base64.StdEncoding.EncodeToString([]byte(s.form.Get(name))))
	}
	_, basic, _ := strings.Cut(s.header, " ")
	if decoded, err := base64.StdEncoding.DecodeString(basic); err == nil {
		texts = append(texts, string(decoded))
	}
	return strings.Join(texts, " ")
}

// secret is the one value that matters most.
func (s sent) secret() string {
	for _, name := range []string{"token", "refresh_token", "code", "assertion", "password", "client_secret"} {
		if value := s.form.Get(name); value != "" {
			return value
		}
	}
	_, basic, _ := strings.Cut(s.header, " ")
	decoded, err := base64.StdEncoding.DecodeString(basic)
	if err != nil {
		return basic
	}
	_, secret, _ := strings.Cut(string(decoded), ":")
	plain, err := url.QueryUnescape(secret)
	if err != nil {
		return secret
	}
	return plain
}

// Echo is a way to answer.
type Echo struct {
	instead func(w http.ResponseWriter, r *http.Request, s sent)
	spoil   func(w http.ResponseWriter, answer *httptest.ResponseRecorder, s sent)
}

// Echoes are all ways, by name: what contract and RFC call a failure, each with the secrets in the text of it.
func Echoes() map[string]*Echo {
	all := map[string]*Echo{
		"server-error":        says(500, "text/html", func(s sent) string { return "<html>" + s.all() + "</html>" }),
		"bad-gateway":         says(502, "text/plain", sent.all),
		"not-found":           says(404, "application/json", func(s sent) string { return member("detail", s.all()) }),
		"throttled":           says(429, "application/json", refusing("slow_down"), "Retry-After", "1"),
		"throttled-oddly":     says(429, "text/plain", sent.all, "Retry-After", "SECRET"),
		"unavailable":         says(503, "text/plain", sent.all, "Retry-After", "1"),
		"code-is-secret":      says(400, "application/json", func(s sent) string { return member("error", s.secret()) }),
		"uri-is-secret":       says(400, "application/json", func(s sent) string { return member("error", "invalid_scope", "error_uri", "https://"+s.secret()) }),
		"page-refuses":        says(400, "text/html", func(s sent) string { return "<h1>" + s.all() + "</h1>" }),
		"challenge":           says(401, "application/json", refusing("invalid_client"), "WWW-Authenticate", `Basic realm="SECRET"`),
		"redirect":            says(302, "text/plain", sent.all, "Location", "https://elsewhere.example/?SECRET"),
		"redirect-to-nothing": says(307, "text/plain", sent.all, "Location", "://SECRET"),
		"page":                says(200, "text/html", func(s sent) string { return "<html>" + s.all() + "</html>" }),
		"no-token":            says(200, "application/json", func(s sent) string { return member("info", s.all()) }),
		"error-with-200":      says(200, "application/json", refusing("invalid_grant")),
		"token-is-no-text":    says(200, "application/json", func(s sent) string { return `{"access_token":{"was":` + quoted(s.all()) + `}}` }),
		"odd-type":            says(200, "application/json", func(s sent) string { return member("access_token", "x", "token_type", s.secret()) }),
		"odd-lifetime": says(200, "application/json", func(s sent) string {
			return member("access_token", "x", "token_type", "Bearer", "expires_in", s.secret())
		}),
		"odd-content-type": says(400, "SECRET", sent.all),
		"half-JSON": {spoil: func(w http.ResponseWriter, a *httptest.ResponseRecorder, _ sent) {
			_, _ = w.Write(a.Body.Bytes()[:a.Body.Len()*3/4])
		}},
		"cut":             {spoil: cut},
		"dropped":         {instead: func(http.ResponseWriter, *http.Request, sent) { panic(http.ErrAbortHandler) }},
		"no-HTTP":         raw(func(s sent, _ string) string { return s.secret() + " " + s.all() + "\r\n\r\n" }),
		"odd-status-line": raw(func(s sent, _ string) string { return "HTTP/1.1 400 " + s.secret() + "\r\nContent-Length: 0\r\n\r\n" }),
		"odd-header":      raw(func(s sent, _ string) string { return "HTTP/1.1 400 Bad\r\n" + s.secret() + "\r\n\r\n" }),
		"odd-length":      raw(func(s sent, _ string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + s.secret() + "\r\n\r\n" }),
		"odd-encoding": raw(func(s sent, _ string) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + s.secret() + "\r\n\r\n"
		}),
		"odd-chunk": raw(func(s sent, _ string) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + s.secret() + "\r\n"
		}),
		"more-than-announced": raw(func(_ sent, answer string) string {
			return fmt.Sprintf("HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}%s", answer)
		}),
	}
	for _, code := range []string{
		"invalid_client", "invalid_grant", "invalid_scope", "invalid_request", "unauthorized_client", "unsupported_grant_type", "access_denied",
	} {
		all[strings.ReplaceAll(code, "_", "-")] = says(400, "application/json", refusing(code))
	}
	return all
}

func refusing(code string) func(sent) string {
	return func(s sent) string { return member("error", code, "error_description", s.all()) }
}

// says is a whole answer; SECRET in the content type or a header's value stands for the secret.
func says(status int, contentType string, body func(sent) string, header ...string) *Echo {
	return &Echo{instead: func(w http.ResponseWriter, _ *http.Request, s sent) {
		for i, pairs := 0, append([]string{"Content-Type", contentType}, header...); i < len(pairs); i += 2 {
			w.Header()[pairs[i]] = []string{strings.ReplaceAll(pairs[i+1], "SECRET", strings.ReplaceAll(s.secret(), "\n", ""))}
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body(s)))
	}}
}

// raw is an answer byte by byte; it is given what the vendor would have answered.
func raw(text func(s sent, answer string) string) *Echo {
	return &Echo{spoil: func(w http.ResponseWriter, answer *httptest.ResponseRecorder, s sent) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = connection.Write([]byte(text(s, answer.Body.String())))
		_ = connection.Close()
	}}
}

// cut ends the connection in the middle of the answer.
func cut(w http.ResponseWriter, answer *httptest.ResponseRecorder, _ sent) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()*3/4])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// member makes a JSON object of names and texts.
func member(pairs ...string) string {
	object := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		object[pairs[i]] = pairs[i+1]
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func quoted(text string) string { return `"` + inJSON(text) + `"` }

// Issuing answers every request with a token, whatever it brings.
func (c *Canaries) Issuing(name string) *Echo {
	return &Echo{instead: func(w http.ResponseWriter, _ *http.Request, _ sent) {
		token := rand.Text() + rand.Text()
		c.Add(AccessToken, name, token)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"` + token + `","token_type":"Bearer","expires_in":3600}`))
	}}
}

// Callbacks are the ways, by name, in which the vendor's page can send a browser back with what is secret in the wrong place.
func Callbacks() map[string]*Echo {
	all := map[string]*Echo{
		"error-is-secret": back(func(q url.Values, secret string) { q.Set("error", secret) }),
		"link-is-secret": back(func(q url.Values, secret string) {
			q.Set("error", "invalid_scope")
			q.Set("error_uri", "https://"+secret)
		}),
		"issuer-is-secret": back(func(q url.Values, secret string) { q.Set("iss", "https://"+secret) }),
		"state-is-secret":  back(func(q url.Values, secret string) { q.Set("state", secret) }),
		"state-and-more":   back(func(q url.Values, secret string) { q.Set("state", q.Get("state")+secret) }),
		"two-states":       back(func(q url.Values, secret string) { q.Add("state", secret) }),
		"two-answers":      back(func(q url.Values, secret string) { q.Add("code", secret); q.Add("access_token", secret) }),
		"odd-type-is-secret": back(func(q url.Values, secret string) {
			q.Set("token_type", secret)
			q.Set("expires_in", secret)
			q.Del("code")
		}),
		"error-beside-a-secret": back(func(q url.Values, _ string) { q.Set("error", "server_error"); q.Set("error_description", "beside it") }),
	}
	for _, code := range []string{
		"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error", "temporarily_unavailable",
		"login_required", "a_word_of_its_own",
	} {
		all[strings.ReplaceAll(code, "_", "-")] = back(func(q url.Values, secret string) {
			q.Set("error", code)
			q.Set("error_description", "state "+q.Get("state")+" secret "+secret)
			q.Del("code")
			q.Del("access_token")
		})
	}
	return all
}

// back changes what the browser brings back. The secret is the code or the access token that the vendor's page gave.
func back(change func(q url.Values, secret string)) *Echo {
	return &Echo{spoil: func(w http.ResponseWriter, answer *httptest.ResponseRecorder, _ sent) {
		to, err := url.Parse(answer.Header().Get("Location"))
		if err != nil {
			panic(err)
		}
		if given, err := url.ParseQuery(to.Fragment); err == nil && to.Fragment != "" {
			change(given, given.Get("access_token"))
			to.Fragment, to.RawFragment = "", ""
			w.Header().Set("Location", to.String()+"#"+given.Encode())
		} else {
			given := to.Query()
			change(given, given.Get("code"))
			to.RawQuery = given.Encode()
			w.Header().Set("Location", to.String())
		}
		w.WriteHeader(http.StatusFound)
	}}
}
