package controller

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

func testHasher() hasher {
	key := make([]byte, HashKeySize)
	for i := range key {
		key[i] = byte(i)
	}
	return hasher{key: key}
}

func secrets(pairs ...string) oauth.Credentials {
	credentials := oauth.Credentials{}
	for i := 0; i < len(pairs); i += 2 {
		credentials[pairs[i]] = oauth.NewSensitive(pairs[i+1])
	}
	return credentials
}

// everything is a statement with each of its members.
func everything() oauth.Settings {
	return oauth.Settings{
		Vendor: "generic", Grant: oauth.SAML2Bearer, Parameters: map[string]string{"b": "2", "a": "1"},
		AuthorizationParameters: map[string]string{"prompt": "consent"}, Scopes: []string{"x", "y"},
		Endpoints: oauth.Endpoints{
			TokenURL: "https://a.example/t", AuthorizationURL: "https://a.example/a", RevocationURL: "https://a.example/r", IssuerURL: "https://a.example",
		},
		ClientAuthentication: oauth.ClientSecretPost, CABundle: []byte("PEM"),
		SAML2Bearer: oauth.AssertionSettings{
			Issuer: "i", Subject: "s", Audience: "u", Recipient: "r", Attributes: map[string]string{"k": "v"}, Lifetime: 5 * time.Minute,
			Form: "Response", Encoding: "Base64",
		},
		Credentials:  secrets("client_id", "id", "client_secret", "secret", "not_used", "whatever"),
		AllowedHosts: []string{"a.example"}, EnableInteractive: true,
	}
}

