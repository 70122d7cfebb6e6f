package oauth

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// addAnswers seeds a fuzz test with the answers that vendors print and with the shapes that the tests above know.
func addAnswers(f *testing.F, add func(body string)) {
	f.Helper()
	files, err := filepath.Glob("testdata/answers/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no answers: %v", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(string(body))
	}
	for _, body := range []string{
		"", "null", "<html>", goodAnswer, "\xef\xbb\xbf" + goodAnswer, `{"access_token":"a","expires_in":1e999,}`, `{"access_token":"a\r\nb"}`,
		`{"error":"invalid_grant","error_description":"x","access_token":"a"}`, `{"error":{"code":"invalid_client"}}`, `{"a":[[[[1,],],],],}`,
		`{"access_token":"a","expires_in":"-1"}`, `{"access_token":"a","token_type":"mac"}`, `{"access_token":"a",/* b */"scope":["a"]}`,
	} {
		add(body)
	}
}

func FuzzResponse(f *testing.F) {
	addAnswers(f, func(body string) { f.Add(200, body); f.Add(400, body) })
	f.Fuzz(func(t *testing.T, status int, body string) {
		token, failure := readToken(answered(telling(), status, nil, body))
		if (token == nil) == (failure == nil) {
			t.Fatalf("got token %v and failure %v", token, failure)
		}
		if failure != nil {
			checkFailure(t, failure)
			return
		}
		accessToken := token.AccessToken.Reveal()
		if strings.TrimSpace(accessToken) == "" || !isPrintable(accessToken) || token.TokenType != "Bearer" {
			t.Errorf("token %q of type %q", accessToken, token.TokenType)
		}
		if token.Lifetime < 0 || token.Lifetime > maxLifetime || token.Lifetime%time.Second != 0 || token.RefreshTokenLifetime < 0 {
			t.Errorf("lifetimes %v, %v", token.Lifetime, token.RefreshTokenLifetime)
		}
	})
}

func FuzzErrorAnswer(f *testing.F) {
	addAnswers(f, func(body string) { f.Add(400, body, "3"); f.Add(503, body, "") })
	f.Fuzz(func(t *testing.T, status int, body, retryAfter string) {
		header := http.Header{"Retry-After": {retryAfter}}
		failure := readFailure(answered(telling(), status, header, body))
		checkFailure(t, failure)
		if again := readFailure(answered(telling(), status, header, body)); again.Message != failure.Message {
			t.Errorf("messages differ: %q, %q", failure.Message, again.Message)
		}
	})
}

func checkFailure(t *testing.T, failure *Error) {
	t.Helper()
	if failure.Class < Transient || failure.Class > Malformed || failure.Reason == "" || failure.RetryAfter < 0 || failure.RetryAfter > time.Hour {
		t.Errorf("failure %+v", *failure)
	}
	for what, text := range map[string]string{"code": failure.Code, "message": failure.Message} {
		isBad := func(r rune) bool { return r < 0x20 || r > 0x7e || r == '\\' }
		if len(text) > 1000 || strings.IndexFunc(text, isBad) >= 0 {
			t.Errorf("%s %q", what, text)
		}
		for _, secret := range []string{"admin@acme", "abcd", "acme-tenant", "phnhbww+phn", "client one"} {
			if strings.Contains(strings.ToLower(text), secret) {
				t.Errorf("%s %q holds the secret %q", what, text, secret)
			}
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "42", "-1", "99999999999999999999", "Tue, 06 May 2031 12:01:30 GMT", "Tue May  6 12:01:30 2031", "1e9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := parseRetryAfter(value, noon); got != 0 && (got < time.Second || got > time.Hour || got%time.Second != 0) {
			t.Errorf("got %v", got)
		}
	})
}
