// Package portal is what a person sees who consents to a token: a page that says who asks, the way to the vendor and back, and the outcome.
//
//	portal.go    Portal; its routes and what every answer bears      server.go  listening, on every replica
//	ask.go       the page before, and the button that begins         session.go cookies, and the form's token
//	callback.go  the browser is back from the vendor                 store.go   the state Secret, where portal and controller meet
//	outcome.go   what came of it                                     limit.go   against guessing
//	pages.go     how a page is made; pages/ holds its parts          texts.go   what is said; texts/ holds a file for each language
//
// The portal keeps nothing in memory that counts, so that any replica can take any step. It talks to the API server alone: codes are
// exchanged by the controller.
package portal

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Portal serves persons who authorize. Its exported fields are set once.
type Portal struct {
	// Client reads from the cache, which holds state Secrets, and writes.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// URL is the portal's address as browsers see it, from ParseURL. It alone decides about links and cookies: TLS may end at a proxy.
	URL *url.URL
	// Clock tells the time.
	Clock clock.Clock
	// Recorder writes events.
	Recorder events.EventRecorder
	// Observe counts an attempt that ends here, by the vendor's name and the result; nil: nobody counts.
	Observe func(vendor, result string)
	// Implicit says that tokens in fragments are taken.
	Implicit bool
}

// ParseURL checks the address of a portal: absolute, http or https, with a host and at most a path. A slash at its end is dropped.
func ParseURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Hostname() == "":
		return nil, errors.New("must be an address such as https://tokens.example.com")
	case parsed.User != nil || parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("must not have user, query or fragment")
	}
	trimmed := strings.TrimRight(parsed.Path, "/")
	if trimmed != "" && path.Clean(trimmed) != trimmed || parsed.RawPath != "" {
		return nil, errors.New("must have a plain path, without dots, double slashes or escapes")
	}
	return &url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: trimmed}, nil
}

// Handler serves the portal, with the path of its URL or, behind a proxy that removes it, without. It panics where the texts in this package
// are at fault, which tests exclude.
func (p *Portal) Handler() http.Handler {
	site := &site{Portal: p, pages: newPages(), limit: newLimiter(p.Clock), origins: http.NewCrossOriginProtection()}
	if err := site.origins.AddTrustedOrigin((&url.URL{Scheme: p.URL.Scheme, Host: p.URL.Host}).String()); err != nil {
		panic(fmt.Sprintf("the portal's address is no origin: %v", err)) // ParseURL has checked it
	}
	routes := http.NewServeMux()
	for pattern, serve := range map[string]http.HandlerFunc{
		"GET /authorize/{ticket}":  site.ask,
		"POST /authorize/{ticket}": site.begin,
		"GET /callback":            site.callback,
		"POST /callback":           site.callbackWithFragment,
		"GET /outcome/{attempt}":   site.outcome,
		"GET /portal.css":          asset("pages/portal.css", "text/css; charset=utf-8"),
		"GET /callback.js":         asset("pages/callback.js", "text/javascript; charset=utf-8"),
	} {
		routes.HandleFunc(pattern, serve)
	}
	return site.guard(routes)
}

// site is a portal with what it needs to answer.
type site struct {
	*Portal

	pages   *pages
	limit   *limiter
	origins *http.CrossOriginProtection
}

// address is one of the portal's own, as browsers see it.
func (s *site) address(parts ...string) string {
	return s.URL.String() + "/" + strings.Join(parts, "/")
}

const (
	// noContent lets a page load nothing but the portal's style. It has no form-action: browsers apply that to the redirects after a form as
	// well, and these lead to the vendor.
	noContent = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
	// ownScript adds the one script, for the page that needs it.
	ownScript = noContent + "; script-src 'self'"
)

// guard is around every route.
func (s *site) guard(routes *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Content-Security-Policy", noContent)
		defer func() {
			if fault := recover(); fault != nil {
				ctrl.Log.WithName("portal").Info("a page could not be made: this is a mistake in Tokensync") // the fault may quote the request
				s.show(w, r, http.StatusInternalServerError, page{Heading: "broken.heading", Says: says("broken.text")})
			}
		}()
		s.route(routes, w, r)
	})
}

// route finds the handler. Paths that are not in their plain form are not cleaned up by a redirect.
func (s *site) route(routes *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	plain := r.Clone(r.Context())
	if rest, ok := strings.CutPrefix(plain.URL.Path, s.URL.Path+"/"); ok && s.URL.Path != "" {
		plain.URL.Path, plain.URL.RawPath = "/"+rest, ""
	}
	allowed := methods(routes, plain)
	if len(allowed) == 0 { // a proxy has removed the path already, and what is left begins as it does
		plain = r.Clone(r.Context())
		allowed = methods(routes, plain)
	}
	_, pattern := routes.Handler(plain)
	switch {
	case path.Clean(plain.URL.Path) != plain.URL.Path, len(allowed) == 0:
		s.show(w, r, http.StatusNotFound, page{Heading: "absent.heading", Says: says("absent.text")})
	case pattern == "":
		w.Header().Set("Allow", strings.Join(allowed, ", ")) // RFC 9110, section 15.5.6
		s.show(w, r, http.StatusMethodNotAllowed, page{Heading: "absent.heading", Says: says("absent.text")})
	default:
		routes.ServeHTTP(w, plain)
	}
}

// methods are those for which there is a route to where a request goes.
func methods(routes *http.ServeMux, r *http.Request) (allowed []string) {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		asked := r.Clone(r.Context())
		asked.Method = method
		if _, taken := routes.Handler(asked); taken != "" {
			allowed = append(allowed, method)
		}
	}
	return allowed
}
