package leaks

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestASecretIsFoundInEveryForm(t *testing.T) {
	secret := unspeakable()
	inObject, err := json.Marshal(map[string]string{"message": "refused: " + secret})
	if err != nil {
		t.Fatal(err)
	}
	inLog, err := json.Marshal(map[string]string{"error": string(inObject)})
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{
		"as it is":                     "secret=" + secret,
		"its beginning":                "cut off after " + secret[:30],
		"its end":                      "..." + secret[20:],
		"in a URL":                     "https://example.com/?q=" + url.QueryEscape(secret),
		"in a path":                    "https://example.com/" + url.PathEscape(secret),
		"in a Basic header":            "Basic " + base64.StdEncoding.EncodeToString([]byte("client:"+secret)),
		"in base64, one byte later":    base64.StdEncoding.EncodeToString([]byte("client1:" + secret + "!")),
		"in base64, two bytes later":   base64.StdEncoding.EncodeToString([]byte("client12:" + secret + "!!")),
		"in base64 for URLs":           base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"in hex":                       hex.EncodeToString([]byte(secret)),
		"in an object":                 string(inObject),
		"in an object in a log line":   string(inLog),
		"as Go quotes":                 fmt.Sprintf("%q", secret),
		"as Go prints bytes":           fmt.Sprintf("%d", []byte(secret)),
		"as Go prints a struct":        fmt.Sprintf("%+v", struct{ S string }{secret}),
		"in the middle of other words": strings.Repeat("x", 1000) + secret + strings.Repeat("y", 1000),
	} {
		canaries := NewCanaries()
		canaries.Add(Credential, "orders", secret)
		found := canaries.Find([]byte(text), Any())
		if len(found) == 0 || !strings.HasPrefix(found[0], "the credential of orders (") {
			t.Errorf("%s: found %q", form, found)
		}
		if found := canaries.Find([]byte(text), Any(Credential)); len(found) != 0 {
			t.Errorf("%s: found where it is meant to be: %q", form, found)
		}
	}
}

func TestASecretIsMeantForItsOwnerAlone(t *testing.T) {
	canaries, token := NewCanaries(), unspeakable()
	canaries.Add(AccessToken, "orders", token)
	for about, c := range map[string]struct {
		meant Meant
		found bool
	}{
		"in its owner's target Secret":     {Of("orders", AccessToken, IDToken), false},
		"in another's target Secret":       {Of("claims", AccessToken, IDToken), true},
		"in its owner's state Secret":      {Of("orders", RefreshToken), true},
		"where every token may be":         {Any(AccessToken), false},
		"where nothing secret is meant":    {Any(), true},
		"where other secrets may be found": {Any(Ticket, State), true},
	} {
		if found := canaries.Find([]byte("token="+token), c.meant); (len(found) > 0) != c.found {
			t.Errorf("%s: found %q", about, found)
		}
	}
}
