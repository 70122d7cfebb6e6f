package oauth

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// endpointHost is where an endpoint's requests go: a host name in lower case without a trailing dot, or an IP address, and the
// port.
type endpointHost struct{ name, port string }

// hostLabel is a label of a host name: letters, digits, hyphens inside. Underscores are no part of host names, but of some
// networks.
var hostLabel = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// endsInNumber matches what C libraries read as an IPv4 address in short, octal or hexadecimal. To a resolver it is a name, which a search
// domain may answer for: what is judged would not be what a proxy connects to. No top-level domain is a number (RFC 3696, section 2).
var endsInNumber = regexp.MustCompile(`(^|\.)([0-9]+|0x[0-9a-f]*)$`)

// parseEndpoint reads a URL to which credentials could be sent. The error says what is wrong with it without quoting it.
func parseEndpoint(text string) (*url.URL, endpointHost, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, endpointHost{}, errors.New("is not a URL") // url.Error quotes the URL
	case u.Scheme != "https" && u.Scheme != "http", u.Opaque != "", u.Host == "":
		return nil, endpointHost{}, errors.New("must be a URL that starts with https:// and a host")
	case u.User != nil:
		return nil, endpointHost{}, errors.New("must not hold user information before the host; it belongs in the credentials Secret")
	case strings.Contains(text, "#"): // RFC 6749, section 3.2
		return nil, endpointHost{}, errors.New("must not hold a fragment (#)")
	case hasDotSegment(u.Path):
		return nil, endpointHost{}, errors.New("must not hold . or .. as a part of its path")
	}
	host, err := hostOf(u)
	return u, host, err
}

// hostOf takes host and port of a URL apart. Names that are not ASCII are refused: which name they stand for depends on the
// edition of Unicode that is asked.
func hostOf(u *url.URL) (endpointHost, error) {
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if !isHostName(name) && !isAddress(name) {
		return endpointHost{}, errors.New("must have a host name in ASCII (international names in their xn-- form) or an IP address")
	}
	if endsInNumber.MatchString(name) && !isAddress(name) {
		return endpointHost{}, errors.New("must have an IPv4 address in its usual form, such as 192.0.2.1, or a host name that does not end in a number")
	}
	if strings.HasSuffix(u.Host, ":") || strings.HasSuffix(u.Port(), ":") {
		return endpointHost{}, errors.New("must have a port behind the colon, or no colon")
	}
	port := u.Port()
	if port == "" {
		return endpointHost{name: name, port: defaultPort(u.Scheme)}, nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return endpointHost{}, errors.New("must have a port between 1 and 65535")
	}
	return endpointHost{name: name, port: strconv.FormatUint(number, 10)}, nil
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// isHostName tells whether a text is a DNS name or a label of one, in any case, with or without the trailing dot.
func isHostName(text string) bool {
	text = strings.TrimSuffix(text, ".")
	if len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.ToLower(text), ".") {
		if !hostLabel.MatchString(label) {
			return false
		}
	}
	return true
}

func isAddress(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Zone() == ""
}

// String is the host as it is written in a list of allowed hosts: with its port where that is not 443.
func (h endpointHost) String() string {
	if h.port != "443" {
		return net.JoinHostPort(h.name, h.port)
	}
	return h.name
}

// isAllowedBy tells whether one of the patterns names this host: exactly, or as *.example.com, which means every name below
// example.com but not that name itself. A pattern without a port means 443. A pattern of any other form names nothing.
func (h endpointHost) isAllowedBy(patterns []string) bool {
	for _, pattern := range patterns {
		name, port := splitPattern(strings.ToLower(strings.TrimSpace(pattern)))
		if port == h.port && h.isNamedBy(name) {
			return true
		}
	}
	return false
}

func (h endpointHost) isNamedBy(name string) bool {
	if domain, ok := strings.CutPrefix(name, "*."); ok {
		return isHostName(domain) && !isAddress(h.name) && strings.HasSuffix(h.name, "."+domain)
	}
	return h.name == name
}

// isHostPattern tells whether a pattern can name a host.
func isHostPattern(pattern string) bool {
	name, port := splitPattern(strings.ToLower(strings.TrimSpace(pattern)))
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number > 0 && (isHostName(strings.TrimPrefix(name, "*.")) || isAddress(name))
}

// splitPattern takes a pattern apart. An IPv6 address stands in brackets where a port follows.
func splitPattern(pattern string) (name, port string) {
	name, port, err := net.SplitHostPort(pattern)
	if err != nil {
		name, port = strings.Trim(pattern, "[]"), "443"
	}
	return strings.TrimSuffix(name, "."), port
}
