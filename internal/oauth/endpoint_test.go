package oauth

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestEndpointTemplatesExpand(t *testing.T) {
	values := map[string]string{"region": "EU", "tenant": "a b&c", "dots": "v1.2", "host": "Login.Acme.Example."}
	tests := map[string]struct{ template, want string }{
		"literal text stays":                      {"https://login.acme.example/token?x=1", "https://login.acme.example/token?x=1"},
		"a part of a label, in lower case":        {"https://vantage-{region}.acme.example/", "https://vantage-eu.acme.example/"},
		"a whole host, without its trailing dot":  {"https://{host}:8443/token", "https://login.acme.example:8443/token"},
		"a value in the path is escaped":          {"https://a.example/{tenant}/token", "https://a.example/a%20b&c/token"},
		"a value in the query is escaped":         {"https://a.example/token?t={tenant}&r={region}", "https://a.example/token?t=a+b%26c&r=EU"},
		"dots inside of a value stay":             {"https://a.example/{dots}/token", "https://a.example/v1.2/token"},
		"an optional segment with its value":      {"https://a.example/auth[/{region}]/token", "https://a.example/auth/EU/token"},
		"an optional segment without its value":   {"https://a.example/auth[/{none}]/token", "https://a.example/auth/token"},
		"each optional segment by itself":         {"https://a.example[/{none}][/{region}]", "https://a.example/EU"},
		"an optional part of the query":           {"https://a.example/token[?t={none}]", "https://a.example/token"},
		"an address in brackets is no option":     {"https://[2001:db8::1]:8443/token", "https://[2001:db8::1]:8443/token"},
		"plain http, which is checked at the use": {"http://a.example/token", "http://a.example/token"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := parseEndpointTemplate(test.template)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.expand(func(name string) string { return values[name] })
			if err != nil || got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

func TestEndpointTemplatesThatCouldBecomeSomethingElseAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "login.acme.example", "ftp://a.example/", "HTTPS://a.example/", "//a.example/", "{scheme}://a.example/", "https:///token",
		"https://a.example:{port}/", "https://{user}@a.example/", "https://user@a.example/", "https://a.example/#x", "https://a.example/{",
		"https://a.example/}", "https://a.example/{a", "https://a.example/{A}", "https://a.example/{a b}", "https://a.example/{}",
		"https://a.example/[x]", "https://a.example/[{a}", "https://a.example/{a}]", "https://a.example/[[{a}]]", "https://a.example/[{a}]]",
		"https://a.example/../b", "https://a.example/a b", "https://a.example\\b/", "https://a.example/%2e", "https://b\u00fccher.example/",
		"https://a.example:99999/", "https://a.example:/", "https://-{a}.example/", "https://[{a}]/", "https://a.example/{{a}}",
	} {
		if _, err := parseEndpointTemplate(text); err == nil {
			t.Errorf("%q is taken as a template", text)
		}
	}
}

// attacks are values that try to leave their place in a URL.
var attacks = []string{
	"evil.example/", "evil.example/x", "x@evil.example", "user:pw@evil.example", "a:8443", "evil.example:443", "..", ".", "../..", "%2f", "%2F..",
	"a%2f..%2fb", `a\b`, `\\evil.example`, "//evil.example", "https://evil.example", "a?b", "a#b", "a b", "a\tb", "a\r\nHost: evil", "\x00",
	"[::1]", "::1", "a..b", "-a", "a-", ".a", "ｅvil.example", "evil。example", "bücher.example", strings.Repeat("a", 64),
	strings.Repeat("a.", 130) + "a", "{region}", "[x]", "*", "*.example", "a;b", "a,b", "$(x)", "é",
}

func TestAttacksOnTheHostAreRefused(t *testing.T) {
	for _, attack := range attacks {
		for _, text := range []string{"https://{a}/token", "https://x-{a}.acme.example/token", "https://{a}.acme.example/token"} {
			template, err := parseEndpointTemplate(text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.expand(func(string) string { return attack })
			if err == nil {
				t.Errorf("%s with %q: %s", text, attack, got)
			} else if strings.Contains(err.Error(), attack) && len(attack) > 3 {
				t.Errorf("the error shows the value: %v", err)
			}
		}
	}
}

func TestAttacksOnThePathStayInTheirSegment(t *testing.T) {
	template, err := parseEndpointTemplate("https://a.example/auth[/{a}]/token?q={a}")
	if err != nil {
		t.Fatal(err)
	}
	for _, attack := range attacks {
		got, err := template.expand(func(string) string { return attack })
		if err != nil {
			continue
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Errorf("%q: %v", attack, err)
			continue
		}
		wantPath := "/auth/" + attack + "/token"
		if u.Host != "a.example" || u.Path != wantPath || u.Query().Get("q") != attack || u.Fragment != "" || strings.Count(u.EscapedPath(), "/") != 3 {
			t.Errorf("%q: %s", attack, got)
		}
	}
	for _, climbing := range []string{"..", ".", "../..", "a/b", `a\b`, "%2f", "a%2f..%2fb", "a\r\nb", "\x00", "..."} {
		if got, err := template.expand(func(string) string { return climbing }); err == nil {
			t.Errorf("%q is taken: %s", climbing, got)
		}
	}
}

// TestAttacksOnVendorsAreRefused puts the attacks into every parameter of the embedded vendors that an endpoint holds.
func TestAValueThatMakesTheHostTooLongIsNamed(t *testing.T) {
	for text, value := range map[string]string{
		"https://vantage-{region}.abbyy.com/token": strings.Repeat("a", 56),
		"https://{region}.abbyy.com/token":         strings.Repeat("abcdefgh.", 27) + "ab",
		"https://{region}{region}.abbyy.com/token": strings.Repeat("a", 32),
	} {
		template, err := parseEndpointTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.expand(func(string) string { return value }); err == nil || !strings.Contains(err.Error(), "parameter region") {
			t.Errorf("%s: %s, %v", text, got, err)
		}
		if _, err := template.expand(func(string) string { return value[:20] }); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAttacksOnVendorsAreRefused(t *testing.T) {
	for _, attack := range attacks {
		for parameter, settings := range map[string]Settings{
			"region":    {Vendor: "genesys-cloud"},
			"host":      {Vendor: "bright-pattern", Parameters: map[string]string{"tenant": "t"}},
			"tenant_id": {Vendor: "abbyy-vantage", Parameters: map[string]string{"region": "eu"}},
		} {
			settings.Credentials, settings.AllowedHosts = client(parameter, attack), []string{"*.example", "evil.example:8443"}
			flow, err := mustLoad(t, "").Resolve(settings)
			if err != nil {
				continue // refused
			}
			u, err := url.Parse(flow.Endpoints.TokenURL)
			if err != nil || parameter != "tenant_id" || u.Host != "vantage-eu.abbyy.com" {
				t.Errorf("%s %q: %s", parameter, attack, flow.Endpoints.TokenURL)
			}
		}
	}
}

func TestEndpointsThatMayNotBeUsedAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "x", "/token", "https:login.acme.example", "https://", "https:///token", "https://a.example:0/", "https://a.example:65536/",
		"https://a.example:http/", "https://a.example:", "https://a.example:/x", "https://user@a.example/", "https://user:pw@a.example/",
		"https://@a.example/", "https://a.example/#", "https://a.example/#x", "https://a.example/..", "https://a.example/x/%2e%2e/y",
		"https://a.example\\@evil.example/", "https://bücher.example/", "https://%65vil.example/", "https://[fe80::1%25eth0]/",
		"https://a..example/", "https://a b.example/", "ftp://a.example/", "javascript:alert(1)", "https://*.example/", "https://a.example\n/",
	} {
		if u, host, err := parseEndpoint(text); err == nil {
			t.Errorf("%q is taken as %s, host %s", text, u, host)
		}
	}
}

// TestAddressesInDisguiseAreRefused: what a C library, and so a proxy, takes for an IPv4 address is a name to our resolver, which some search
// domain may answer for: what is judged would not be what is connected to.
func TestAddressesInDisguiseAreRefused(t *testing.T) {
	for _, host := range []string{
		"127.1", "127.0.1", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.0.0.0x1", "017700000001", "0X7F.1", "127.1.", "10.0.0.256", "a.0x", "vendor.1",
	} {
		if _, _, err := parseEndpoint("https://" + host + "/token"); err == nil {
			t.Errorf("%s is taken", host)
		}
	}
	for _, host := range []string{"127.0.0.1", "192.0.2.1.", "1.example", "0x7f.example", "4.3.2.1.in-addr.arpa", "x7f", "0xg", "[::1]"} {
		if _, _, err := parseEndpoint("https://" + host + "/token"); err != nil {
			t.Errorf("%s is refused: %v", host, err)
		}
	}
}

func TestHostPatterns(t *testing.T) {
	tests := map[string]struct {
		pattern, url string
		want         bool
	}{
		"the exact name":                             {"login.acme.example", "https://login.acme.example/token", true},
		"case does not matter":                       {"Login.ACME.example", "https://LOGIN.acme.EXAMPLE/", true},
		"a trailing dot does not matter":             {"login.acme.example.", "https://login.acme.example/", true},
		"a trailing dot of the URL does not matter":  {"login.acme.example", "https://login.acme.example./", true},
		"spaces around it do not matter":             {" login.acme.example ", "https://login.acme.example/", true},
		"443 is the port where none is written":      {"login.acme.example", "https://login.acme.example:443/", true},
		"443 may be written":                         {"login.acme.example:443", "https://login.acme.example/", true},
		"a leading zero is the same port":            {"login.acme.example:8443", "https://login.acme.example:08443/", true},
		"another port needs to be written":           {"login.acme.example", "https://login.acme.example:8443/", false},
		"a written port is the only one":             {"login.acme.example:8443", "https://login.acme.example/", false},
		"http has port 80":                           {"login.acme.example", "http://login.acme.example/", false},
		"http has port 80, written":                  {"login.acme.example:80", "http://login.acme.example/", true},
		"a wildcard names a name below":              {"*.acme.example", "https://login.acme.example/", true},
		"a wildcard names a name far below":          {"*.acme.example", "https://a.b.acme.example/", true},
		"a wildcard does not name the apex":          {"*.acme.example", "https://acme.example/", false},
		"a wildcard ends at a label":                 {"*.acme.example", "https://evilacme.example/", false},
		"a wildcard with a port":                     {"*.acme.example:8443", "https://a.acme.example:8443/", true},
		"a wildcard without the port":                {"*.acme.example", "https://a.acme.example:8443/", false},
		"a wildcard does not name addresses":         {"*.0.0.1", "https://127.0.0.1/", false},
		"a star alone names nothing":                 {"*", "https://acme.example/", false},
		"a star in the middle names nothing":         {"login.*.example", "https://login.acme.example/", false},
		"a star at the start of a label too":         {"*acme.example", "https://acme.example/", false},
		"an empty pattern names nothing":             {"", "https://acme.example/", false},
		"a name below is another name":               {"acme.example", "https://login.acme.example/", false},
		"a name that begins so is another name":      {"login.acme.example", "https://login.acme.example.evil.example/", false},
		"a URL is no pattern":                        {"https://acme.example", "https://acme.example/", false},
		"an IPv4 address":                            {"192.0.2.1:8443", "https://192.0.2.1:8443/", true},
		"an IPv6 address":                            {"[2001:db8::1]:8443", "https://[2001:db8::1]:8443/", true},
		"an IPv6 address without port":               {"2001:db8::1", "https://[2001:db8::1]/", true},
		"an IPv6 address in brackets, without port":  {"[2001:db8::1]", "https://[2001:db8::1]/", true},
		"an international name in its ASCII form":    {"xn--bcher-kva.example", "https://xn--bcher-kva.example/", true},
		"an international name is no pattern itself": {"bücher.example", "https://xn--bcher-kva.example/", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, host, err := parseEndpoint(test.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := host.isAllowedBy([]string{"other.example", test.pattern}); got != test.want {
				t.Errorf("%q names %s: %t, want %t", test.pattern, host, got, test.want)
			}
		})
	}
}

func TestPlainHTTPIsForNamedHostsOnly(t *testing.T) {
	settings := genericSettings(func(s *Settings) {
		s.Endpoints.TokenURL, s.AllowedHosts = "http://login.acme.example:8080/", []string{"login.acme.example:8080"}
	})
	if _, err := mustLoad(t, "").Resolve(settings); err == nil {
		t.Error("plain http is taken without permission")
	}
	settings.InsecureHTTPHosts = []string{"login.acme.example:8080"}
	mustResolve(t, settings)
	settings.AllowedHosts = nil
	_, err := mustLoad(t, "").Resolve(settings)
	wantFault(t, err, ReasonEndpointNotAllowed, "spec.endpoints.tokenURL: the credentials may not be sent to host login.acme.example:8080")
}

func TestNothingBehindTheHostBecomesAPartOfIt(t *testing.T) {
	for template, fine := range map[string]bool{
		"https://{a}[/{b}]": true, "https://{a}[?x={b}]": true, "https://{a}[/{b}]/token": true, "https://{a}/x{b}": true,
		"https://{a}[0{b}]": false, "https://{a}[{b}]/token": false, "https://{a}[/{b}]token": false, "https://{a}[/{b}][.{c}]": false,
	} {
		if _, err := parseEndpointTemplate(template); (err == nil) != fine {
			t.Errorf("%s: %v", template, err)
		}
	}
}

var hostCharacters = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// FuzzEndpointTemplate: whatever an entry and a user write, the URL has the scheme, the host's structure and the port of the template.
func FuzzEndpointTemplate(f *testing.F) {
	for _, template := range []string{
		"https://vantage-{a}.abbyy.com/auth2[/{b}]/connect/token", "https://{a}/t?x={b}", "https://[2001:db8::1]:8443[/{a}]", "http://x:1/{a}{b}",
	} {
		for _, attack := range attacks {
			f.Add(template, attack, "b")
		}
	}
	f.Fuzz(func(t *testing.T, text, a, b string) {
		template, err := parseEndpointTemplate(text)
		if err != nil {
			return
		}
		got, err := template.expand(func(name string) string { return map[string]string{"a": a, "b": b}[name] })
		if err != nil {
			return
		}
		u, host, err := parseEndpoint(got)
		if raw, odd := url.Parse(got); err != nil && odd == nil && raw.User == nil && hostCharacters.MatchString(raw.Hostname()) {
			return // a name of digits: nothing is ever sent there, and the structure is right
		}
		if err != nil {
			t.Fatalf("%q with %q, %q: %q: %v", text, a, b, got, err)
		}
		if u.Scheme+"://" != template.scheme || u.User != nil || u.Fragment != "" || (template.port == "") != (u.Port() == "") {
			t.Errorf("%q with %q, %q: %q", text, a, b, got)
		}
		if last := template.host[len(template.host)-1]; last.literal != "" && !isAddress(host.name) &&
			!strings.HasSuffix(host.name, strings.ToLower(strings.TrimSuffix(last.literal, "."))) {
			t.Errorf("%q with %q, %q: host %s", text, a, b, host)
		}
	})
}
