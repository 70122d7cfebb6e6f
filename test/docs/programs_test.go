package docs_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/kubetest"
)

// TestThePagesProgramsSurviveARenewal runs each program of docs/using-tokens.md. Its first request meets the moment in which its token has
// ended and the kubelet brings the next one.
func TestThePagesProgramsSurviveARenewal(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "using-tokens.md"))
	if err != nil {
		t.Fatal(err)
	}
	programs := parse("docs/using-tokens.md", source).programs
	for language, program := range map[string]struct {
		file string
		run  []string
	}{
		"sh":     {"sample.sh", []string{"sh"}},
		"python": {"sample.py", []string{"python3"}},
		"js":     {"sample.mjs", []string{"node"}},
		"go":     {"sample.go", []string{"go", "run"}},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			if len(programs[language]) != 1 {
				t.Fatalf("the page has %d programs in %s", len(programs[language]), language)
			}
			folder := t.TempDir()
			server, asked := newRenewal(t, filepath.Join(folder, "authorization"))
			text := strings.NewReplacer("/var/run/secrets/sfr", folder, "https://api.example.com", server).Replace(programs[language][0])
			file := filepath.Join(folder, program.file)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), program.run[0], append(program.run[1:], file)...)
			command.Dir = folder
			out, err := command.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if diff := cmp.Diff("two orders", strings.TrimSpace(string(out))); diff != "" {
				t.Errorf("the output (-want +got):\n%s", diff)
			}
			if asked.Load() != 2 {
				t.Errorf("it made %d requests, want 2", asked.Load())
			}
		})
	}
}

// newRenewal is an API that refuses the token in a file, and replaces it meanwhile, as a kubelet does. It counts requests.
func newRenewal(t *testing.T, file string) (address string, asked *atomic.Int32) {
	t.Helper()
	write := func(header string) {
		if err := os.WriteFile(file+".new", []byte(header), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Error(err)
		}
	}
	write("Bearer old")
	asked = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/orders" || r.Header.Get("Authorization") != "Bearer new" {
			write("Bearer new")
			http.Error(w, "the token has ended", http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte("two orders"))
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}