// The values stand on target Secrets in clusters. A change here requests a token for every OAuthToken at the next upgrade: don't follow
// the code, mend it.
func TestFingerprintsStayTheSameForEver(t *testing.T) {
	tests := map[string]struct {
		settings oauth.Settings
		used     []string
		want     string
	}{
		"everything that can be stated": {
			everything(), []string{"client_id", "client_secret"}, "v1:uDGPiw.2wyNgnqCSvPHFYrPlWZa6g.RrttLrpNpMg1OH990mzFOw",
		},
		"what most people state": {
			oauth.Settings{Vendor: "genesys-cloud", Parameters: map[string]string{"region": "mypurecloud.de"}, Credentials: secrets("client_id", "id", "client_secret", "secret")},
			[]string{"client_id", "client_secret"},
			"v1:uDGPiw.JY36hlEHxAuU2CGu1sWuGg.RrttLrpNpMg1OH990mzFOw",
		},
		"credentials that are not known": {
			oauth.Settings{Vendor: "genesys-cloud", Parameters: map[string]string{"region": "mypurecloud.de"}}, nil, "v1:uDGPiw.JY36hlEHxAuU2CGu1sWuGg.",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := fingerprintOf(testHasher(), test.settings, test.used).String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAFingerprintComparesWhatIsKnown(t *testing.T) {
	h := testHasher()
	used := []string{"client_id", "client_secret"}
	of := func(change func(*oauth.Settings)) fingerprint {
		s := everything()
		change(&s)
		return fingerprintOf(h, s, used)
	}
	unchanged := func(*oauth.Settings) {}
	stated := of(unchanged)
	tests := map[string]struct {
		recorded             string
		same, sameSpec, ours bool
	}{
		"the same":          {of(unchanged).String(), true, true, true},
		"another spec":      {of(func(s *oauth.Settings) { s.Scopes = nil }).String(), false, false, true},
		"the scopes' order": {of(func(s *oauth.Settings) { slices.Reverse(s.Scopes) }).String(), false, false, true},
		"other credentials": {of(func(s *oauth.Settings) { s.Credentials["client_secret"] = oauth.NewSensitive("other") }).String(), false, true, true},
		"a key that is not used": {
			of(func(s *oauth.Settings) { s.Credentials["not_used"] = oauth.NewSensitive("other") }).String(), true, true, true,
		},
		"what the platform allows":  {of(func(s *oauth.Settings) { s.AllowedHosts, s.EnableImplicit = nil, true }).String(), true, true, true},
		"another revocation URL":    {of(func(s *oauth.Settings) { s.Endpoints.RevocationURL = "" }).String(), true, true, true},
		"another key":               {fingerprintOf(hasher{key: []byte("other")}, oauth.Settings{}, nil).String(), true, true, false},
		"another version":           {"v2:" + strings.TrimPrefix(of(func(s *oauth.Settings) { s.Scopes = nil }).String(), "v1:"), true, true, false},
		"nothing":                   {"", true, true, false},
		"an edited annotation":      {"v1:hello", true, true, false},
		"no credentials known then": {of(func(s *oauth.Settings) { s.Credentials = nil }).String(), false, true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := [3]bool{stated.same(test.recorded), stated.sameSpec(test.recorded), h.recognises(test.recorded)}
			if want := [3]bool{test.same, test.sameSpec, test.ours}; got != want {
				t.Errorf("same, same spec, recognised: got %v, want %v", got, want)
			}
		})
	}
	unknown := of(func(s *oauth.Settings) { s.Credentials = nil })
	if !unknown.same(stated.String()) {
		t.Error("while the credentials are away, the token counts as one for others")
	}
}

func TestValuesCantBeShiftedFromOneKeyToAnother(t *testing.T) {
	h, used := testHasher(), []string{"client_id", "client_secret"}
	a := fingerprintOf(h, oauth.Settings{Credentials: secrets("client_id", "ab", "client_secret", "c")}, used)
	b := fingerprintOf(h, oauth.Settings{Credentials: secrets("client_id", "a", "client_secret", "bc")}, used)
	if a == b {
		t.Error("two different clients have one fingerprint")
	}
}

// notInRequests are the fields of a spec whose change asks for no new token. A new field stands here, or in the statement of
// fingerprint.go.
func notInRequests() []string {
	return []string{
		"credentialsSecretRef.name", // the values count, wherever they stand
		"endpoints.revocationURL",
		"target.name", "target.type", "target.template.metadata.labels", "target.template.metadata.annotations", "target.template.data",
		"target.defaultKeys", "target.deletionPolicy",
		"renewal.renewBefore", "renewal.renewBeforePercentage", "renewal.maxTokenAge", "renewal.assumedLifetime", "renewal.refreshTokenLifetime",
		"revokeOnDelete", "suspend",
	}
}

func TestEveryFieldOfASpecShapesTheRequestOrIsListedAsOneThatDoesNot(t *testing.T) {
	hash := func(spec v1alpha1.OAuthTokenSpec) string {
		settings := declaration.Settings(&v1alpha1.OAuthToken{Spec: spec}, nil, declaration.Platform{})
		return fingerprintOf(testHasher(), settings, nil).spec
	}
	none := hash(v1alpha1.OAuthTokenSpec{})
	var silent []string
	for _, path := range leaves(reflect.TypeFor[v1alpha1.OAuthTokenSpec](), "") {
		var spec v1alpha1.OAuthTokenSpec
		fillLeaf(t, reflect.ValueOf(&spec).Elem(), strings.Split(path, "."))
		if hash(spec) == none {
			silent = append(silent, path)
		}
	}
	want := notInRequests()
	slices.Sort(want)
	slices.Sort(silent)
	if diff := cmp.Diff(want, silent); diff != "" {
		t.Errorf("fields that shape no request (-listed +found):\n%s", diff)
	}
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// leaves are the JSON paths of all fields of a struct that are no structs.
func leaves(structure reflect.Type, prefix string) []string {
	var paths []string
	for field := range structure.Fields() {
		kind := field.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if path := prefix + jsonName(field); kind.Kind() == reflect.Struct {
			paths = append(paths, leaves(kind, path+".")...)
		} else {
			paths = append(paths, path)
		}
	}
	return paths
}

// fillLeaf puts a value into one field, and makes the structs around it.
func fillLeaf(t *testing.T, into reflect.Value, path []string) {
	t.Helper()
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		fillLeaf(t, into.Elem(), path)
	case reflect.Struct:
		for i := range into.NumField() {
			if jsonName(into.Type().Field(i)) == path[0] {
				fillLeaf(t, into.Field(i), path[1:])
			}
		}
	case reflect.String:
		into.SetString("90s") // a word, and a duration as well
	case reflect.Bool:
		into.SetBool(true)
	case reflect.Int32, reflect.Int64:
		into.SetInt(7)
	case reflect.Uint8:
		into.SetUint('x')
	case reflect.Slice:
		into.Set(reflect.MakeSlice(into.Type(), 1, 1))
		fillLeaf(t, into.Index(0), nil)
	case reflect.Map:
		value := reflect.New(into.Type().Elem()).Elem()
		fillLeaf(t, value, nil)
		into.Set(reflect.MakeMap(into.Type()))
		into.SetMapIndex(reflect.ValueOf("key"), value)
	default:
		t.Fatalf("a field of a kind that this test does not know: %s", into.Kind())
	}
}
