package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	testVersion    = "v1.2.3"
	testRepository = "registry.example.com:5000/tokensync" // the port looks like a tag
	testNotes      = "- What a test says of it.\n"
)

// checkout is a git checkout of its own.
type checkout struct{ folder, commit string }

// newCheckout has this tree as it is, committed or not, in one commit: no history or tag of this one matters. CHANGELOG.md has a section for
// the test's version.
func newCheckout(t *testing.T) checkout {
	t.Helper()
	c := checkout{folder: filepath.Join(t.TempDir(), "tokensync")}
	copyTree(t, c.folder, ".")
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	section := "\n## [1.2.3] - 2026-01-02\n\n" + testNotes + "\n## [0.1.0]"
	if err := os.WriteFile(filepath.Join(c.folder, "CHANGELOG.md"), []byte(strings.Replace(string(changelog), "\n## [0.1.0]", section, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.git(t, "init", "--quiet")
	c.commitAll(t)
	return c
}

// copyTree copies what would be committed of some paths.
func copyTree(t *testing.T, to string, paths ...string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", append([]string{"ls-files", "-co", "--exclude-standard", "-z", "--"}, paths...)...)
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Fatal(withOutput(err))
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(files), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(root, name), filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed, and not committed yet
	} else if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// git runs it without the settings of whoever runs the test, at a time of its own.
func (c checkout) git(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", arguments...)
	command.Dir = c.folder
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com",
		"GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("git %q: %v", arguments, withOutput(err))
	}
	return strings.TrimSpace(string(out))
}

func (c *checkout) commitAll(t *testing.T) {
	t.Helper()
	c.git(t, "add", "--all", "--force")
	c.git(t, "commit", "--quiet", "--message=All of it")
	c.commit = c.git(t, "rev-parse", "HEAD")
}
