package oauth

import (
	"context"
	"crypto/sha256"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"tokensync.dev/tokensync/internal/dnstest"
)

var emptyHash = sha256.Sum256(nil)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// resolving is a resolver that knows these names only.
func resolving(names map[string][]string) *net.Resolver {
	return dnstest.Resolver(func(name string) []string { return names[name] })
}

func TestAddressesThatAreNeverConnectedTo(t *testing.T) {
	apiServer := netip.MustParseAddr("10.96.0.1")
	strict := guard{denied: []netip.Addr{apiServer, netip.MustParseAddr("fd12::1"), netip.MustParseAddr("::ffff:192.0.2.9")}}
	loose := strict
	loose.allowLoopback = true
	for address, want := range map[string]struct{ strict, loose verdict }{
		"203.0.113.7": {}, "8.8.8.8": {}, "2606:4700::1111": {},
		"10.0.0.1": {}, "172.16.5.4": {}, "192.168.1.1": {}, "100.64.0.1": {}, "fd12::2": {}, // private clouds

		"127.0.0.1": {addressLoopback, addressAllowed}, "127.255.255.254": {addressLoopback, addressAllowed},
		"::1": {addressLoopback, addressAllowed}, "::ffff:127.0.0.1": {addressLoopback, addressAllowed},

		"0.0.0.0": {addressForbidden, addressForbidden}, "::": {addressForbidden, addressForbidden}, "0.1.2.3": {addressForbidden, addressForbidden},
		"255.255.255.255": {addressForbidden, addressForbidden}, "::ffff:0.0.0.0": {addressForbidden, addressForbidden},
		"224.0.0.1": {addressForbidden, addressForbidden}, "239.255.255.250": {addressForbidden, addressForbidden}, "ff02::1": {addressForbidden, addressForbidden},
		"169.254.169.254": {addressForbidden, addressForbidden}, "169.254.170.2": {addressForbidden, addressForbidden}, "169.254.0.1": {addressForbidden, addressForbidden},
		"fe80::1": {addressForbidden, addressForbidden}, "fe80::1%eth0": {addressForbidden, addressForbidden}, "2606:4700::1111%eth0": {addressForbidden, addressForbidden},
		"::1%lo": {addressForbidden, addressForbidden}, "fec0::1": {addressForbidden, addressForbidden},
		"fd00:ec2::254": {addressForbidden, addressForbidden}, "fd00:ec2::23": {addressForbidden, addressForbidden}, "fd20:ce::254": {addressForbidden, addressForbidden},
		"100.100.100.200": {addressForbidden, addressForbidden}, "168.63.129.16": {addressForbidden, addressForbidden}, "192.0.0.192": {addressForbidden, addressForbidden},
		"::ffff:169.254.169.254": {addressForbidden, addressForbidden}, "::ffff:100.100.100.200": {addressForbidden, addressForbidden},

		"10.96.0.1": {addressForbidden, addressForbidden}, "::ffff:10.96.0.1": {addressForbidden, addressForbidden}, "fd12::1": {addressForbidden, addressForbidden},
		"192.0.2.9": {addressForbidden, addressForbidden},

		"64:ff9b::a9fe:a9fe": {addressForbidden, addressForbidden}, "64:ff9b::7f00:1": {addressForbidden, addressForbidden}, "64:ff9b::a60:1": {addressForbidden, addressForbidden},
		"64:ff9b::cb00:7107": {}, "64:ff9b:1::a9fe:a9fe": {addressForbidden, addressForbidden}, "64:ff9b:1:abcd::a9fe:a9fe": {addressForbidden, addressForbidden},
		"64:ff9b:1:a9fe:a9:fe00::": {addressForbidden, addressForbidden}, "64:ff9b:1::7f00:1": {addressForbidden, addressForbidden}, "64:ff9b:1::cb00:7107": {},
		"2002:a9fe:a9fe::1": {addressForbidden, addressForbidden}, "2002:7f00:1::": {addressForbidden, addressForbidden}, "2002:cb00:7107::1": {},
		"2001:0:cb00:7107:0:0:5601:5601": {addressForbidden, addressForbidden}, "2001:0:cb00:7107:0:0:80ff:fffe": {addressForbidden, addressForbidden},
		"2001:0:cb00:7107:0:0:34ff:8ef8": {},
		"::169.254.169.254":              {addressForbidden, addressForbidden}, "::127.0.0.1": {addressForbidden, addressForbidden}, "::203.0.113.7": {},
	} {
		t.Run(address, func(t *testing.T) {
			target := netip.MustParseAddr(address)
			if got := strict.judge(target); got != want.strict {
				t.Errorf("got %v, want %v", got, want.strict)
			}
			if got := loose.judge(target); got != want.loose {
				t.Errorf("with --allow-loopback: got %v, want %v", got, want.loose)
			}
		})
	}
	if got := loose.judge(netip.Addr{}); got != addressForbidden {
		t.Errorf("no address: got %v", got)
	}
}

func TestOnlyTCPIsDialled(t *testing.T) {
	for _, network := range []string{"udp4", "unix", "tcp", ""} {
		if (guard{}).control(t.Context(), network, "203.0.113.7:443", nil) == nil {
			t.Errorf("%q is allowed", network)
		}
	}
	for _, address := range []string{"", "203.0.113.7", "name:443", "[::1:443"} {
		if (guard{}).control(t.Context(), "tcp4", address, nil) == nil {
			t.Errorf("%q is allowed", address)
		}
	}
	if err := (guard{}).control(t.Context(), "tcp4", "203.0.113.7:443", nil); err != nil {
		t.Error(err)
	}
}

