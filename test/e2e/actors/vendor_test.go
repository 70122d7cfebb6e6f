package actors

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// A vendor that is killed and comes back knows the tokens that it has handed out: else each restart of a node would look like a fault of
// the operator.
func TestTheVendorOutlivesItsProcess(t *testing.T) {
	play := filepath.Join(t.TempDir(), "play.json")
	content := `{"Lifetime":3600000000000,"Clients":[{"Vendor":"generic","ID":"app","Secret":"s","Authentication":"Post","Grants":["client_credentials"]}]}`
	if err := os.WriteFile(play, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	memory := filepath.Join(t.TempDir(), "issued.json")
	first, err := newVendor(play, memory)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader("grant_type=client_credentials&client_id=app&client_secret=s"))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	first.ServeHTTP(answer, request)
	_, token, _ := strings.Cut(answer.Body.String(), `"access_token":"`)
	token, _, _ = strings.Cut(token, `"`)
	if answer.Code != http.StatusOK || token == "" {
		t.Fatalf("status %d", answer.Code)
	}
	second, err := newVendor(play, memory)
	if err != nil {
		t.Fatal(err)
	}
	if !second.IsLive(token) || second.Count(oauthtest.Match{ClientID: "app", Outcome: oauthtest.Issued}) != 1 {
		t.Error("the vendor has forgotten what it issued")
	}
}
