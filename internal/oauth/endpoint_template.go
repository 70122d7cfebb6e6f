package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// endpointTemplate is an endpoint of a catalogue entry: a URL over parameters, such as
// https://vantage-{region}.abbyy.com/auth2[/{tenant_id}]/connect/token.
type endpointTemplate struct {
	scheme string // with "://"
	host   []piece
	port   string // with the colon; empty: the scheme's
	rest   []piece
}

// piece is literal text, or the value of a parameter.
type piece struct {
	literal   string
	parameter string
	query     bool // stands behind the question mark
	group     int  // number of its optional segment; 0: not optional
}

// Names of parameters, and a port as it may stand in a template.
var (
	parameterName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	literalPort   = regexp.MustCompile(`:[0-9]{1,5}$`)
)

var errBrackets = errors.New("every [ needs its ], with a parameter and no other bracket between them")

// parseEndpointTemplate reads a template. A template that is read can be expanded to nothing but a URL of its own shape.
func parseEndpointTemplate(text string) (*endpointTemplate, error) {
	if i := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`#@\%`, r) }); i >= 0 {
		return nil, errors.New(`holds a character that no endpoint template may have (white space, non-ASCII, #, @, \, %)`)
	}
	scheme, afterScheme, ok := strings.Cut(text, "://")
	if !ok || (scheme != "https" && scheme != "http") {
		return nil, errors.New("must start with https://")
	}
	authority, rest := splitAuthority(afterScheme)
	template := &endpointTemplate{scheme: scheme + "://", port: literalPort.FindString(authority)}
	var err error
	if template.host, err = parsePieces(strings.TrimSuffix(authority, template.port)); err != nil {
		return nil, err
	}
	if template.rest, err = parseGroups(rest); err != nil {
		return nil, err
	}
	if !beginsPath(template.rest) {
		return nil, errors.New("what follows the host must begin with / or ?, also in brackets")
	}
	return template, template.check()
}

// beginsPath tells whether nothing of what follows the authority can become a part of it, whichever optional segments are left out.
func beginsPath(rest []piece) bool {
	for i, p := range rest {
		if i > 0 && p.group == rest[i-1].group {
			continue
		}
		if !strings.HasPrefix(p.literal, "/") && !strings.HasPrefix(p.literal, "?") {
			return false
		}
		if p.group == 0 {
			return true
		}
	}
	return true
}

// splitAuthority cuts before the path, the query or the first optional segment. The brackets of an IPv6 address belong to the
// host.
func splitAuthority(text string) (authority, rest string) {
	start := 0
	if strings.HasPrefix(text, "[") {
		start = strings.Index(text, "]") + 1
	}
	if i := strings.IndexAny(text[start:], "/?["); i >= 0 {
		return text[:start+i], text[start+i:]
	}
	return text, ""
}

// parseGroups reads path and query with their optional segments.
func parseGroups(text string) ([]piece, error) {
	var all []piece
	for group := 1; text != ""; group++ {
		before, optional, found := strings.Cut(text, "[")
		pieces, err := parsePieces(before)
		if err != nil {
			return nil, err
		}
		all = append(all, pieces...)
		if !found && strings.Contains(before, "]") {
			return nil, errBrackets
		}
		if !found {
			break
		}
		inside, after, closed := strings.Cut(optional, "]")
		if pieces, err = parsePieces(inside); err != nil {
			return nil, err
		}
		if !closed || strings.ContainsAny(before+inside, "[]") || !slices.ContainsFunc(pieces, isParameter) {
			return nil, errBrackets
		}
		for i := range pieces {
			pieces[i].group = group
		}
		all, text = append(all, pieces...), after
	}
	return markQuery(all), nil
}

