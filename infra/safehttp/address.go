package safehttp

import (
	"net/netip"
	"slices"
)

// special are the address blocks that no customer's endpoint can be in, with
// the words in which they are refused. Sources: the IANA registries of special
// purpose addresses for IPv4 and IPv6 (RFC 6890 and its updates).
func special() []block {
	return []block{
		v("0.0.0.0/8", "this network"),
		v("10.0.0.0/8", "private"),
		v("100.64.0.0/10", "shared by a carrier's customers"),
		v("127.0.0.0/8", "loopback"),
		v("168.63.129.16/32", "a cloud's metadata service"), // Azure's, alone in a public block
		v("169.254.0.0/16", "link-local"),                   // among them 169.254.169.254
		v("172.16.0.0/12", "private"),
		v("192.0.0.0/24", "reserved for protocols"),
		v("192.0.2.0/24", "for documentation"),
		v("192.88.99.0/24", "a relay of 6to4"),
		v("192.168.0.0/16", "private"),
		v("198.18.0.0/15", "for benchmarks"),
		v("198.51.100.0/24", "for documentation"),
		v("203.0.113.0/24", "for documentation"),
		v("224.0.0.0/4", "multicast"),
		v("240.0.0.0/4", "reserved"),
		v("::/128", "unspecified"),
		v("::1/128", "loopback"),
		v("fc00::/7", "private"), // among them fd00:ec2::254
		v("fe80::/10", "link-local"),
		v("fec0::/10", "private"),
		v("ff00::/8", "multicast"),
		v("2001::/23", "reserved for protocols"), // among them Teredo, which hides an IPv4 address
		v("2001:db8::/32", "for documentation"),
		v("3fff::/20", "for documentation"),
	}
}

type block struct {
	prefix netip.Prefix
	kind   string
}

func v(prefix, kind string) block { return block{netip.MustParsePrefix(prefix), kind} }

// guard knows the special blocks. It never changes.
type guard struct {
	blocks    []block
	global    netip.Prefix // IPv6 addresses outside of it are nobody's (RFC 4291 §2.4)
	nat64     netip.Prefix // RFC 6052 §2.1
	sixToFour netip.Prefix // 6to4, RFC 3056 §2
}

func newGuard() guard {
	return guard{
		blocks: special(), global: netip.MustParsePrefix("2000::/3"),
		nat64: netip.MustParsePrefix("64:ff9b::/96"), sixToFour: netip.MustParsePrefix("2002::/16"),
	}
}

// refuses returns why an address must not be reached, or "".
func (g guard) refuses(ip netip.Addr) string {
	ip = plain(ip)
	if !ip.IsValid() {
		return "not an address"
	}
	if i := slices.IndexFunc(g.blocks, func(b block) bool { return b.prefix.Contains(ip) }); i >= 0 {
		return g.blocks[i].kind
	}
	if ip.Is4() {
		return ""
	}
	b := ip.As16()
	switch {
	case g.nat64.Contains(ip):
		return g.refuses(netip.AddrFrom4([4]byte(b[12:16])))
	case g.sixToFour.Contains(ip):
		return g.refuses(netip.AddrFrom4([4]byte(b[2:6])))
	case !g.global.Contains(ip):
		return "not on the public internet"
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214 §6.1
		return g.refuses(netip.AddrFrom4([4]byte(b[12:16])))
	}
	return ""
}