func TestTheGuardStandsBehindDNS(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
	port := strconv.Itoa(e.Listener.Addr().(*net.TCPAddr).Port)
	names := map[string][]string{
		"loopback.example.com": {"127.0.0.1"}, "metadata.example.com": {"169.254.169.254"}, "mapped.example.com": {"::ffff:127.0.0.1"},
		"mixed.example.com": {"169.254.169.254", "127.0.0.1"}, "xdenied.example.com": {"10.96.0.1"},
	}
	for what, c := range map[string]struct {
		host          string
		allowLoopback bool
		message       string // empty: a token comes
	}{
		"a name that resolves to loopback":                       {"loopback.example.com", false, "--allow-loopback"},
		"a name that resolves to loopback where that is allowed": {"loopback.example.com", true, ""},
		"loopback itself":                                            {"127.0.0.1", false, "--allow-loopback"},
		"loopback in short":                                          {"127.1", false, ""},
		"loopback as one number":                                     {"2130706433", false, ""},
		"loopback by its name":                                       {"localhost", false, "--allow-loopback"},
		"a name that resolves to metadata":                           {"metadata.example.com", true, "never connects to"},
		"metadata itself":                                            {"169.254.169.254", true, "never connects to"},
		"metadata as an IPv6 address":                                {"[::ffff:169.254.169.254]", true, "never connects to"},
		"a name that resolves to the API server":                     {"xdenied.example.com", true, "the API server"},
		"a name with a forbidden address and a good one":             {"mixed.example.com", true, ""},
		"a name that resolves to a mapped address":                   {"mapped.example.com", false, "--allow-loopback"},
		"a name with forbidden addresses only, loopback not allowed": {"mixed.example.com", false, ""},
	} {
		t.Run(what, func(t *testing.T) {
			e.requests.Store(0)
			e.connections.Store(0)
			client := newTestClient(t, func(o *ClientOptions) {
				o.AllowLoopback, o.Resolver = c.allowLoopback, resolving(names)
				o.DeniedAddresses = []netip.Addr{netip.MustParseAddr("10.96.0.1")}
			})
			request := e.request()
			request.URL = "https://" + c.host + ":" + port + "/token"
			token, err := client.Token(t.Context(), request)
			if c.allowLoopback && c.message == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			failure := failureOf(t, token, err)
			if c.message != "" {
				wantFailure(t, failure, &Error{Class: Rejected, Reason: ReasonEndpointNotAllowed}, c.message)
			}
			if e.connections.Load() != 0 || failure.Sent {
				t.Errorf("%d connections, sent %v", e.connections.Load(), failure.Sent)
			}
		})
	}
}

// A name that answers with the vendor's address when it is looked at, and with a forbidden one when it is connected to, gains nothing, whichever
// question is answered how: each address is judged when its socket connects.
func TestANameThatAnswersOtherwiseEachTimeGainsNothing(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
	port := strconv.Itoa(e.Listener.Addr().(*net.TCPAddr).Port)
	for _, forbidden := range []string{
		"127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "169.254.169.254", "::ffff:169.254.169.254",
	} {
		for first := range 4 { // questions that are answered well: A and AAAA of the first look, and of the second
			var asked atomic.Int32
			resolver := dnstest.Resolver(func(string) []string {
				if int(asked.Add(1)) <= first {
					return []string{"203.0.113.7", "2001:db8::7"}
				}
				return []string{forbidden}
			})
			client := newTestClient(t, func(o *ClientOptions) { o.AllowLoopback, o.Resolver = false, resolver })
			_ = client.guard.checkName(t.Context(), resolver, "rebinding.example.com")
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // the good address leads nowhere
			request := e.request()
			request.URL = "https://rebinding.example.com:" + port
			token, err := client.Token(ctx, request)
			cancel()
			if failure := failureOf(t, token, err); failure.Sent || e.connections.Load() != 0 {
				t.Errorf("%s after %d good answers: %d connections, sent %t", forbidden, first, e.connections.Load(), failure.Sent)
			}
		}
	}
}

func TestANameThatChangesItsAddressGainsNothing(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, goodAnswer) })
	names := map[string][]string{"rebinding.example.com": {"203.0.113.7"}}
	client := newTestClient(t, func(o *ClientOptions) { o.AllowLoopback, o.Resolver = false, resolving(names) })
	if err := client.guard.checkName(t.Context(), client.options.Resolver, "rebinding.example.com"); err != nil {
		t.Fatal(err)
	}
	names["rebinding.example.com"] = []string{"127.0.0.1"}
	request := e.request()
	request.URL = "https://rebinding.example.com:" + strconv.Itoa(e.Listener.Addr().(*net.TCPAddr).Port)
	token, err := client.Token(t.Context(), request)
	wantFailure(t, failureOf(t, token, err), &Error{Class: Rejected, Reason: ReasonEndpointNotAllowed}, "loopback")
	if got := e.connections.Load(); got != 0 {
		t.Errorf("%d connections", got)
	}
}
