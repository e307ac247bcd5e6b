// Package dial makes the connections of adapters to outside systems: it looks
// at the address that a name has led to before it connects.
//
// It is in charge of one thing: that no name, whoever chose it (an answer of a
// platform, a discovery document, a DNS server), brings a request of ours to
// this machine, to the cloud's metadata service or into the private network,
// unless the operator has configured an address there. It must not know any
// outside system.
package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// A Guard says where connections may go. The zero Guard allows addresses of the
// public internet only.
type Guard struct {
	// Private allows addresses of private networks too: the operator has
	// configured an address of their own for this system.
	Private bool
	// Loopback allows this machine: the configured address is on it.
	Loopback bool
}

// For is the guard of a system whose provider has a usual address (empty: none),
// and whose addresses are configured as named, empty where they are not.
func For(usual string, configured ...string) Guard {
	var g Guard
	for _, address := range configured {
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" || address == usual {
			continue
		}
		g.Private = true
		g.Loopback = g.Loopback || Local(u.Hostname())
	}
	return g
}

// Metadata services of clouds that lie outside of the link-local network.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200")}

// special are networks that are no part of the public internet and that package
// netip does not know as such (IANA's special-purpose address registries).
var special = prefixes("0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "::/96", "fec0::/10", "100::/64", "2001:db8::/32")

// shared is the carriers' network for many subscribers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// Addresses of these networks hold an IPv4 address, at the given byte: NAT64
// (RFC 6052), local NAT64 (RFC 8215), 6to4 (RFC 3056).
var embedding = map[netip.Prefix]int{
	netip.MustParsePrefix("64:ff9b::/96"):   12,
	netip.MustParsePrefix("64:ff9b:1::/48"): 12,
	netip.MustParsePrefix("2002::/16"):      2,
}

func prefixes(all ...string) (list []netip.Prefix) {
	for _, p := range all {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// Allows reports whether a connection may go to an address.
func (g Guard) Allows(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for p, at := range embedding {
		if p.Contains(ip) {
			b := ip.As16()
			return g.Allows(netip.AddrFrom4([4]byte(b[at : at+4])))
		}
	}
	switch {
	case ip.IsLoopback():
		return g.Loopback
	case !ip.IsGlobalUnicast(), slices.Contains(metadata, ip): // link-local, multicast, unspecified, broadcast
		return false
	case slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return false
	case ip.IsPrivate(), shared.Contains(ip):
		return g.Private
	}
	return true
}

// Control is for a net.Dialer: it refuses an address after its name was looked
// up, so that no second look-up can lead elsewhere.
func (g Guard) Control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial: %q is not an address: %w", address, err)
	}
	if !g.Allows(ap.Addr()) {
		return fmt.Errorf("dial: %s is not on the public internet; it is called only where the configuration names an address of that network", ap.Addr())
	}
	return nil
}

// Transport is an HTTP transport that connects where the guard allows. A proxy
// of the environment (HTTPS_PROXY) is the operator's own and may be anywhere;
// what it connects to is in its own hands.
func (g Guard) Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	plain := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second} // as net/http's own
	guarded := *plain
	guarded.Control = g.Control
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if isProxy(address) {
			return plain.DialContext(ctx, network, address)
		}
		return guarded.DialContext(ctx, network, address)
	}
	return t
}

// Client makes requests through a transport. It follows no redirect, which is an
// answer like any other: a token of ours goes where it was sent to, and nowhere else.
func Client(through http.RoundTripper, timeout time.Duration) *http.Client {
	return &http.Client{Transport: through, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Bare takes the address out of an error of net/http: it may name people, and some
// are as good as a key.
func Bare(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// isProxy reports whether an address is that of a proxy of the environment.
func isProxy(address string) bool {
	env := httpproxy.FromEnvironment()
	for _, p := range []string{env.HTTPProxy, env.HTTPSProxy} {
		u, err := url.Parse(p)
		if err != nil || u.Host == "" {
			u, err = url.Parse("http://" + p)
		}
		if err != nil || u.Host == "" {
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
		}
		if port == "" {
			port = "80"
		}
		if net.JoinHostPort(u.Hostname(), port) == address {
			return true
		}
	}
	return false
}

// RetryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, a day at
// most, or a date. 0: it says nothing.
func RetryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n >= 0 {
		return time.Duration(min(n, 24*3600)) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