// parsePieces reads text without optional segments.
func parsePieces(text string) ([]piece, error) {
	var pieces []piece
	for text != "" {
		literal, after, found := strings.Cut(text, "{")
		if strings.Contains(literal, "}") {
			return nil, errors.New("every } needs its {")
		}
		if literal != "" {
			pieces = append(pieces, piece{literal: literal})
		}
		if !found {
			break
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !parameterName.MatchString(name) {
			return nil, errors.New("every { needs the name of a parameter and its }")
		}
		pieces, text = append(pieces, piece{parameter: name}), rest
	}
	return pieces, nil
}

func markQuery(pieces []piece) []piece {
	query := false
	for i := range pieces {
		pieces[i].query = query
		query = query || strings.Contains(pieces[i].literal, "?")
	}
	return pieces
}

func isParameter(p piece) bool { return p.parameter != "" }

// check expands the template with a harmless value for every parameter, with and without its optional segments.
func (t *endpointTemplate) check() error {
	all := func(string) string { return "x" }
	always := t.requiredParameters()
	few := func(name string) string {
		if slices.Contains(always, name) {
			return "x"
		}
		return ""
	}
	for _, values := range []func(string) string{all, few} {
		expanded, err := t.expand(values)
		if err != nil {
			return err
		}
		if _, _, err = parseEndpoint(expanded); err != nil {
			return err
		}
	}
	return nil
}

// hostParameters are the parameters that the host depends on.
func (t *endpointTemplate) hostParameters() []string { return parametersOf(t.host) }

// parameters are all parameters of the template.
func (t *endpointTemplate) parameters() []string {
	return parametersOf(slices.Concat(t.host, t.rest))
}

// requiredParameters are those without which there is no URL: the ones outside of optional segments.
func (t *endpointTemplate) requiredParameters() []string {
	rest := slices.DeleteFunc(slices.Clone(t.rest), func(p piece) bool { return p.group != 0 })
	return parametersOf(slices.Concat(t.host, rest))
}

func parametersOf(pieces []piece) []string {
	var names []string
	for _, p := range pieces {
		if isParameter(p) && !slices.Contains(names, p.parameter) {
			names = append(names, p.parameter)
		}
	}
	return names
}

// expand puts values in the place of parameters. An empty value is none. The error tells which parameter can't be used in a URL,
// and never holds its value.
func (t *endpointTemplate) expand(value func(name string) string) (string, error) {
	dropped := make(map[int]bool)
	for _, p := range t.rest {
		if p.group != 0 && isParameter(p) && value(p.parameter) == "" {
			dropped[p.group] = true
		}
	}
	host, err := t.expandHost(value)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(t.scheme + host + t.port)
	for _, p := range t.rest {
		if dropped[p.group] {
			continue
		}
		escaped, err := p.escaped(value)
		if err != nil {
			return "", err
		}
		b.WriteString(escaped)
	}
	return b.String(), nil
}

// expandHost puts values into the host. Each may be a name's part, and all together too long for a name.
func (t *endpointTemplate) expandHost(value func(name string) string) (string, error) {
	var b strings.Builder
	for _, p := range t.host {
		part, err := p.inHost(value)
		if err != nil {
			return "", err
		}
		b.WriteString(part)
	}
	host := b.String()
	long := slices.ContainsFunc(strings.Split(host, "."), func(label string) bool { return len(label) > 63 })
	if names := t.hostParameters(); len(names) > 0 && (long || len(host) > 253) {
		return "", fmt.Errorf("parameter %s makes the endpoint's host name too long: between dots it may have 63 characters, and 253 in all",
			strings.Join(names, ", "))
	}
	return host, nil
}

// inHost is the piece as it stands in the host: nothing but letters, digits, hyphens, underscores and single dots between them.
func (p piece) inHost(value func(name string) string) (string, error) {
	if !isParameter(p) {
		return p.literal, nil
	}
	if v := value(p.parameter); isHostName(v) {
		return strings.ToLower(strings.TrimSuffix(v, ".")), nil
	}
	return "", fmt.Errorf("parameter %s must be a host name or a part of one, without scheme, port and path", p.parameter)
}

// escaped is the piece as it stands in path or query. A value in the path stays one segment or a part of one: servers differ in
// what they make of an escaped slash, and dots would climb.
func (p piece) escaped(value func(name string) string) (string, error) {
	if !isParameter(p) {
		return p.literal, nil
	}
	v := value(p.parameter)
	if p.query {
		return url.QueryEscape(v), nil
	}
	if strings.Trim(v, ".") == "" || strings.ContainsFunc(v, climbs) {
		return "", fmt.Errorf("parameter %s must not be empty or only dots, nor hold a slash, backslash, percent sign or "+
			"control character", p.parameter)
	}
	return url.PathEscape(v), nil
}

// climbs tells whether a character could end a segment of a path, for us or for a server that decodes twice.
func climbs(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`/\%`, r) }
