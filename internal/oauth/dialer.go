package oauth

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// connectTimeout bounds the way to a standing connection, for TCP and TLS each. A dial goes on when its request has given up.
const connectTimeout = 10 * time.Second

// guard decides which addresses may be connected to. Users choose endpoints, and the manager stands where they don't: without a guard
// it could be sent to the cloud's metadata service or to the node's own ports.
type guard struct {
	allowLoopback bool
	denied        []netip.Addr
}

// dial returns a dialer for endpoints. Every address is checked when the socket is about to connect, after DNS: a name that resolves
// differently the second time gains nothing. Of a name with good and forbidden addresses the good ones are used.
func (g guard) dial(resolver *net.Resolver) func(context.Context, string, string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: connectTimeout, Resolver: resolver, ControlContext: g.control}
	return gated(dialer)
}

// dialProxy returns a dialer for proxies. The platform chose them, so they may stand anywhere, often on loopback.
func dialProxy(resolver *net.Resolver) func(context.Context, string, string) (net.Conn, error) {
	return gated(&net.Dialer{Timeout: connectTimeout, Resolver: resolver})
}

func gated(dialer *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &gatedConn{Conn: conn}, nil
	}
}

func (g guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return refusal(addressForbidden)
	}
	if verdict := g.judge(target.Addr()); verdict != addressAllowed {
		return refusal(verdict)
	}
	return nil
}

// verdict is what a guard says of an address.
type verdict int

const (
	addressAllowed verdict = iota
	addressLoopback
	addressForbidden
)

// judge looks at an address and at the IPv4 addresses inside it. Private ranges are allowed: vendors' private clouds stand there.
func (g guard) judge(address netip.Addr) verdict {
	plain := address.Unmap()
	switch {
	case !plain.IsValid(), plain.Zone() != "", g.isForbidden(plain), slices.ContainsFunc(embeddedIPv4(plain), g.isForbidden):
		return addressForbidden
	case plain.IsLoopback() && !g.allowLoopback:
		return addressLoopback
	}
	return addressAllowed
}

func (g guard) isForbidden(address netip.Addr) bool {
	isIn := func(p netip.Prefix) bool { return p.Contains(address) }
	isSame := func(a netip.Addr) bool { return a.Unmap().WithZone("") == address }
	return address.IsUnspecified() || address.IsMulticast() || address.IsLinkLocalUnicast() ||
		slices.ContainsFunc(forbiddenPrefixes(), isIn) || slices.ContainsFunc(g.denied, isSame)
}

// forbiddenPrefixes are the addresses whose kind alone does not betray them. The other metadata addresses are link-local.
func forbiddenPrefixes() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),          // this host (RFC 1122, section 3.2.1.3)
		netip.MustParsePrefix("255.255.255.255/32"), // limited broadcast
		netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud metadata
		netip.MustParsePrefix("168.63.129.16/32"),   // Azure wire server
		netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud metadata, first generation
		netip.MustParsePrefix("fd00:ec2::/32"),      // AWS metadata, DNS, time and pod identity
		netip.MustParsePrefix("fd20:ce::254/128"),   // Google Cloud metadata
		netip.MustParsePrefix("fec0::/10"),          // site-local, deprecated by RFC 3879
	}
}

// embeddedIPv4 finds the IPv4 addresses that a translator or a tunnel would make of an IPv6 address. Its loopback is given as
// unspecified, which is always forbidden: --allow-loopback is for this machine's, not for a translator's.
func embeddedIPv4(address netip.Addr) []netip.Addr {
	b := address.As16()
	is := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(address) }
	switch {
	case address.Is4(), address.IsLoopback():
		return nil
	case is("::/96"), is("64:ff9b::/96"): // IPv4-compatible (RFC 4291, section 2.5.5.1), NAT64 (RFC 6052)
		return inner(b[12], b[13], b[14], b[15])
	case is("64:ff9b:1::/48"): // local-use NAT64 (RFC 8215), in the forms for /48 and /96 of RFC 6052, section 2.2
		return append(inner(b[6], b[7], b[9], b[10]), inner(b[12], b[13], b[14], b[15])...)
	case is("2002::/16"): // 6to4 (RFC 3056)
		return inner(b[2], b[3], b[4], b[5])
	case is("2001::/32"): // Teredo (RFC 4380, section 4): the client's address with every bit inverted
		return inner(^b[12], ^b[13], ^b[14], ^b[15])
	}
	return nil
}

func inner(b ...byte) []netip.Addr {
	address := netip.AddrFrom4([4]byte(b))
	switch {
	case address.IsUnspecified():
		return nil // the other form's place
	case address.IsLoopback():
		return []netip.Addr{netip.IPv4Unspecified()}
	}
	return []netip.Addr{address}
}

// checkName looks a host up and judges all its addresses. It serves connections through a proxy, which resolves for itself and may
// take any of them: one forbidden address refuses the host.
func (g guard) checkName(ctx context.Context, resolver *net.Resolver, host string) error {
	addresses, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if verdict := g.judge(address); verdict != addressAllowed {
			return refusal(verdict)
		}
	}
	return nil
}

func refusal(v verdict) *Error {
	message := "The endpoint's name leads to an address that tokensync never connects to: link-local, multicast, a cloud's " +
		"metadata service or the API server. Correct the endpoint, or the name in DNS."
	if v == addressLoopback {
		message = "The endpoint's name leads to a loopback address, which would be the manager's own pod. Correct the endpoint; " +
			"for a demo or a test, start the manager with --allow-loopback."
	}
	return &Error{Class: Rejected, Reason: ReasonEndpointNotAllowed, Message: message}
}
