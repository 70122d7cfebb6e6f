package oauth

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEmbeddedEntriesAreNamedAsTheirFiles(t *testing.T) {
	files, err := embedded.ReadDir("vendors")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, file := range files {
		want = append(want, strings.TrimSuffix(file.Name(), ".yaml"))
	}
	if diff := cmp.Diff(want, mustLoad(t, "").Names()); diff != "" {
		t.Errorf("names (-files +entries):\n%s", diff)
	}
}

// TestEveryFaultOfEveryEntryIsNamed compares with testdata/vendors-bad.txt, which reads like what an administrator sees.
func TestEveryFaultOfEveryEntryIsNamed(t *testing.T) {
	_, err := LoadCatalogue("testdata/vendors-bad")
	if err == nil {
		t.Fatal("no error")
	}
	const golden = "testdata/vendors-bad.txt"
	got := err.Error() + "\n"
	if *update {
		if err = os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

const acmeEntry = `
name: acme
title: Acme
clientAuthentication: ClientSecretBasic
endpoints: {tokenURL: "https://login.acme.example/token"}
grants: {ClientCredentials: {}}
`

func TestADirectoryAddsAndReplacesEntries(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "acme.yml"), acmeEntry)
	writeFile(t, filepath.Join(dir, "sfr.json"), `{"name": "sfr-global-contact-center", "title": "Ours", "clientAuthentication": "None",
		"endpoints": {"tokenURL": "https://127.0.0.1:8443/token"}, "grants": {"Password": {}}}`)
	catalogue := mustLoad(t, dir)
	want := slices.Sorted(slices.Values(append(mustLoad(t, "").Names(), "acme")))
	if diff := cmp.Diff(want, catalogue.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if vendor, ok := catalogue.Vendor("sfr-global-contact-center"); !ok || vendor.Title != "Ours" || len(vendor.Parameters) != 0 {
		t.Errorf("the entry is not replaced as a whole: %+v", vendor)
	}
	flow, err := catalogue.Resolve(Settings{Vendor: "sfr-global-contact-center", Credentials: client()})
	if err != nil || flow.Endpoints.TokenURL != "https://127.0.0.1:8443/token" {
		t.Errorf("an entry's own host needs no permission: %v, %v", flow, err)
	}
}

func TestAMountedConfigMapIsRead(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "..2026_03_04_05_06_07.123456789")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(data, "acme.yaml"), acmeEntry)
	for link, target := range map[string]string{"..data": filepath.Base(data), "acme.yaml": filepath.Join("..data", "acme.yaml")} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, ok := mustLoad(t, dir).Vendor("acme"); !ok {
		t.Error("the entry is not read")
	}
}

func TestADirectoryThatCanNotBeReadIsAnError(t *testing.T) {
	if _, err := LoadCatalogue(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent directory is taken for an empty one")
	}
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "gone.yaml")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "large.yaml"), acmeEntry+"#"+strings.Repeat("x", largestEntry))
	_, err := LoadCatalogue(dir)
	if err == nil || !strings.Contains(err.Error(), "gone.yaml: can't be read") || !strings.Contains(err.Error(), "large.yaml: is larger than 1 MiB") {
		t.Errorf("error %v", err)
	}
}

