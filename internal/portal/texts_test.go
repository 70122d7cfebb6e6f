package portal

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/consent"
)

func TestEveryLanguageSaysTheSame(t *testing.T) {
	values := regexp.MustCompile(`\{\d\}`)
	all := loadTexts().languages
	for _, l := range all[1:] {
		if diff := cmp.Diff(slices.Sorted(maps.Keys(all[0].texts)), slices.Sorted(maps.Keys(l.texts))); diff != "" {
			t.Errorf("keys of %s (-en +%s):\n%s", l.tag, l.tag, diff)
		}
		for key, text := range l.texts {
			used := func(text string) []string {
				return slices.Compact(slices.Sorted(slices.Values(values.FindAllString(text, -1))))
			}
			if diff := cmp.Diff(used(all[0].texts[key]), used(text)); diff != "" {
				t.Errorf("values in %s of %s (-en +%s):\n%s", key, l.tag, l.tag, diff)
			}
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s of %s is empty", key, l.tag)
			}
		}
	}
}

func TestEveryTextThatIsUsedIsThere(t *testing.T) {
	texts := loadTexts()
	quoted := regexp.MustCompile(`"([a-z]+\.[a-z]+)"`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("pages/*.html")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range append(files, pages...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range quoted.FindAllStringSubmatch(string(content), -1) {
			if strings.HasSuffix(match[1], ".html") || strings.HasSuffix(match[1], ".css") || strings.HasSuffix(match[1], ".js") {
				continue
			}
			if found++; !texts.has(match[1]) {
				t.Errorf("%s uses %s, which nobody has written", file, match[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d uses are found, so that this test says nothing", found)
	}
	for _, result := range []consent.Result{
		consent.Completed, consent.Denied, consent.Refused, consent.ExchangeFailed, consent.Interrupted, consent.CodeExpired,
		consent.SubjectMismatch, consent.SpecChanged,
	} {
		for _, part := range []string{"heading", "text"} {
			if key := "outcome." + string(result) + "." + part; !texts.has(key) {
				t.Errorf("nobody has written %s", key)
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"https://tokens.example.com":        "https://tokens.example.com",
		"https://tokens.example.com/":       "https://tokens.example.com",
		"http://localhost:8085/a/b/":        "http://localhost:8085/a/b",
		"":                                  "",
		"tokens.example.com":                "",
		"ftp://tokens.example.com":          "",
		"https://":                          "",
		"https://user@tokens.example.com":   "",
		"https://tokens.example.com?a=b":    "",
		"https://tokens.example.com?":       "",
		"https://tokens.example.com#x":      "",
		"https://tokens.example.com#":       "",
		"https://tokens.example.com/a/../b": "",
		"https://tokens.example.com//a":     "",
		"https://tokens.example.com/%2e":    "",
	} {
		parsed, err := ParseURL(text)
		got := ""
		if err == nil {
			got = parsed.String()
		}
		if got != want {
			t.Errorf("%q is read as %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestPagesPrintWithoutTheirValues(t *testing.T) {
	text, err := json.Marshal(loadTexts().languages[0].text("ask.text", []string{"a", "b", "\u2069c\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\u2068c\u2069") {
		t.Errorf("a value is not isolated: %s", text)
	}
}
