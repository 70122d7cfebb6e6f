package oauthtest_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

func TestOverridesPointTheCatalogueHere(t *testing.T) {
	s := oauthtest.Serve(t)
	loaded := catalogue(t, s)
	got := map[string]string{}
	for _, name := range loaded.Names() {
		vendor, _ := loaded.Vendor(name)
		got[name] = strings.Replace(vendor.Endpoints.TokenURL, s.URL(), "HERE", 1)
	}
	want := map[string]string{
		"abbyy-vantage":             "HERE/abbyy/auth2[/{tenant_id}]/connect/token",
		"bright-pattern":            "HERE/bright/configapi/v2/oauth/token",
		"generic":                   "",
		"genesys-cloud":             "HERE/genesys/oauth/token",
		"sfr-global-contact-center": "HERE/sfr/identity/connect/token",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token URLs (-want +got):\n%s", diff)
	}
}

func TestOverridesLeaveOutWhatIsNotPlayedHere(t *testing.T) {
	s := oauthtest.Serve(t)
	overrides, err := s.Overrides(fstest.MapFS{
		"other.yaml":   {Data: []byte("name: other\nendpoints:\n  tokenURL: https://other.example/token\n")},
		"generic.yaml": {Data: []byte("name: generic\ngrants: {}\n")},
		"sfr.yaml":     {Data: []byte("name: sfr-global-contact-center\nendpoints:\n  tokenURL: 'https://x.example/token'\n")},
		"README.md":    {Data: []byte("name: genesys-cloud\n  tokenURL: https://x.example/token\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"sfr.yaml"}, slices.Collect(maps.Keys(overrides))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got, want := string(overrides["sfr.yaml"]), "tokenURL: '"+s.URL()+"/sfr/token'"; !strings.Contains(got, want) {
		t.Errorf("%s\nhas no %s", got, want)
	}
}

func TestURLsOfEndpoints(t *testing.T) {
	s := oauthtest.New()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	want := []string{"/generic/oauth2/revoke", "/abbyy/auth2/connect/revocation", "", "/generic", "/abbyy/auth2"}
	got := []string{
		s.RevocationURL(oauthtest.Generic), s.RevocationURL(oauthtest.ABBYY), s.RevocationURL(oauthtest.SFR),
		s.IssuerURL(oauthtest.Generic), s.IssuerURL(oauthtest.ABBYY),
	}
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], s.URL())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("URLs (-want +got):\n%s", diff)
	}
	for _, issuer := range []oauthtest.Vendor{oauthtest.Generic, oauthtest.ABBYY} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.IssuerURL(issuer)+"/.well-known/openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: discovery answers %d", issuer, answer.StatusCode)
		}
	}
}
