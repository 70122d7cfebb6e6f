package oauth

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unsigned is a JWT whose signature is worth nothing, as nobody looks at it here.
func unsigned(payload string) Sensitive {
	encode := base64.RawURLEncoding.EncodeToString
	return NewSensitive(encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode([]byte(payload)) + ".c2ln")
}

func TestOnlyHarmlessClaimsAreShown(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, test := range map[string]struct {
		payload string
		want    []Claim
	}{
		"who, for whom and until when": {
			`{"iss":"https://login.example.com","sub":"ada","aud":["a","b"],"scope":"read write","iat":1893456000,"exp":1893459600,"jti":"id"}`,
			[]Claim{
				{"iss", "https://login.example.com"},
				{"sub", "ada"},
				{"aud", "a b"},
				{"scope", "read write"},
				{"iat", "2030-01-01T00:00:00Z"},
				{"exp", "2030-01-01T01:00:00Z"},
			},
		},
		"nothing that only the vendor knows": {`{"password":"canary","session":"canary"}`, nil},
		"one that is odd":                    {`{"exp":"soon","sub":{"a":1}}`, []Claim{{"sub", "map[a:1]"}, {"exp", "soon"}}},
		"one that is long":                   {`{"sub":"` + long + `"}`, []Claim{{"sub", long[:maxClaim] + "…"}}},
		"one that breaks the line":           {`{"sub":"a\n\tb"}`, []Claim{{"sub", "a b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, UnverifiedClaims(unsigned(test.payload))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestATokenThatIsNoJWTHasNoClaims(t *testing.T) {
	for _, token := range []string{"", "opaque", "a.b.c", "a.b.c.d.e", unsigned("[]").Reveal(), unsigned("").Reveal()} {
		if claims := UnverifiedClaims(NewSensitive(token)); claims != nil {
			t.Errorf("%q has claims %v", token, claims)
		}
	}
}
