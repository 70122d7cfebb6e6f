package actors

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What a caller counts is what the end-to-end tests believe.
func TestACallerCountsWhatHappens(t *testing.T) {
	const reread, keeps = false, true
	for about, c := range map[string]struct {
		caches bool
		files  []string // what the file holds, call by call
		taken  string   // the one token that the resource server takes
		want   Tally
	}{
		"a live token":                   {reread, []string{"a", "a"}, "a", Tally{Calls: 2, Accepted: 2, Tokens: 1}},
		"a dead token":                   {reread, []string{"a", "b"}, "b", Tally{Calls: 2, Accepted: 1, Rejected: 1, Tokens: 2}},
		"a dead token, kept":             {keeps, []string{"a", "b"}, "b", Tally{Calls: 2, Accepted: 1, Rejected: 1, Reread: 1, Tokens: 2}},
		"a kept token that was renewed":  {keeps, []string{"a", "b"}, "a", Tally{Calls: 2, Accepted: 2, Tokens: 1}},
		"a server that has another ache": {reread, []string{"ill"}, "a", Tally{Calls: 1, Failed: 1, Tokens: 1, Failures: map[string]int{"Bad Gateway": 1}}},
	} {
		t.Run(about, func(t *testing.T) {
			player := newPlayer(t, c.taken)
			player.caches = c.caches
			for _, content := range c.files {
				player.write(t, content)
				if err := player.call(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			ignored := cmpopts.IgnoreFields(Tally{}, "Newest", "Rejections")
			if difference := cmp.Diff(c.want, player.book.sum, ignored, cmpopts.EquateEmpty()); difference != "" {
				t.Errorf("tally (-want +got):\n%s", difference)
			}
			if len(player.book.sum.Rejections) != c.want.Rejected {
				t.Errorf("rejections %+v, want %d", player.book.sum.Rejections, c.want.Rejected)
			}
		})
	}
}

func TestACallerThatKeepsATokenReadsItAnewWhenItIsRefused(t *testing.T) {
	player := newPlayer(t, "b")
	player.caches, player.held = true, "a"
	player.write(t, "b")
	if err := player.call(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sum := player.book.sum; sum.Accepted != 1 || sum.Reread != 1 || sum.Rejected != 0 {
		t.Errorf("tally %+v, want one call that was accepted after the file was read anew", sum)
	}
}

func TestATallyOutlivesItsCaller(t *testing.T) {
	player := newPlayer(t, "b")
	player.write(t, "a")
	if err := player.call(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := openBook(player.book.file)
	if err != nil || again.sum.Rejected != 1 || again.sum.Tokens != 1 {
		t.Errorf("tally %+v, %v; want the rejection of the caller before", again.sum, err)
	}
}

// newPlayer is a caller of a resource server that takes one token.
func newPlayer(t *testing.T, taken string) *caller {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Authorization") {
		case taken:
		case "ill":
			w.WriteHeader(http.StatusBadGateway)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	tally, err := openBook(filepath.Join(t.TempDir(), "tally.json"))
	if err != nil {
		t.Fatal(err)
	}
	return &caller{url: server.URL, folder: t.TempDir(), client: server.Client(), book: tally, out: io.Discard}
}

func (c *caller) write(t *testing.T, authorization string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.folder, "authorization"), []byte(authorization), 0o600); err != nil {
		t.Fatal(err)
	}
}
