package oauth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// issuerUnderTest publishes documents by path. ORIGIN in a document stands for the server itself.
type issuerUnderTest struct {
	*endpointUnderTest
	mu    sync.Mutex
	paths []string
}

// published is a document, or a status where it begins with a digit.
func publish(t *testing.T, documents map[string]string) *issuerUnderTest {
	t.Helper()
	issuer := &issuerUnderTest{}
	issuer.endpointUnderTest = serve(t, func(w http.ResponseWriter, r *http.Request) {
		issuer.mu.Lock()
		issuer.paths = append(issuer.paths, r.Method+" "+r.URL.EscapedPath())
		issuer.mu.Unlock()
		document, ok := documents[r.URL.EscapedPath()]
		var status int
		switch n, _ := fmt.Sscanf(document, "%d", &status); {
		case !ok:
			http.NotFound(w, r)
		case n == 1:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		default:
			_, _ = io.WriteString(w, strings.ReplaceAll(document, "ORIGIN", issuer.URL))
		}
	})
	return issuer
}

func documentOf(issuer string) string {
	return `{"issuer":"` + issuer + `","token_endpoint":"ORIGIN/token","authorization_endpoint":"ORIGIN/authorize",
		"revocation_endpoint":"ORIGIN/revoke","grant_types_supported":["refresh_token"],"jwks_uri":"ORIGIN/keys",
		"token_endpoint_auth_methods_supported":["client_secret_post"],"authorization_response_iss_parameter_supported":true}`
}

func discover(t *testing.T, client *Client, issuer string, caBundle []byte) (*Metadata, *Error) {
	t.Helper()
	metadata, err := client.Discover(t.Context(), issuer, caBundle)
	if err == nil {
		return metadata, nil
	}
	var failure *Error
	if metadata != nil || !errors.As(err, &failure) {
		t.Fatalf("got %v, %v", metadata, err)
	}
	return nil, failure
}

