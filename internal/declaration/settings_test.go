package declaration

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// credentialsSecret is one with these values and this mapping of keys.
func credentialsSecret(mapping string, data map[string]string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "client", Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials}},
		Data:       map[string][]byte{},
	}
	if mapping != "" {
		secret.Annotations = map[string]string{v1alpha1.KeysAnnotation: mapping}
	}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	return secret
}

func TestValuesOfACredentialsSecret(t *testing.T) {
	tests := map[string]struct {
		mapping    string
		data, want map[string]string
	}{
		"are taken as they are": {
			data: map[string]string{"client_id": "a", "client_secret": " b c\t"},
			want: map[string]string{"client_id": "a", "client_secret": " b c\t"},
		},
		"lose the newline that echo writes": {
			data: map[string]string{"client_secret": "b\n"}, want: map[string]string{"client_secret": "b"},
		},
		"lose the line ends that editors write": {
			data: map[string]string{"client_secret": "b\r\n\r\n"}, want: map[string]string{"client_secret": "b"},
		},
		"keep newlines inside, as PEM has them": {
			data: map[string]string{"saml_signing_key": "\nBEGIN\nAAAA\nEND\n"}, want: map[string]string{"saml_signing_key": "\nBEGIN\nAAAA\nEND"},
		},
		"that are empty, or nothing but newlines, are absent": {
			data: map[string]string{"client_id": "", "client_secret": "\r\n"}, want: map[string]string{},
		},
		"are found under mapped keys": {
			mapping: "client_id=CLIENT, client_secret=SECRET", data: map[string]string{"CLIENT": "a\n", "SECRET": "b"},
			want: map[string]string{"client_id": "a", "client_secret": "b"},
		},
		"may change places": {
			mapping: "client_id=client_secret,client_secret=client_id", data: map[string]string{"client_id": "a", "client_secret": "b"},
			want: map[string]string{"client_id": "b", "client_secret": "a"},
		},
		"may serve under two names": {
			mapping: "client_id=USER,username=USER", data: map[string]string{"USER": "a"},
			want: map[string]string{"client_id": "a", "username": "a"},
		},
		"under a mapped key count before one under the name itself": {
			mapping: "client_id=CLIENT", data: map[string]string{"CLIENT": "mapped", "client_id": "plain"},
			want: map[string]string{"client_id": "mapped"},
		},
		"under a mapped key that is empty don't give way to one under the name itself": {
			mapping: "client_id=CLIENT", data: map[string]string{"CLIENT": "", "client_id": "plain"}, want: map[string]string{},
		},
		"that are mapped don't serve under their own key as well": {
			mapping: "client_secret=tenant", data: map[string]string{"tenant": "b"}, want: map[string]string{"client_secret": "b"},
		},
		"of a mapping that is at fault in part are found as far as it is not": {
			mapping: "client_id=CLIENT,client_secret=LOST", data: map[string]string{"CLIENT": "a"}, want: map[string]string{"client_id": "a"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for key, value := range Credentials(credentialsSecret(test.mapping, test.data)) {
				got[key] = value.Reveal()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoSecretIsNoCredentials(t *testing.T) {
	if Credentials(nil) != nil {
		t.Error("an absent Secret gives credentials that could be checked")
	}
}

func TestFaultsOfAKeyMapping(t *testing.T) {
	data := map[string]string{"CLIENT": "SECRET-VALUE", "EMPTY": ""}
	tests := map[string]struct {
		mapping string
		want    []string // words that a sentence must hold, each in its place
	}{
		"none":                        {"client_id=CLIENT,client_secret=EMPTY", nil},
		"none without an annotation":  {"", nil},
		"blanks and newlines between": {"client_id = CLIENT", []string{"name=KEY", "name=KEY", "name=KEY"}},
		"no equals sign":              {"client_id", []string{"name=KEY pairs"}},
		"no name":                     {"=CLIENT", []string{"name=KEY pairs"}},
		"no key":                      {"client_id=", []string{"name=KEY pairs"}},
		"a key that is not there":     {"client_id=LOST", []string{"to a key that the Secret lacks: it must name a key, not a value"}},
		"a name twice":                {"client_id=CLIENT,client_id=EMPTY", []string{"maps client_id twice: keep one"}},
		"several at once":             {"client_id=LOST,password=", []string{"lacks", "name=KEY"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, faults := KeyMapping(credentialsSecret(test.mapping, data))
			if len(faults) != len(test.want) {
				t.Fatalf("faults: %q", faults)
			}
			for i, fault := range faults {
				if !strings.Contains(fault, test.want[i]) || !strings.Contains(fault, v1alpha1.KeysAnnotation) ||
					strings.Contains(fault, "SECRET-VALUE") {
					t.Errorf("fault %d is %q, want one with %q", i, fault, test.want[i])
				}
			}
		})
	}
}

func TestAValueThatCantBeSentIsNamedAndNotQuoted(t *testing.T) {
	catalogue, err := oauth.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	token := &v1alpha1.OAuthToken{Spec: v1alpha1.OAuthTokenSpec{
		Vendor: "genesys-cloud", Parameters: map[string]v1alpha1.ParameterValue{"region": "mypurecloud.de"},
	}}
	for name, value := range map[string]string{
		"binary data":      "\xff\xfe-canary",
		"a zero byte":      "canary\x00",
		"a value of 1 MiB": "canary" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			secret := credentialsSecret("", map[string]string{"client_id": "a", "client_secret": value})
			_, err := catalogue.Resolve(Settings(token, secret, Platform{}))
			var fault *oauth.ConfigError
			if !errors.As(err, &fault) || fault.Reason != oauth.ReasonCredentialsIncomplete {
				t.Fatalf("got %v", err)
			}
			if text := fault.Error(); !strings.Contains(text, "client_secret") || strings.Contains(text, "canary") || len(text) > 200 {
				t.Errorf("the fault is %.300q", text)
			}
		})
	}
}

func TestAllowedHostsAreThePlatformsAndTheSecretOwners(t *testing.T) {
	platform := Platform{AllowedHosts: append(make([]string, 0, 10), "login.acme.example")}
	secret := credentialsSecret("", nil)
	secret.Annotations = map[string]string{v1alpha1.AllowedHostsAnnotation: " a.example,*.b.example:8443 ,\n,c.example"}
	got := Settings(&v1alpha1.OAuthToken{}, secret, platform).AllowedHosts
	want := []string{"login.acme.example", "a.example", "*.b.example:8443", "c.example"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if alone := Settings(&v1alpha1.OAuthToken{}, nil, platform).AllowedHosts; len(alone) != 1 || slices.Contains(platform.AllowedHosts[:2], "a.example") {
		t.Errorf("one Secret's hosts are allowed to another: %q", alone)
	}
}

func TestSettingsShareNothingWithTheSecret(t *testing.T) {
	secret := credentialsSecret("client_id=CLIENT", map[string]string{"CLIENT": "a", "client_secret": "b\n"})
	before := secret.DeepCopy()
	Credentials(secret)
	if !maps.EqualFunc(before.Data, secret.Data, bytes.Equal) {
		t.Error("reading a Secret changed the cache's copy")
	}
}
