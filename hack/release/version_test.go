package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseVersion(t *testing.T) {
	for text, valid := range map[string]bool{
		"v0.1.0": true, "v10.20.30": true, "v1.0.0-rc.1": true, "v1.0.0-alpha.12": true,
		"": false, "0.1.0": false, "v1": false, "v1.2": false, "v01.0.0": false, "v1.0.0-rc1": false, "v1.0.0-dirty": false, "v1.0.0+build": false,
		"v1.0.0\n": false, "../v1.0.0": false,
	} {
		got, err := parseVersion(text)
		if (err == nil) != valid || (valid && string(got) != text) {
			t.Errorf("parseVersion(%q) = %q, %v", text, got, err)
		}
	}
}

func TestNotes(t *testing.T) {
	const changelog = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Soon.\n\n## [0.2.0] - 2026-02-01\n\n### Added\n\n- A thing.\n\n" +
		"## [0.1.1] - 2026-01-02\n\n## [0.1.0] - 2026-01-01\n\n- All of it.\n\n[0.1.0]: https://tokensync.example/0.1.0\n"
	for name, test := range map[string]struct {
		version version
		want    string
		fault   string
	}{
		"a section ends at the next":          {"v0.2.0", "### Added\n\n- A thing.\n", ""},
		"the last one ends at the links":      {"v0.1.0", "- All of it.\n", ""},
		"a section that is missing":           {"v0.3.0", "", "no section for v0.3.0"},
		"a version that another begins with":  {"v0.2.0-rc.1", "", "no section for v0.2.0-rc.1"},
		"a point is a point":                  {"v0.1x0", "", "no section"},
		"a section that says nothing at all":  {"v0.1.1", "", "is empty"},
		"what is not released is never taken": {"vUnrelease", "", "no section"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := notes(changelog, test.version)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (test.fault == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), test.fault)) {
				t.Errorf("error %v, want %q", err, test.fault)
			}
		})
	}
}

// TestWhatIsNotReleased asks in small checkouts: what could not be built again is refused.
func TestWhatIsNotReleased(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, c *checkout, file string)
		fault  string
	}{
		"a commit without a tag":           {func(*testing.T, *checkout, string) {}, ""},
		"a commit that has the tag":        {func(t *testing.T, c *checkout, _ string) { t.Helper(); c.git(t, "tag", testVersion) }, ""},
		"a commit that has another's tags": {func(t *testing.T, c *checkout, _ string) { t.Helper(); c.git(t, "tag", "v1.2.2") }, ""},
		"a file that is changed":           {write, "the tree differs from its commit"},
		"a tag that is another commit's": {func(t *testing.T, c *checkout, file string) {
			t.Helper()
			c.git(t, "tag", testVersion)
			write(t, c, file)
			c.commitAll(t)
		}, testVersion + " is already the tag of commit"},
	} {
		t.Run(name, func(t *testing.T) {
			c := checkout{folder: t.TempDir()}
			below := filepath.Join(c.folder, "hack", "release") // where root is the checkout
			if err := os.MkdirAll(below, 0o700); err != nil {
				t.Fatal(err)
			}
			t.Chdir(below)
			write(t, &c, "first")
			c.git(t, "init", "--quiet")
			c.commitAll(t)
			test.change(t, &c, "second")
			got, err := headCommit(t.Context(), testVersion)
			if (test.fault == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), test.fault)) {
				t.Errorf("error %v, want %q", err, test.fault)
			}
			if err == nil && (got.hash != c.commit || got.time.Unix() != 1767323045) {
				t.Errorf("the commit is %+v, want %s", got, c.commit)
			}
		})
	}
}

func write(t *testing.T, c *checkout, file string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.folder, file), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