func TestBothAddressesOfMetadataAreTried(t *testing.T) {
	for what, c := range map[string]struct {
		issuer    string
		documents map[string]string
		asked     []string
	}{
		"OpenID Connect without a path": {
			"",
			map[string]string{"/.well-known/openid-configuration": documentOf("ORIGIN")},
			[]string{"GET /.well-known/openid-configuration"},
		},
		"OpenID Connect appends to a path": {
			"/auth2/t1",
			map[string]string{"/auth2/t1/.well-known/openid-configuration": documentOf("ORIGIN/auth2/t1")},
			[]string{"GET /auth2/t1/.well-known/openid-configuration"},
		},
		"RFC 8414 without a path": {
			"",
			map[string]string{"/.well-known/oauth-authorization-server": documentOf("ORIGIN")},
			[]string{"GET /.well-known/openid-configuration", "GET /.well-known/oauth-authorization-server"},
		},
		"RFC 8414 inserts before a path": {
			"/auth2/t1",
			map[string]string{"/.well-known/oauth-authorization-server/auth2/t1": documentOf("ORIGIN/auth2/t1")},
			[]string{"GET /auth2/t1/.well-known/openid-configuration", "GET /.well-known/oauth-authorization-server/auth2/t1"},
		},
		"a slash at the end is the issuer's, not the address's": {
			"/auth2/",
			map[string]string{"/auth2/.well-known/openid-configuration": documentOf("ORIGIN/auth2/")},
			[]string{"GET /auth2/.well-known/openid-configuration"},
		},
		"escaped paths stay escaped": {
			"/a%2Fb",
			map[string]string{"/a%2Fb/.well-known/openid-configuration": documentOf("ORIGIN/a%2Fb")},
			[]string{"GET /a%2Fb/.well-known/openid-configuration"},
		},
		"a page instead of the first one": {
			"",
			map[string]string{"/.well-known/openid-configuration": "<html>", "/.well-known/oauth-authorization-server": documentOf("ORIGIN")},
			[]string{"GET /.well-known/openid-configuration", "GET /.well-known/oauth-authorization-server"},
		},
		"a redirect instead of the first one": {
			"",
			map[string]string{"/.well-known/openid-configuration": "302", "/.well-known/oauth-authorization-server": documentOf("ORIGIN")},
			[]string{"GET /.well-known/openid-configuration", "GET /.well-known/oauth-authorization-server"},
		},
		"a trailing comma and a byte order mark": {
			"",
			map[string]string{"/.well-known/openid-configuration": "\xef\xbb\xbf" + strings.TrimSuffix(documentOf("ORIGIN"), "}") + ",}"},
			[]string{"GET /.well-known/openid-configuration"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			e := publish(t, c.documents)
			got, failure := discover(t, newTestClient(t), e.URL+c.issuer, e.caBundle())
			if failure != nil {
				t.Fatal(failure)
			}
			want := &Metadata{
				Issuer: e.URL + c.issuer, TokenEndpoint: e.URL + "/token", AuthorizationEndpoint: e.URL + "/authorize",
				RevocationEndpoint: e.URL + "/revoke", GrantTypesSupported: []string{"refresh_token"},
				TokenEndpointAuthMethodsSupported: []string{"client_secret_post"}, AuthorizationResponseIssParameterSupported: true,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if !slices.Equal(e.paths, c.asked) {
				t.Errorf("asked %q, want %q", e.paths, c.asked)
			}
		})
	}
}

func TestMetadataThatCanNotBeUsed(t *testing.T) {
	const openID, rfc8414 = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	with := func(members string) map[string]string {
		return map[string]string{openID: `{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token",` + members + `}`}
	}
	invalid := Error{Class: Rejected, Reason: ReasonInvalidSpec, StatusCode: 200, Sent: true}
	for what, c := range map[string]struct {
		documents map[string]string
		want      Error
		message   string
		requests  int32
	}{
		"none at all":                            {nil, Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 404, Sent: true}, "endpoints.tokenURL", 2},
		"hidden ones":                            {map[string]string{openID: "403", rfc8414: "401"}, Error{Class: Rejected, Reason: ReasonInvalidSpec, StatusCode: 403, Sent: true}, "without credentials", 2},
		"another issuer's":                       {map[string]string{openID: documentOf("https://evil.example")}, invalid, "another issuer", 2},
		"another issuer's at the second address": {map[string]string{rfc8414: documentOf("https://evil.example")}, invalid, "another issuer", 2},
		"a slash too many":                       {map[string]string{openID: documentOf("ORIGIN/")}, invalid, "another issuer", 2},
		"in another case":                        {map[string]string{openID: documentOf("HTTPS" + "://127.0.0.1")}, invalid, "another issuer", 2},
		"without an issuer":                      {map[string]string{openID: `{"token_endpoint":"ORIGIN/token"}`}, invalid, "another issuer", 2},
		"an Issuer":                              {map[string]string{openID: `{"Issuer":"ORIGIN","token_endpoint":"ORIGIN/token"}`}, invalid, "another issuer", 2},
		"no token endpoint":                      {map[string]string{openID: `{"issuer":"ORIGIN"}`}, invalid, "names no token endpoint", 2},
		"http endpoints":                         {with(`"revocation_endpoint":"http://127.0.0.1/revoke"`), Error{Class: Rejected, Reason: ReasonEndpointNotAllowed}, "revocation endpoint starts with http://", 2},
		"endpoints of no use":                    {with(`"authorization_endpoint":"/authorize"`), Error{Class: Rejected, Reason: ReasonInvalidSpec}, "authorization endpoint", 2},
		"HTML":                                   {map[string]string{openID: "<html>"}, Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 200, Sent: true}, "HTML", 2},
		"a list":                                 {map[string]string{openID: "[]"}, Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 200, Sent: true}, "not a JSON object", 2},
		"a redirect":                             {map[string]string{openID: "302"}, Error{Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: 302, Sent: true}, "redirect", 2},
		"a server that is down: the other address is not tried": {
			map[string]string{openID: "502", rfc8414: documentOf("ORIGIN")},
			Error{Class: Transient, Reason: ReasonVendorUnavailable, StatusCode: 502, Sent: true},
			"HTTP status 502", 1,
		},
		"a server that asks for a pause": {
			map[string]string{openID: "429"}, Error{Class: Throttled, Reason: ReasonRateLimited, StatusCode: 429, Sent: true, Definite: true}, "pause", 1,
		},
	} {
		t.Run(what, func(t *testing.T) {
			e := publish(t, c.documents)
			now := noon
			client := newTestClient(t, func(o *ClientOptions) { o.Now = func() time.Time { return now } })
			for range 2 { // a failure is not kept for long
				now = now.Add(metadataPause)
				e.requests.Store(0)
				_, failure := discover(t, client, e.URL, e.caBundle())
				wantFailure(t, failure, &c.want, c.message)
				if strings.Contains(failure.Message, "127.0.0.1") || strings.Contains(failure.Message, "evil") {
					t.Errorf("message %q quotes the document", failure.Message)
				}
				if got := e.requests.Load(); got != c.requests {
					t.Errorf("%d requests, want %d", got, c.requests)
				}
			}
		})
	}
}

