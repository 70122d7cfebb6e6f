package portal

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
)

// assets are the page, its style and its script.
//
//go:embed pages texts
var assets embed.FS

// page is what is shown, in keys of texts. Values that are not keys come from objects and vendors; the template escapes them all.
type page struct {
	Heading       string   // key
	HeadingValues []string // in the heading
	Tone          tone
	Says          []said
	Facts         []fact
	Quote         string // the vendor's own words
	Commands      []string
	Button        *button
	Link          *link
	Script        string // address of the script; empty: none
	Target        string // where the script sends what it finds
}

// tone is how a page looks.
type tone string

// The tones.
const (
	toneAsk  tone = "ask"
	toneGood tone = "good"
	toneBad  tone = "bad"
	toneWait tone = "wait"
)

// said is a sentence or two: a text with values.
type said struct {
	Key    string
	Values []string
}

func says(key string, values ...string) []said { return []said{{key, values}} }

// fact is a label with its values.
type fact struct {
	Label  string // key
	Values []string
}

// button posts a form.
type button struct{ Action, Token, Label string }

// link leads on.
type link struct{ URL, Label string }

// view is a page in a language.
type view struct {
	page

	language *language
	Style    string
}

// T is a text in the page's language.
func (v view) T(key string, values ...string) string { return v.language.text(key, values) }

// Title is the heading's text.
func (v view) Title() string { return v.T(v.Heading, v.HeadingValues...) }

// Say is a paragraph's text.
func (v view) Say(s said) string { return v.T(s.Key, s.Values...) }

// Lang is the language's tag.
func (v view) Lang() string { return v.language.tag.String() }

// pages makes pages.
type pages struct {
	template *template.Template
	texts    *texts
}

func newPages() *pages {
	return &pages{template: template.Must(template.ParseFS(assets, "pages/*.html")), texts: loadTexts()}
}

// has tells whether there is a text.
func (p *pages) has(key string) bool { return p.texts.has(key) }

// show writes a page.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, shown page) {
	if shown.Tone == "" {
		shown.Tone = toneBad
	}
	language := s.pages.texts.choose(r.Header.Get("Accept-Language"))
	var made bytes.Buffer
	if err := s.pages.template.ExecuteTemplate(&made, "page.html", view{shown, language, s.address("portal.css")}); err != nil {
		panic(fmt.Sprintf("the page's template fails: %v", err)) // for guard, which tells without quoting it
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", language.tag.String())
	header.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(made.Bytes()) // a browser that left is its own affair
}

// unavailable tells that the API server could not be asked. Its words are not shown or logged: they may quote the Secret.
func (s *site) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	ctrl.Log.WithName("portal").Info("a state Secret could not be read or written", "reason", apierrors.ReasonForError(err))
	w.Header().Set("Retry-After", "5")
	s.show(w, r, http.StatusServiceUnavailable, page{Heading: "unavailable.heading", Says: says("unavailable.text")})
}

// asset serves an embedded file. Browsers ask for it again each time: pages are rare, and an upgrade must not leave old styles behind.
func asset(name, contentType string) http.HandlerFunc {
	content, err := assets.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(content)
	}
}
