package leaks

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// Vendor is the scripted vendor behind a notary: every secret that passes becomes a canary. Requests name in the query which OAuthToken they are
// for, and are answered as an Echo says once there is one for it.
type Vendor struct {
	*oauthtest.Server

	Address string
	CA      []byte // PEM

	canaries *Canaries
	mu       sync.Mutex
	echoes   map[string]*Echo
	struck   map[string]int
}

// StartVendor listens until the test ends.
func StartVendor(tb testing.TB, canaries *Canaries) *Vendor {
	tb.Helper()
	v := &Vendor{Server: oauthtest.New(), canaries: canaries, echoes: map[string]*Echo{}, struck: map[string]int{}}
	server := httptest.NewUnstartedServer(v)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	tb.Cleanup(server.Close)
	v.Address = server.Listener.Addr().String()
	v.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return v
}

// URL is the endpoint of a path for an OAuthToken.
func (v *Vendor) URL(path, name string) string {
	return "https://" + v.Address + path + "?object=" + name
}

// atAuthorization is by what the authorization endpoint for an OAuthToken is struck.
func atAuthorization(name string) string { return name + " at the authorization endpoint" }

// Strike has every request for an OAuthToken to the token or the revocation endpoint answered that way; nil: well.
func (v *Vendor) Strike(name string, echo *Echo) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.echoes[name] = echo
}

// Struck is how many requests for an OAuthToken were answered by an Echo.
func (v *Vendor) Struck(name string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.struck[name]
}

// ServeHTTP implements http.Handler.
func (v *Vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	name := r.URL.Query().Get("object")
	sent := v.note(r, name, string(body))
	at := name
	if r.URL.Path == authorizePath {
		at = atAuthorization(name)
	}
	v.mu.Lock()
	echo := v.echoes[at]
	if echo != nil {
		v.struck[at]++
	}
	v.mu.Unlock()
	if echo != nil && echo.instead != nil {
		echo.instead(w, r, sent)
		return
	}
	answer := httptest.NewRecorder()
	v.Server.ServeHTTP(answer, r)
	v.noteAnswer(name, answer)
	if echo != nil {
		echo.spoil(w, answer, sent)
		return
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// note takes note of what is secret in a request, and returns all of it.
func (v *Vendor) note(r *http.Request, name, body string) sent {
	form, err := url.ParseQuery(body)
	if err != nil {
		form = url.Values{}
	}
	for field, kind := range map[string]Kind{
		"client_secret": Credential, "password": Credential, "refresh_token": RefreshToken, "assertion": Assertion, "code": Code,
		"code_verifier": Verifier, "token": RefreshToken,
	} {
		v.canaries.Add(kind, name, form.Get(field))
	}
	_, basic, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	v.canaries.Add(Credential, name, basic)
	v.canaries.Add(State, name, r.URL.Query().Get("state"))
	v.canaries.Add(State, name, r.URL.Query().Get("nonce"))
	return sent{body: body, header: r.Header.Get("Authorization"), form: form}
}

func (v *Vendor) noteAnswer(name string, answer *httptest.ResponseRecorder) {
	var token struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	if json.Unmarshal(answer.Body.Bytes(), &token) == nil {
		v.canaries.Add(AccessToken, name, token.Access)
		v.canaries.Add(RefreshToken, name, token.Refresh)
		v.canaries.Add(IDToken, name, token.ID)
		if parts := strings.Split(token.ID, "."); len(parts) == 3 {
			v.canaries.Add(Claims, name, parts[1][len(parts[1])/2:])
		}
	}
	to, err := url.Parse(answer.Header().Get("Location"))
	if err != nil {
		return
	}
	fragment, err := url.ParseQuery(to.Fragment)
	if err == nil {
		v.canaries.Add(AccessToken, name, fragment.Get("access_token"))
	}
	v.canaries.Add(Code, name, to.Query().Get("code"))
}
