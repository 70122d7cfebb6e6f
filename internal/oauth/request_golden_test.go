package oauth

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what is sent into the files of testdata/requests")

// testNow is the time of all requests here.
var testNow = time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)

// goldenRequest is the head of a file in testdata/requests: what a user states. Below the line --- stands what is sent.
type goldenRequest struct {
	Vendor               string
	GrantType            GrantType
	Request              string // Token (default), Refresh or Revocation
	Parameters           map[string]string
	Scopes               []string
	Endpoints            Endpoints
	ClientAuthentication ClientAuthentication
	AllowedHosts         []string
	Credentials          map[string]string
}

func (g goldenRequest) settings() Settings {
	return Settings{
		Vendor: g.Vendor, Grant: g.GrantType, Parameters: g.Parameters, Scopes: g.Scopes, Endpoints: g.Endpoints,
		ClientAuthentication: g.ClientAuthentication, AllowedHosts: g.AllowedHosts, Credentials: credentials(g.Credentials),
		EnableInteractive: true,
	}
}

// TestRequestsAreThoseOfTheVendorsDocuments compares every byte that is sent with the files. A new vendor needs a file, not code.
func TestRequestsAreThoseOfTheVendorsDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/requests/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden requests (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, want, _ := strings.Cut(string(text), "---\n")
			var golden goldenRequest
			if err = yaml.UnmarshalStrict([]byte(head), &golden); err != nil {
				t.Fatal(err)
			}
			if prefix := golden.Vendor + "-"; !strings.HasPrefix(filepath.Base(file), prefix) {
				t.Errorf("the file's name must begin with %s", prefix)
			}
			got := wire(t, golden.request(t))
			if *update {
				if err = os.WriteFile(file, []byte(head+"---\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func (g goldenRequest) request(t *testing.T) *Request {
	t.Helper()
	flow := mustResolve(t, g.settings())
	switch g.Request {
	case "Refresh":
		return flow.RefreshRequest(NewSensitive("tGzv3JOkF0XG5Qx2TlKWIA"))
	case "Revocation":
		return flow.RevocationRequest(NewSensitive("2YotnFZFEjr1zCsicMWpAA"), "access_token")
	}
	return mustTokenRequest(t, flow)
}

// TestEveryUnattendedGrantHasAGoldenRequest makes sure that nobody adds a vendor without saying what is sent to it.
func TestEveryUnattendedGrantHasAGoldenRequest(t *testing.T) {
	catalogue := mustLoad(t, "")
	for _, name := range catalogue.Names() {
		vendor, _ := catalogue.Vendor(name)
		for grant := range vendor.Grants {
			file := name + "-" + kebab(string(grant)) + ".txt"
			if grant == AuthorizationCode {
				file = name + "-refresh.txt"
			}
			if _, err := os.Stat(filepath.Join("testdata/requests", file)); err != nil && grant != Implicit {
				t.Errorf("%s %s: testdata/requests/%s is missing", name, grant, file)
			}
		}
	}
}

// kebab turns ClientCredentials into client-credentials, and SAML2Bearer into saml2-bearer.
func kebab(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && !unicode.IsUpper(runes[i-1]) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// wire shows a request as the client sends it: request line, headers, and the body with one parameter a line.
func wire(t *testing.T, r *Request) string {
	t.Helper()
	target, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(ClientOptions{Now: func() time.Time { return testNow }})
	request := client.newHTTPRequest(t.Context(), tokenEndpoint, target, r)
	body, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", request.Method, request.URL)
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, request.Header.Get(name))
	}
	fmt.Fprintf(&b, "\n%s\n", strings.ReplaceAll(string(body), "&", "\n&"))
	return b.String()
}

// sent parses what is sent: the URL's query, the Authorization header and the body.
func sent(t *testing.T, r *Request) (authorization string, body url.Values) {
	t.Helper()
	body, err := url.ParseQuery(r.body.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Authorization": {r.authorization.Reveal()}}
	return header.Get("Authorization"), body
}

func credentials(values map[string]string) Credentials {
	c := Credentials{}
	for key, value := range values {
		c[key] = NewSensitive(value)
	}
	return c
}

// embeddedCatalogue is read once.
var embeddedCatalogue = sync.OnceValues(func() (*Catalogue, error) { return LoadCatalogue("") })

func mustLoad(tb testing.TB, dir string) *Catalogue {
	tb.Helper()
	if dir == "" {
		return must(embeddedCatalogue())
	}
	catalogue, err := LoadCatalogue(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return catalogue
}

func mustResolve(tb testing.TB, s Settings) *Flow {
	tb.Helper()
	flow, err := mustLoad(tb, "").Resolve(s)
	if err != nil {
		tb.Fatal(err)
	}
	return flow
}

func mustTokenRequest(tb testing.TB, flow *Flow) *Request {
	tb.Helper()
	request, err := flow.TokenRequest(testNow)
	if err != nil {
		tb.Fatal(err)
	}
	return request
}
