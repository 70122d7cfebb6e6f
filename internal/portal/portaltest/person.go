// Package portaltest has a person who authorizes, for tests and the demo: somebody with a browser that knows links, forms and cookies, and
// plays the one script of the portal's pages.
package portaltest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	// mostPages is how many pages a person sees at most on the way from the link to the outcome.
	mostPages = 8
	// longestPage is how much of a page is read.
	longestPage = 1 << 20
)

// Person authorizes as somebody with a browser does: opens the link, fills in forms, follows where they lead.
type Person struct {
	browser *http.Client
	fields  map[string]string // what goes into the fields of forms, by their names
}

// New is a person who fills fields of forms by their names. The browser has no cookies yet, and trusts certificates (PEM) beside the system's.
func New(trusted []byte, fields map[string]string) (*Person, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	roots.AppendCertsFromPEM(trusted)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &Person{browser: &http.Client{Transport: transport, Jar: jar}, fields: fields}, nil
}

// Authorize goes from the link to the page that has no form any more, and returns that page's title.
func (p *Person) Authorize(ctx context.Context, link string) (string, error) {
	seen, err := p.open(ctx, http.MethodGet, link, nil)
	for range mostPages {
		switch {
		case err != nil:
			return "", err
		case strings.Contains(seen.address.Fragment, "access_token="): // the page's script would send it on
			answer, unreadable := url.ParseQuery(seen.address.Fragment)
			if unreadable != nil {
				return "", unreadable
			}
			seen, err = p.open(ctx, http.MethodPost, withoutFragment(seen.address), answer)
		case seen.form == nil:
			return seen.title, nil
		default:
			seen, err = p.open(ctx, seen.form.method, seen.form.action, p.filledIn(seen.form))
		}
	}
	return "", errors.Join(err, fmt.Errorf("the way to the outcome has more than %d pages", mostPages))
}

func withoutFragment(u *url.URL) string {
	bare := *u
	bare.Fragment, bare.RawFragment = "", ""
	return bare.String()
}

// page is what a browser shows.
type page struct {
	address *url.URL
	title   string
	form    *form // the first; nil: none
}

// form is what a page asks for.
type form struct {
	method, action string
	values         url.Values
}

func (p *Person) filledIn(f *form) url.Values {
	for name, value := range p.fields {
		if f.values.Has(name) {
			f.values.Set(name, value)
		}
	}
	return f.values
}

func (p *Person) open(ctx context.Context, method, address string, values url.Values) (*page, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Language", "en")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := p.browser.Do(request)
	if err != nil {
		return nil, errors.Unwrap(err) // the outer one quotes the address, and with it the ticket
	}
	defer response.Body.Close()
	document, err := html.Parse(io.LimitReader(response.Body, longestPage))
	if err != nil {
		return nil, err
	}
	seen := &page{address: response.Request.URL}
	seen.read(document)
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("a page of %s answers with status %d: %s", seen.address.Host, response.StatusCode, seen.title)
	}
	return seen, nil
}

// read finds the title and the first form.
func (p *page) read(document *html.Node) {
	for node := range document.Descendants() {
		switch {
		case node.DataAtom == atom.Title && node.FirstChild != nil && p.title == "":
			p.title = strings.NewReplacer("\u2068", "", "\u2069", "").Replace(strings.TrimSpace(node.FirstChild.Data)) // isolates
		case node.DataAtom == atom.Form && p.form == nil:
			p.form = p.readForm(node)
		}
	}
}

// readForm takes a form's inputs, and its first button as the one that is pressed.
func (p *page) readForm(node *html.Node) *form {
	f := &form{method: http.MethodGet, action: p.address.String(), values: url.Values{}}
	if strings.EqualFold(attribute(node, "method"), http.MethodPost) {
		f.method = http.MethodPost
	}
	if action, err := p.address.Parse(attribute(node, "action")); err == nil && attribute(node, "action") != "" {
		f.action = action.String()
	}
	pressed := false
	for field := range node.Descendants() {
		name := attribute(field, "name")
		button := field.DataAtom == atom.Button || field.DataAtom == atom.Input && attribute(field, "type") == "submit"
		if button && pressed || name == "" || !button && field.DataAtom != atom.Input {
			pressed = pressed || button
			continue
		}
		pressed = pressed || button
		f.values.Set(name, attribute(field, "value"))
	}
	return f
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