func TestMetadataOfAServerForImplicitAlone(t *testing.T) {
	e := publish(t, map[string]string{"/.well-known/openid-configuration": `{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize"}`})
	got, failure := discover(t, newTestClient(t), e.URL, e.caBundle())
	if failure != nil {
		t.Fatal(failure)
	}
	if diff := cmp.Diff(&Metadata{Issuer: e.URL, AuthorizationEndpoint: e.URL + "/authorize"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestIssuersThatAreNone(t *testing.T) {
	for issuer, want := range map[string]Reason{
		"": ReasonInvalidSpec, "vendor.example": ReasonInvalidSpec, "https://vendor.example?tenant=a": ReasonInvalidSpec,
		"https://vendor.example/?": ReasonInvalidSpec, "https://vendor.example/#a": ReasonInvalidSpec,
		"https://user@vendor.example": ReasonInvalidSpec, "http://vendor.example": ReasonEndpointNotAllowed,
	} {
		t.Run(issuer, func(t *testing.T) {
			_, failure := discover(t, newTestClient(t), issuer, nil)
			wantFailure(t, failure, &Error{Class: Rejected, Reason: want}, "issuer")
		})
	}
}

func TestMetadataAreReadOnceAnHour(t *testing.T) {
	e := publish(t, map[string]string{"/.well-known/openid-configuration": documentOf("ORIGIN")})
	now := noon
	client := newTestClient(t, func(o *ClientOptions) { o.Now = func() time.Time { return now } })
	for i, c := range []struct {
		after    time.Duration
		caBundle []byte
		requests int32
	}{
		{0, e.caBundle(), 1},
		{59 * time.Minute, e.caBundle(), 1},
		{59 * time.Minute, append(e.caBundle(), '\n'), 2}, // trust is part of what was asked
		{time.Hour, e.caBundle(), 3},
		{30 * time.Minute, e.caBundle(), 4}, // the clock was set back: who knows how old they are
	} {
		now = noon.Add(c.after)
		if _, failure := discover(t, client, e.URL, c.caBundle); failure != nil {
			t.Fatal(failure)
		}
		if got := e.requests.Load(); got != c.requests {
			t.Errorf("step %d: %d requests, want %d", i, got, c.requests)
		}
	}
}

func TestTheCacheOfMetadataIsBounded(t *testing.T) {
	cache := metadataCache{entries: map[metadataKey]cachedMetadata{}}
	key := func(i int) metadataKey { return metadataKey{issuer: fmt.Sprint(i)} }
	for i := range 3 * maxCachedMetadata {
		cache.put(key(i), cachedMetadata{metadata: &Metadata{}, readAt: noon.Add(time.Duration(i) * time.Second)})
	}
	if got := len(cache.entries); got != maxCachedMetadata {
		t.Errorf("%d entries", got)
	}
	knows := func(i int) bool { return cache.get(key(i), noon.Add(5*time.Minute)).metadata != nil }
	if !knows(3*maxCachedMetadata-1) || knows(0) {
		t.Error("not the oldest were dropped")
	}
	last := 3*maxCachedMetadata - 1
	cache.put(key(last), cachedMetadata{failure: &Error{}, readAt: noon.Add(5 * time.Minute)}) // of a reading that took long
	if !knows(last) {
		t.Error("a failure takes the place of metadata that were read meanwhile")
	}
	for i := range maxCachedMetadata { // somebody makes issuers up
		cache.put(metadataKey{issuer: fmt.Sprint("none", i)}, cachedMetadata{failure: &Error{}, readAt: noon.Add(5 * time.Minute)})
	}
	if !knows(2*maxCachedMetadata + 1) {
		t.Error("failures take the place of what is known")
	}
}

func TestAnIssuerThatFailsIsLeftAloneForAMoment(t *testing.T) {
	e := publish(t, map[string]string{})
	now := noon
	client := newTestClient(t, func(o *ClientOptions) { o.Now = func() time.Time { return now } })
	for i, c := range []struct {
		after     time.Duration
		documents int32 // at both addresses
	}{{0, 2}, {metadataPause - time.Millisecond, 2}, {metadataPause, 4}} {
		now = noon.Add(c.after)
		if _, failure := discover(t, client, e.URL, e.caBundle()); failure == nil || failure.Reason != ReasonMalformedResponse {
			t.Fatalf("step %d: the failure is %v", i, failure)
		} else if told := i == 1; failure.Sent == told {
			t.Errorf("step %d: sent: %t", i, failure.Sent)
		}
		if got := e.requests.Load(); got != c.documents {
			t.Errorf("step %d: %d requests, want %d", i, got, c.documents)
		}
	}
}
