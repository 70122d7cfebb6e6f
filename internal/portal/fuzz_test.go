package portal

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// FuzzCallback brings whatever strangers may bring. Nothing makes the portal fail, and nothing is written: there is no attempt to answer.
func FuzzCallback(f *testing.F) {
	for _, seed := range [][2]string{
		{"state=a&code=b", "tokensync-x=ns/name/key"},
		{"", ""},
		{"state=%ff&code=%00", "tokensync-=//"},
		{"error=access_denied&state=x", ";;="},
		{"state=a&state=b", "tokensync-" + "ungWv48Bz-pBQUDe" + "=ns/name/key"},
		{"state=a;b&code", "a=b"},
	} {
		f.Add(seed[0], seed[1])
	}
	address, err := ParseURL("https://tokens.example.com/prefix")
	if err != nil {
		f.Fatal(err)
	}
	nothing := fake.NewClientBuilder().Build()
	handler := (&Portal{
		Client: nothing, Live: nothing, URL: address, Clock: clocktesting.NewFakeClock(time.Unix(0, 0)), Recorder: events.NewFakeRecorder(10), Implicit: true,
	}).Handler()
	f.Fuzz(func(t *testing.T, query, cookie string) {
		for _, path := range []string{"/callback", "/prefix/callback", "/outcome/" + cookie} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL.Path, r.URL.RawQuery = path, query
			r.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code >= http.StatusInternalServerError || w.Code == http.StatusSeeOther || w.Header().Get("Location") != "" {
				t.Errorf("%s?%q with cookie %q: status %d", path, query, cookie, w.Code)
			}
		}
	})
}
