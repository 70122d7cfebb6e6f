package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/internal/oauth"
)

func TestWhatIsCompleted(t *testing.T) {
	d := newDesk(t)
	for words, want := range map[string]string{
		"":                               "status\tTell how tokens stand",
		"status ":                        "orders\n:4\n",
		"renew ":                         "orders\n:4\n",
		"suspend ":                       "orders\n:4\n",
		"resume ":                        "orders\n:4\n",
		"explain ":                       "abbyy-vantage\nbright-pattern\ngeneric\ngenesys-cloud\nsfr-global-contact-center\n:4\n",
		"explain genesys-cloud --grant ": "AuthorizationCode\nClientCredentials\nImplicit\nSAML2Bearer\n:4\n",
		"renew orders ":                  ":4\n",
		"list ":                          ":4\n",
		"completion ":                    "bash\t",
	} {
		said, exit := d.does(append([]string{"__complete"}, strings.Split(words, " ")...)...)
		wants(t, said, exit, want, 0)
	}
}

func TestEachShellHasAScript(t *testing.T) {
	for shell, want := range map[string]string{"bash": "complete ", "zsh": "#compdef kubectl-tokensync", "fish": "complete -c kubectl-tokensync", "powershell": "Register-ArgumentCompleter"} {
		var out bytes.Buffer
		command := newCommand(genericiooptions.IOStreams{In: &out, Out: &out, ErrOut: &out}, time.Now, nil)
		command.SetArgs([]string{"completion", shell})
		if err := command.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, no %q in %d bytes", shell, err, want, out.Len())
		}
	}
}

// kubectl completes a plugin's arguments with what the program kubectl_complete-NAME in PATH says.
func TestKubectlCompletesThePlugin(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "kubectl-tokensync"), ".")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	script, err := os.ReadFile("kubectl_complete-tokensync")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "kubectl_complete-tokensync"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	kubectl := exec.CommandContext(t.Context(), filepath.Join(kubetest.Assets(t), "kubectl"), "__complete", "tokensync", "explain", "gen")
	kubectl.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+bin)
	said, err := kubectl.Output()
	if err != nil || !strings.HasPrefix(string(said), "generic\ngenesys-cloud\n") {
		t.Errorf("%v:\n%s", err, said)
	}
}

func TestVendorsAreListed(t *testing.T) {
	d := newDesk(t)
	for arguments, want := range map[string]string{
		"vendors":         "genesys-cloud               Genesys Cloud                   AuthorizationCode,ClientCredentials*,Implicit,SAML2Bearer",
		"vendors -o name": "abbyy-vantage\nbright-pattern\ngeneric\ngenesys-cloud\nsfr-global-contact-center\n",
		"vendors -o json": `"tokenURL": "https://login.{region}/oauth/token"`,
		"vendors -o yaml": "tokenURL: https://login.{region}/oauth/token",
	} {
		said, exit := d.does(strings.Fields(arguments)...)
		wants(t, said, exit, want, 0)
	}
	said, exit := d.does("vendors", "-o", "table")
	wants(t, said, exit, `-o "table": use json, yaml or name`, 1)
}

func TestVendorsAreExplained(t *testing.T) {
	catalogue, err := oauth.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	for _, vendor := range entriesOf(catalogue) {
		var out strings.Builder
		if err := explain(&out, catalogue, vendor, grantsOf(vendor)); err != nil {
			t.Errorf("%s: %v", vendor.Name, err)
		}
		golden(t, "vendors/"+vendor.Name, out.String())
	}
	d := newDesk(t)
	said, exit := d.does("explain", "genesis")
	wants(t, said, exit, `error: vendor "genesis" is not in the catalogue: use one of abbyy-vantage`, 1)
	said, exit = d.does("explain", "genesys-cloud", "--grant=Password")
	wants(t, said, exit, `error: vendor genesys-cloud does not serve grant "Password": use one of AuthorizationCode`, 1)
	said, exit = d.does("explain", "genesys-cloud", "--grant=Implicit")
	wants(t, said, exit, "\n  grantType: Implicit\n", 0)
	said, exit = d.does("version")
	wants(t, said, exit, "kubectl-tokensync dev, commit unknown, go", 0)
}
