package safehttp

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"handoff/domain/fault"
)

// Allow lists what may be reached although it is not on the public internet.
// The operator of the server sets it; a tenant can't. Its zero value allows
// nothing. It never changes, so it is safe for concurrent use.
type Allow struct {
	prefixes  []netip.Prefix
	addresses map[netip.AddrPort]bool
	names     map[string]bool // host:port in lower case
}

// ParseAllow reads a list, separated by commas or spaces, of prefixes
// (10.0.0.0/8), addresses (127.0.0.1), addresses with a port (127.0.0.1:8080,
// [::1]:8080) and names with a port (desk.internal:8443).
func ParseAllow(list string) (Allow, error) {
	a := Allow{addresses: map[netip.AddrPort]bool{}, names: map[string]bool{}}
	for entry := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		if !a.add(entry) {
			return Allow{}, fault.Newf(fault.Invalid, "allow-list-invalid",
				"%q is neither a prefix such as 10.0.0.0/8, nor an address, nor host:port.", entry)
		}
	}
	return a, nil
}

func (a *Allow) add(entry string) bool {
	if p, err := netip.ParsePrefix(entry); err == nil {
		a.prefixes = append(a.prefixes, p.Masked())
		return true
	}
	if ip, err := netip.ParseAddr(entry); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		a.prefixes = append(a.prefixes, netip.PrefixFrom(ip, ip.BitLen()))
		return true
	}
	if ap, err := netip.ParseAddrPort(entry); err == nil {
		a.addresses[netip.AddrPortFrom(plain(ap.Addr()), ap.Port())] = true
		return true
	}
	host, port, err := net.SplitHostPort(entry)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
		return false
	}
	a.names[strings.ToLower(entry)] = true
	return true
}

// address reports whether an address that was resolved may be reached.
func (a Allow) address(ap netip.AddrPort) bool {
	ip := plain(ap.Addr())
	if a.addresses[netip.AddrPortFrom(ip, ap.Port())] {
		return true
	}
	for _, p := range a.prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// name reports whether host:port may be reached wherever it resolves to.
func (a Allow) name(hostPort string) bool { return a.names[strings.ToLower(hostPort)] }

// plain returns an address without a zone, and as IPv4 where it is one.
func plain(ip netip.Addr) netip.Addr { return ip.WithZone("").Unmap() }
