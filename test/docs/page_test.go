package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"tokensync.dev/tokensync/internal/kubetest"
)

// page is a Markdown file of the project, as far as others lean on it.
type page struct {
	path     string              // from the project's top folder
	anchors  map[string]bool     // of headings, as GitHub makes them, and of HTML elements
	links    []string            // destinations of links and images
	programs map[string][]string // fenced blocks, by language
}

// project lists what would be committed, by path from the top folder.
func project(t *testing.T) map[string]bool {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = kubetest.Root()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]bool{}
	for file := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(kubetest.Root(), file)); err == nil && info.Mode().IsRegular() {
			files[file] = true
		}
	}
	return files
}

// pages are all Markdown files, by path.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	found := map[string]*page{}
	for file := range project(t) {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		source, err := os.ReadFile(filepath.Join(kubetest.Root(), file))
		if err != nil {
			t.Fatal(err)
		}
		found[file] = parse(file, source)
	}
	if len(found) < 10 {
		t.Fatalf("only %d pages found", len(found))
	}
	return found
}

func parse(path string, source []byte) *page {
	p := &page{path: path, anchors: map[string]bool{}, programs: map[string][]string{}}
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM))
	_ = ast.Walk(markdown.Parser().Parse(text.NewReader(source)), func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.note(node, source)
		}
		return ast.WalkContinue, nil
	})
	return p
}

func (p *page) note(node ast.Node, source []byte) {
	switch n := node.(type) {
	case *ast.Heading:
		p.anchor(slug(plain(n, source)))
	case *ast.Link:
		p.links = append(p.links, string(n.Destination))
	case *ast.Image:
		p.links = append(p.links, string(n.Destination))
	case *ast.AutoLink:
		if n.AutoLinkType == ast.AutoLinkEmail {
			return
		}
		p.links = append(p.links, string(n.URL(source)))
	case *ast.FencedCodeBlock:
		language := string(n.Language(source))
		p.programs[language] = append(p.programs[language], string(n.Lines().Value(source)))
	case *ast.HTMLBlock:
		p.html(n.Lines().Value(source))
	case *ast.RawHTML:
		p.html(n.Segments.Value(source))
	}
}

// anchor notes a heading. GitHub numbers those that would be the same.
func (p *page) anchor(name string) {
	unique := name
	for i := 1; p.anchors[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", name, i)
	}
	p.anchors[unique] = true
}

var (
	idOf   = regexp.MustCompile(`\s(?:id|name)="([^"]*)"`)
	leadTo = regexp.MustCompile(`\s(?:src|href|srcset)="([^"\s]*)`)
)

func (p *page) html(tags []byte) {
	for _, found := range idOf.FindAllSubmatch(tags, -1) {
		p.anchors[string(found[1])] = true
	}
	for _, found := range leadTo.FindAllSubmatch(tags, -1) {
		p.links = append(p.links, string(found[1]))
	}
}

// plain is what a reader sees of a node.
func plain(node ast.Node, source []byte) string {
	var seen bytes.Buffer
	_ = ast.Walk(node, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if leaf, ok := n.(*ast.Text); ok && entering {
			seen.Write(leaf.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return seen.String()
}

// slug is the anchor that GitHub gives to a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