func TestASecondEntryUsesWhatTheSchemaOffers(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "acme.yaml"), `
name: acme
title: Acme
clientAuthentication: ClientSecretBasic
rawBasic: true
parameters:
  edition: {description: The edition., default: new, values: [{value: new}, {value: old}]}
  project:
    description: The project.
    placements:
      - {request: Token, as: project, when: {edition: [new]}}
      - {request: Token, as: project_id, when: {edition: [old]}}
endpoints:
  tokenURL: https://login.acme.example/token
  revocationURL: https://login.acme.example/revoke
grants:
  ClientCredentials: {tokenParameters: {resource: everything}}
  RefreshToken: {clientAuthentication: None}
lifetimes: {assumed: 90m}
refreshTokenRotation: Static
failureHints: {invalid_client: Look there.}
`)
	catalogue := mustLoad(t, dir)
	settings := Settings{
		Vendor: "acme", Grant: ClientCredentials, Parameters: map[string]string{"edition": "old", "project": "p"},
		Credentials: credentials(map[string]string{"client_id": "i+d", "client_secret": "s+s", "refresh_token": "r"}),
	}
	flow, err := catalogue.Resolve(settings)
	if err != nil {
		t.Fatal(err)
	}
	request := mustTokenRequest(t, flow)
	if got, want := request.body.Reveal(), "grant_type=client_credentials&project_id=p&resource=everything"; got != want {
		t.Errorf("body %q, want %q", got, want)
	}
	if request.authorization.Reveal() != "Basic aStkOnMrcw==" { // i+d:s+s
		t.Errorf("authorization %q", request.authorization.Reveal())
	}
	if flow.RefreshTokenRotation() != RotationNo || flow.AssumedLifetime().String() != "1h30m0s" || request.hints["invalid_client"] == "" {
		t.Error("facts are missing")
	}
	if got, want := flow.RefreshRequest(NewSensitive("r")).body.Reveal(), "grant_type=refresh_token&refresh_token=r"; got != want {
		t.Errorf("refresh body %q, want %q", got, want)
	}
	settings.Grant = RefreshToken
	if flow, err = catalogue.Resolve(settings); err != nil || flow.ClientAuthentication != None {
		t.Errorf("client authentication of the grant: %v", err)
	}
}

func TestANameThatWouldBeSentTwiceIsAFault(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "acme.yaml"), acmeEntry+`
acceptsAnyParameter: true
parameters:
  project: {description: The project., placements: [{request: Token, as: project_id}]}
`)
	catalogue := mustLoad(t, dir)
	_, err := catalogue.Resolve(Settings{
		Vendor: "acme", Parameters: map[string]string{"project": "a", "project_id": "b"}, Credentials: client(),
	})
	wantFault(t, err, ReasonInvalidSpec, "parameter project_id would be sent twice: state it once")
}

func TestAHostIsNotMadeOfTheSpecsAndTheSecretsValues(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "acme.yaml"), `
name: acme
title: Acme
clientAuthentication: ClientSecretBasic
parameters:
  tenant: {description: The tenant., required: true}
  domain: {description: The domain., required: true}
endpoints: {tokenURL: "https://{tenant}.{domain}/token"}
grants: {ClientCredentials: {}}
`)
	catalogue := mustLoad(t, dir)
	_, err := catalogue.Resolve(Settings{
		Vendor: "acme", Parameters: map[string]string{"domain": "evil.example"}, Credentials: client("tenant", "hidden-tenant"),
	})
	wantFault(t, err, ReasonEndpointNotAllowed, "the vendor's tokenURL: its host must not be made of values from spec.parameters and")
	if strings.Contains(err.Error(), "hidden-tenant") {
		t.Errorf("the error shows a value of the Secret: %v", err)
	}
	flow, err := catalogue.Resolve(Settings{Vendor: "acme", Credentials: client("tenant", "hidden-tenant", "domain", "acme.example")})
	if err != nil || flow.Endpoints.TokenURL != "https://hidden-tenant.acme.example/token" {
		t.Errorf("a host that the Secret holds as a whole: %v", err)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzCatalogue: no entry makes the program fail, and an entry without faults resolves or says what the user has to state.
func FuzzCatalogue(f *testing.F) {
	for _, pattern := range []string{"vendors/*.yaml", "testdata/vendors-bad/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds: %v", err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		vendor, faults := parseVendor(text)
		if len(faults) > 0 {
			return
		}
		catalogue := &Catalogue{vendors: map[string]*Vendor{vendor.Name: vendor}}
		parameters := make(map[string]string)
		for name, parameter := range vendor.Parameters {
			parameters[name] = "x"
			if len(parameter.Values) > 0 {
				parameters[name] = parameter.Values[0].Value
			}
		}
		for grant := range vendor.Grants {
			flow, err := catalogue.Resolve(Settings{
				Vendor: vendor.Name, Grant: grant, Parameters: parameters, Credentials: client("refresh_token", "r", "assertion", "a"),
				AllowedHosts: []string{"x", "*.example"}, EnableInteractive: true, EnableImplicit: true,
			})
			if err != nil || grant.interactive() {
				continue
			}
			if request := mustTokenRequest(t, flow); request.body.IsEmpty() || (request.URL == "") != flow.NeedsDiscovery() {
				t.Errorf("%s %s: a request to %q", vendor.Name, grant, request.URL)
			}
		}
	})
}
