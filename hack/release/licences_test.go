package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unlisted is a well-known licence that is not in the list: 0BSD.
const unlisted = `Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY
AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM
LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR
OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
PERFORMANCE OF THIS SOFTWARE.
`

func TestIdentify(t *testing.T) {
	apache, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text, fault string
		want        []string
	}{
		"a licence in the list":                   {string(apache), "", []string{"Apache-2.0"}},
		"a licence beyond the list":               {unlisted, "not allowed", []string{"0BSD"}},
		"both in one file":                        {string(apache) + "\n" + unlisted, "not allowed", []string{"Apache-2.0", "0BSD"}},
		"words of somebody's own":                 {"Use it well, but never on a Monday.", "not a known licence", nil},
		"a licence with many conditions added":    {string(apache) + strings.Repeat("And never on a Monday, nor on a Tuesday in spring.\n", 200), "not a known licence", []string{"Apache-2.0"}},
		"an address alone, which says no licence": {"https://opensource.org/licenses/MIT", "not a known licence", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, fault := identify([]byte(test.text))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if (test.fault == "") != (fault == "") || !strings.Contains(fault, test.fault) {
				t.Errorf("fault %q, want %q", fault, test.fault)
			}
		})
	}
}

func TestComponentsAreReadFromTheirFolders(t *testing.T) {
	top := t.TempDir()
	forked := filepath.Join(top, "third_party", "forked")
	for file, text := range map[string]string{
		"LICENSE": unlisted, "NOTICE.txt": "Made by Ada.", "license.go": "package x", "third_party/forked/COPYING": "Ask Grace.",
	} {
		path := filepath.Join(top, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]bool{}
	if err := addLicenceFiles(files, forked, top); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{
		filepath.Join(top, "LICENSE"): true, filepath.Join(top, "NOTICE.txt"): true, filepath.Join(forked, "COPYING"): true,
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	_, err := read(map[string]component{top: {Path: "example.com/x"}, "/empty": {Path: "example.com/empty"}}, map[string]map[string]bool{top: files})
	for _, part := range []string{
		"example.com/x: LICENSE is under 0BSD, which is not allowed",
		"example.com/x: third_party/forked/COPYING is not a known licence",
		"example.com/empty: has no licence file",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want %q", err, part)
		}
	}
}

func TestNoticesHandOnEachTextOnce(t *testing.T) {
	got := notices([]component{
		{Path: "example.com/a", Version: "v1.0.0", Texts: []string{"Be kind.\n"}},
		{Path: "example.com/b", Version: "v2.0.0", Texts: []string{"\nBe kind. \r\n", "Made by Ada."}},
		{Path: "std", Version: "1.26.8", Texts: []string{"Be free."}},
	})
	_, got, _ = strings.Cut(got, "\n\n")
	line := strings.Repeat("=", 100)
	want := line + "\n\nexample.com/a\nexample.com/b\n\nBe kind.\n\n" + line + "\n\nexample.com/b\n\nMade by Ada.\n\n" +
		line + "\n\nthe Go standard library\n\nBe free.\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
