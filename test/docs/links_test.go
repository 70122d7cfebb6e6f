package docs_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/kubetest"
)

// site is where the pages of docs/ are published, without their .md.
const site = "https://tokensync.dev/docs/"

// tree is what links can lead to.
type tree struct {
	files map[string]bool
	pages map[string]*page
}

func TestLinks(t *testing.T) {
	all := tree{files: project(t), pages: pages(t)}
	for file, p := range all.pages {
		t.Run(file, func(t *testing.T) {
			for _, link := range p.links {
				if fault := all.fault(p, link); fault != "" {
					t.Errorf("%s: %s", link, fault)
				}
			}
		})
	}
}

// published finds addresses of the documentation wherever they stand: in alerts, in code, in a chart.
var published = regexp.MustCompile(regexp.QuoteMeta(site) + `([A-Za-z0-9/_-]|\.[A-Za-z0-9])+(#[A-Za-z0-9_-]+)?`)

func TestAddressesOfTheDocumentation(t *testing.T) {
	all := tree{files: project(t), pages: pages(t)}
	for file := range all.files {
		content, err := os.ReadFile(filepath.Join(kubetest.Root(), file))
		if err != nil || bytes.IndexByte(content, 0) >= 0 {
			continue // a picture
		}
		for _, address := range published.FindAllString(string(content), -1) {
			if fault := all.faultOfPublished(address); fault != "" {
				t.Errorf("%s: %s: %s", file, address, fault)
			}
		}
	}
}

func TestEachPageCanBeFoundFromTheIndex(t *testing.T) {
	all := tree{files: project(t), pages: pages(t)}
	const index = "docs/README.md"
	if all.pages[index] == nil {
		t.Fatalf("there is no %s", index)
	}
	reached := map[string]bool{}
	all.follow(index, reached)
	for file := range all.pages {
		if strings.HasPrefix(file, "docs/") && !strings.HasPrefix(file, "docs/design/") && !reached[file] {
			t.Errorf("no link leads from %s to %s", index, file)
		}
	}
}

// follow marks the pages that links lead to.
func (all tree) follow(file string, reached map[string]bool) {
	if reached[file] || all.pages[file] == nil {
		return
	}
	reached[file] = true
	for _, link := range all.pages[file].links {
		if target, _, _ := strings.Cut(link, "#"); target != "" && !strings.Contains(target, ":") {
			all.follow(path.Join(path.Dir(file), target), reached)
		}
	}
}

// fault says what is wrong with a link; empty: nothing. What is outside of the project is not asked: a test must not depend on it.
func (all tree) fault(from *page, link string) string {
	u, err := url.Parse(link)
	switch {
	case err != nil:
		return "is no URL"
	case strings.HasPrefix(link, site):
		return all.faultOfPublished(link)
	case u.Scheme == "https" && strings.Contains(u.Host, ".") && u.User == nil:
		return ""
	case u.Scheme != "" || u.Host != "":
		return "must be https, or relative"
	case strings.HasPrefix(u.Path, "/"):
		return "must be relative to its page"
	case u.Path == "":
		return all.faultOfAnchor(from.path, u.Fragment)
	}
	target := path.Join(path.Dir(from.path), u.Path)
	if all.pages[target] != nil {
		return all.faultOfAnchor(target, u.Fragment)
	}
	if !all.files[target] && !all.isFolder(target) {
		return "there is no " + target
	}
	return ""
}

func (all tree) faultOfPublished(address string) string {
	name, anchor, _ := strings.Cut(strings.TrimPrefix(address, site), "#")
	if path.Ext(name) != "" && all.files["docs/"+name] { // a picture
		return ""
	}
	file := "docs/" + strings.TrimSuffix(name, "/") + ".md"
	if all.pages[file] == nil {
		return "there is no " + file
	}
	return all.faultOfAnchor(file, anchor)
}

func (all tree) faultOfAnchor(file, anchor string) string {
	if anchor != "" && !all.pages[file].anchors[anchor] {
		return fmt.Sprintf("%s has no heading for #%s", file, anchor)
	}
	return ""
}

func (all tree) isFolder(name string) bool {
	for file := range all.files {
		if strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// TestTheJudgeOfLinks shows that faults are found at all.
func TestTheJudgeOfLinks(t *testing.T) {
	here := parse("docs/here.md", []byte("# A heading: `code` & more\n\n## Same\n\n## Same\n\n<a id=\"own\"></a>\n\n"+
		"[a](there.md) ![b](images/x.png) <https://example.com/> <img src=\"images/y.svg\">\n\n```yaml\nkind: A\n```\n\n    [not](a.link)\n"))
	want := &page{
		path: "docs/here.md", anchors: map[string]bool{"a-heading-code--more": true, "same": true, "same-1": true, "own": true},
		links: []string{"there.md", "images/x.png", "https://example.com/", "images/y.svg"}, programs: map[string][]string{"yaml": {"kind: A\n"}},
	}
	slices.Sort(here.links)
	slices.Sort(want.links)
	if diff := cmp.Diff(want, here, cmp.AllowUnexported(page{})); diff != "" {
		t.Fatalf("the page (-want +got):\n%s", diff)
	}
	there := parse("docs/there.md", []byte("# There"))
	all := tree{
		files: map[string]bool{"docs/here.md": true, "docs/there.md": true, "docs/images/x.png": true, "hack/run.sh": true},
		pages: map[string]*page{"docs/here.md": here, "docs/there.md": there},
	}
	for link, want := range map[string]string{
		"there.md": "", "there.md#there": "", "#same-1": "", "images/x.png": "", "../hack": "", "https://example.com/a#b": "",
		site + "there#there": "", site + "images/x.png": "",
		site + "images/y.png":       "there is no docs/images/y.png.md",
		"there.md#Where":            "docs/there.md has no heading for #Where",
		"#own2":                     "docs/here.md has no heading for #own2",
		"images/X.png":              "there is no docs/images/X.png",
		"nowhere.md":                "there is no docs/nowhere.md",
		"/docs/there.md":            "must be relative to its page",
		"http://example.com/":       "must be https, or relative",
		"https://localhost":         "must be https, or relative",
		"https://a b":               "is no URL",
		site + "nowhere":            "there is no docs/nowhere.md",
		site + "there#invalidgrant": "docs/there.md has no heading for #invalidgrant",
	} {
		if got := all.fault(here, link); got != want {
			t.Errorf("%s: the fault is %q, want %q", link, got, want)
		}
	}
}
