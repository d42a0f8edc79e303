// Package safehttp makes HTTP clients for URLs that customers choose.
//
// Such a URL may point anywhere, also at what only the server can reach. So an
// address is checked when it is dialled, after its name was resolved: loopback,
// private, link-local and other special addresses are refused, whatever form
// they hide in, unless the server's operator allowed them. A client follows no
// redirect, uses no proxy, has a deadline for every step and reads answers up
// to a limit.
package safehttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"handoff/domain/fault"
)

// MaxURL is the greatest length of a customer's URL in bytes.
const MaxURL = 2048

// Options say what a client may do. The zero value reaches the public internet
// only.
type Options struct {
	Allow Allow
	// Timeout is for a whole exchange, body included; 0 means 15 s.
	Timeout time.Duration
	// Dial and TLS are for setting up a connection; 0 means 5 s each.
	Dial, TLS time.Duration
	// MaxBody is how many bytes of an answer may be read; 0 means 64 KiB.
	MaxBody int64
	// ConnectionsPerHost bounds what is open to one host; 0 means 64.
	ConnectionsPerHost int
	// Resolver resolves names; nil means the system's.
	Resolver *net.Resolver
	// RootCAs are trusted; nil means the system's.
	RootCAs *x509.CertPool
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Dial == 0 {
		o.Dial = 5 * time.Second
	}
	if o.TLS == 0 {
		o.TLS = 5 * time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 10
	}
	if o.ConnectionsPerHost == 0 {
		o.ConnectionsPerHost = 64
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	return o
}

// NewClient returns a client. It is safe for concurrent use; one client serves
// any number of URLs, and CloseIdleConnections ends its idle connections.
func NewClient(o Options) *http.Client {
	o = o.withDefaults()
	d := dialer{allow: o.Allow, free: &net.Dialer{Timeout: o.Dial, Resolver: o.Resolver}}
	guarded := *d.free
	guarded.Control = controlWith(o.Allow)
	d.guarded = &guarded
	t := &http.Transport{
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    o.TLS,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           8 * o.ConnectionsPerHost,
		MaxIdleConnsPerHost:    o.ConnectionsPerHost,
		MaxConnsPerHost:        o.ConnectionsPerHost,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true, // a small answer must not become a large one
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{
		Transport:     &limited{next: t, max: o.MaxBody},
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type dialer struct {
	allow         Allow
	free, guarded *net.Dialer
}

func (d dialer) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	if d.allow.name(hostPort) {
		return d.free.DialContext(ctx, network, hostPort)
	}
	return d.guarded.DialContext(ctx, network, hostPort)
}

// controlWith returns a check of each address between resolving and connecting,
// so that a name that resolves differently the second time gains nothing.
func controlWith(allow Allow) func(string, string, syscall.RawConn) error {
	g := newGuard()
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return refusedAddress(address, "not an address").Because(err)
		}
		return g.check(allow, ap)
	}
}

func (g guard) check(allow Allow, ap netip.AddrPort) error {
	why := g.refuses(ap.Addr())
	if why == "" || allow.address(ap) {
		return nil
	}
	return refusedAddress(ap.Addr().String(), why)
}

func refusedAddress(address, why string) *fault.Error {
	return fault.Newf(fault.Unprocessable, "endpoint-address-refused",
		"The address %s is not reachable for webhooks: it is %s. The operator of the server can allow it with HANDOFF_ALLOW_PRIVATE.", address, why)
}

// CheckURL reports what is wrong with a customer's URL when it is configured:
// endpoint-url-invalid, or endpoint-address-refused where the name resolves to
// an address that would be refused. A name that can't be resolved just now
// passes; every dial checks again.
func CheckURL(ctx context.Context, raw string, o Options) error {
	o = o.withDefaults()
	u, err := parse(raw)
	if err != nil {
		return err
	}
	host, port := u.Hostname(), portOf(u)
	if o.Allow.name(net.JoinHostPort(host, strconv.Itoa(int(port)))) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.Dial)
	defer cancel()
	ips, err := o.Resolver.LookupNetIP(ctx, "ip", host)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return invalidURL("There is no host " + host + ".").Because(err)
	}
	g := newGuard()
	for _, ip := range ips {
		if err := g.check(o.Allow, netip.AddrPortFrom(ip, port)); err != nil {
			return err
		}
	}
	return nil
}

func parse(raw string) (*url.URL, error) {
	if len(raw) > MaxURL {
		return nil, invalidURL("It is longer than 2,048 bytes.")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, invalidURL("It can't be read.") // without the cause, which repeats a password
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, invalidURL("It must begin with https:// or http://.")
	case u.Hostname() == "":
		return nil, invalidURL("It names no host.")
	case u.User != nil:
		return nil, invalidURL("It must not contain a user name or password: deliveries are signed.")
	case u.Fragment != "":
		return nil, invalidURL("It must not contain a fragment (#…).")
	case portOf(u) == 0:
		return nil, invalidURL("Its port must be between 1 and 65535.")
	}
	return u, nil
}

// portOf returns the port of u, 0 for one that does not exist.
func portOf(u *url.URL) uint16 {
	switch {
	case u.Port() != "":
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return 0
		}
		return uint16(n)
	case u.Scheme == "http":
		return 80
	}
	return 443
}

func invalidURL(why string) *fault.Error {
	return fault.New(fault.Unprocessable, "endpoint-url-invalid", "The URL can't be used. "+why)
}
