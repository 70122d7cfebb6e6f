package oauthtest

import "net/http"

// Vendor is one of the vendors, by its name in the catalogue.
type Vendor string

// The vendors.
const (
	SFR           Vendor = "sfr-global-contact-center"
	Genesys       Vendor = "genesys-cloud"
	BrightPattern Vendor = "bright-pattern"
	ABBYY         Vendor = "abbyy-vantage"
	Generic       Vendor = "generic"
)

// Endpoint is a kind of endpoint.
type Endpoint string

// The endpoints.
const (
	TokenEndpoint         Endpoint = "token"
	AuthorizationEndpoint Endpoint = "authorization"
	RevocationEndpoint    Endpoint = "revocation"
	DiscoveryEndpoint     Endpoint = "discovery"
	ResourceEndpoint      Endpoint = "resource"
	// UnknownEndpoint is every path that no vendor documents. It answers 404.
	UnknownEndpoint Endpoint = "unknown"
	// AnyEndpoint is all of them, in a Match.
	AnyEndpoint Endpoint = "any"
)

// place is where a request arrived.
type place struct {
	vendor   Vendor
	endpoint Endpoint
	prefix   string // the vendor's path prefix, or empty where the request came by a vendor's own path
}

// path is one documented path of a vendor.
type path struct {
	vendor   Vendor
	endpoint Endpoint
	pattern  string // as http.ServeMux wants it; of an issuer: its path
}

// paths are the vendors' documented paths. No two vendors share one, so each is served both under the vendor's prefix, for a server
// that stands for all of them, and bare, for clients whose dialer brings the vendors' host names here.
func paths() []path {
	return []path{
		{SFR, TokenEndpoint, "/identity/connect/token"},
		{Genesys, TokenEndpoint, "/oauth/token"},
		{Genesys, AuthorizationEndpoint, "/oauth/authorize"},
		{BrightPattern, TokenEndpoint, "/configapi/v2/oauth/token"},
		{ABBYY, TokenEndpoint, "/auth2/connect/token"},
		{ABBYY, TokenEndpoint, "/auth2/{tenant}/connect/token"},
		{ABBYY, AuthorizationEndpoint, "/auth2/connect/authorize"},
		{ABBYY, AuthorizationEndpoint, "/auth2/{tenant}/connect/authorize"},
		{ABBYY, RevocationEndpoint, "/auth2/connect/revocation"},
		{ABBYY, RevocationEndpoint, "/auth2/{tenant}/connect/revocation"},
		{ABBYY, DiscoveryEndpoint, "/auth2"},
		{ABBYY, DiscoveryEndpoint, "/auth2/{tenant}"},
		{Generic, TokenEndpoint, "/oauth2/token"},
		{Generic, AuthorizationEndpoint, "/oauth2/authorize"},
		{Generic, RevocationEndpoint, "/oauth2/revoke"},
		{Generic, DiscoveryEndpoint, ""},
	}
}

// newRoutes serves every path twice, and every discovery document at both of its addresses: OpenID Connect Discovery, section 4,
// appends the well-known part to the issuer's path; RFC 8414, section 3.1, inserts it before.
func (s *Server) newRoutes() *http.ServeMux {
	routes := http.NewServeMux()
	for _, p := range paths() {
		for _, prefix := range []string{s.dialects[p.vendor].prefix, ""} {
			handler := s.handler(place{p.vendor, p.endpoint, prefix})
			if p.endpoint != DiscoveryEndpoint {
				routes.HandleFunc(prefix+p.pattern, handler)
				continue
			}
			routes.HandleFunc(prefix+p.pattern+openIDConfiguration, handler)
			routes.HandleFunc(oauthMetadata+prefix+p.pattern, handler)
		}
	}
	routes.HandleFunc("/resource", s.handler(place{endpoint: ResourceEndpoint}))
	routes.HandleFunc("/", s.handler(place{endpoint: UnknownEndpoint}))
	return routes
}

func (s *Server) handler(at place) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		(&exchange{server: s, place: at, writer: w, request: r, arrived: s.clock()}).serve(r.Context())
	}
}
