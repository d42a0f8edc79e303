package safehttp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/safehttp"
)

func allow(t testing.TB, list string) safehttp.Allow {
	t.Helper()
	a, err := safehttp.ParseAllow(list)
	if err != nil {
		t.Fatalf("ParseAllow(%q): %v", list, err)
	}
	return a
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		host string
		ok   bool
	}{
		"a public IPv4 address":             {"93.184.216.34", true},
		"a public IPv6 address":             {"2606:2800:220:1:248:1893:25c8:1946", true},
		"NAT64 of a public address":         {"64:ff9b::5db8:d822", true},
		"6to4 of a public address":          {"2002:5db8:d822::1", true},
		"loopback":                          {"127.0.0.1", false},
		"the rest of loopback":              {"127.255.255.254", false},
		"unspecified":                       {"0.0.0.0", false},
		"this network":                      {"0.1.2.3", false},
		"private 10":                        {"10.0.0.1", false},
		"private 172.16":                    {"172.31.255.255", false},
		"beside private 172.16":             {"172.32.0.1", true},
		"private 192.168":                   {"192.168.1.1", false},
		"CGNAT":                             {"100.64.0.1", false},
		"metadata in CGNAT":                 {"100.100.100.200", false},
		"link-local metadata":               {"169.254.169.254", false},
		"metadata on a public address":      {"168.63.129.16", false},
		"metadata among protocol addresses": {"192.0.0.192", false},
		"documentation":                     {"203.0.113.5", false},
		"benchmarks":                        {"198.19.0.1", false},
		"multicast":                         {"224.0.0.1", false},
		"reserved":                          {"250.1.2.3", false},
		"broadcast":                         {"255.255.255.255", false},
		"IPv6 loopback":                     {"::1", false},
		"IPv6 unspecified":                  {"::", false},
		"IPv6 unique local":                 {"fd00:ec2::254", false},
		"IPv6 link-local":                   {"fe80::1", false},
		"IPv6 link-local with a zone":       {"fe80::1%25lo", false},
		"IPv6 site-local":                   {"fec0::1", false},
		"IPv6 multicast":                    {"ff02::1", false},
		"IPv6 documentation":                {"2001:db8::1", false},
		"IPv4 mapped into IPv6":             {"::ffff:127.0.0.1", false},
		"a public address mapped into IPv6": {"::ffff:93.184.216.34", true},
		"IPv4-compatible IPv6":              {"::7f00:1", false},
		"IPv4 translated":                   {"::ffff:0:7f00:1", false},
		"NAT64 of loopback":                 {"64:ff9b::7f00:1", false},
		"NAT64 of metadata":                 {"64:ff9b::a9fe:a9fe", false},
		"NAT64 with a local prefix":         {"64:ff9b:1::a00:1", false},
		"6to4 of a private address":         {"2002:a00:1::", false},
		"Teredo":                            {"2001:0:4136:e378:8000:63bf:3fff:fdd2", false},
		"ISATAP of a private address":       {"2606:2800:220:1:0:5efe:a00:1", false},
		"ISATAP with its global bit set":    {"2606:2800:220:1:200:5efe:a00:1", false},
		"outside of all that is assigned":   {"4000::1", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			raw := "https://" + c.host + "/hook"
			if strings.Contains(c.host, ":") {
				raw = "https://[" + c.host + "]/hook"
			}
			err := safehttp.CheckURL(t.Context(), raw, safehttp.Options{})
			if got := err == nil; got != c.ok {
				t.Errorf("CheckURL(%s) = %v, want allowed %t", raw, err, c.ok)
			}
			if err != nil && !fault.Is(err, "endpoint-address-refused") {
				t.Errorf("code = %s, want endpoint-address-refused", fault.CodeOf(err))
			}
		})
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for sentence, raw := range map[string]string{
		"nothing":                "",
		"another scheme":         "ftp://93.184.216.34/",
		"no scheme":              "93.184.216.34/hook",
		"no host":                "https:///hook",
		"a user":                 "https://u:p@93.184.216.34/",
		"a fragment":             "https://93.184.216.34/#x",
		"port 0":                 "https://93.184.216.34:0/",
		"a port too high":        "https://93.184.216.34:65536/",
		"a control character":    "https://93.184.216.34/\x00",
		"more than 2,048 bytes":  "https://93.184.216.34/" + strings.Repeat("a", 2048),
		"a host nobody resolves": "https://nobody.invalid/",
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			o := safehttp.Options{Resolver: newDNS(t).resolver()}
			if err := safehttp.CheckURL(t.Context(), raw, o); !fault.Is(err, "endpoint-url-invalid") {
				t.Errorf("CheckURL(%q) = %v, want endpoint-url-invalid", raw, err)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		list, url string
		ok        bool
	}{
		"an address by prefix":            {"10.0.0.0/8, 192.168.0.0/16", "http://192.168.3.4/", true},
		"an address outside the prefixes": {"10.0.0.0/8", "http://192.168.3.4/", false},
		"a single address":                {"127.0.0.1", "http://127.0.0.1:99/", true},
		"its mapped form":                 {"127.0.0.1", "http://[::ffff:127.0.0.1]:99/", true},
		"an address with its port":        {"127.0.0.1:99", "http://127.0.0.1:99/", true},
		"an address with another port":    {"127.0.0.1:98", "http://127.0.0.1:99/", false},
		"IPv6 with its port":              {"[::1]:99", "http://[::1]:99/", true},
		"a name with its port":            {"Desk.test:8443", "https://desk.TEST:8443/", true},
		"a name with another port":        {"desk.test:8443", "https://desk.test/", false},
		"a name by its address":           {"10.1.2.3", "https://desk.test/", true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			dns := newDNS(t)
			dns.answer.Store(new(netip.MustParseAddr("10.1.2.3")))
			err := safehttp.CheckURL(t.Context(), c.url, safehttp.Options{Allow: allow(t, c.list), Resolver: dns.resolver()})
			if got := err == nil; got != c.ok {
				t.Errorf("CheckURL = %v, want allowed %t", err, c.ok)
			}
		})
	}
	for _, bad := range []string{"localhost", "10.0.0.0/33", "desk:0", "desk:x", ":80", "a b"} {
		if _, err := safehttp.ParseAllow(bad); !fault.Is(err, "allow-list-invalid") {
			t.Errorf("ParseAllow(%q) = %v, want allow-list-invalid", bad, err)
		}
	}
}

func TestClientRefusesAtDial(t *testing.T) {
	t.Parallel()
	touched := atomic.Bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched.Store(true) }))
	t.Cleanup(srv.Close)
	for _, url := range []string{srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), strings.Replace(srv.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		_, err := get(t, safehttp.NewClient(safehttp.Options{}), url)
		if !fault.Is(err, "endpoint-address-refused") {
			t.Errorf("GET %s = %v, want endpoint-address-refused", url, err)
		}
	}
	if touched.Load() {
		t.Error("a refused address was reached")
	}
	if _, err := get(t, safehttp.NewClient(safehttp.Options{Allow: allow(t, "127.0.0.0/8")}), srv.URL); err != nil {
		t.Errorf("GET an allowed address: %v", err)
	}
}

func TestNameThatChangesBetweenCheckAndDial(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	dns := newDNS(t)
	dns.answer.Store(new(netip.MustParseAddr("93.184.216.34")))
	o := safehttp.Options{Resolver: dns.resolver()}
	url := strings.Replace(srv.URL, "127.0.0.1", "rebind.test", 1)
	if err := safehttp.CheckURL(t.Context(), url, o); err != nil {
		t.Fatalf("CheckURL while the name is public: %v", err)
	}
	dns.answer.Store(new(netip.MustParseAddr("127.0.0.1")))
	if _, err := get(t, safehttp.NewClient(o), url); !fault.Is(err, "endpoint-address-refused") {
		t.Errorf("GET = %v, want endpoint-address-refused", err)
	}
	o.Allow = allow(t, "rebind.test:"+url[strings.LastIndex(url, ":")+1:])
	if _, err := get(t, safehttp.NewClient(o), url); err != nil {
		t.Errorf("GET an allowed name: %v", err)
	}
}

func TestClientFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/", http.StatusFound))
	t.Cleanup(srv.Close)
	resp, err := get(t, safehttp.NewClient(safehttp.Options{Allow: allow(t, "127.0.0.1")}), srv.URL)
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("GET = %v, %v, want the 302 itself", resp, err)
	}
}

func TestClientUsesNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	dns := newDNS(t)
	dns.answer.Store(new(netip.MustParseAddr("127.0.0.1")))
	client := safehttp.NewClient(safehttp.Options{Allow: allow(t, "127.0.0.1"), Resolver: dns.resolver()})
	if _, err := get(t, client, strings.Replace(srv.URL, "127.0.0.1", "direct.test", 1)); err != nil {
		t.Errorf("GET: %v, want no proxy in between", err)
	}
}

func TestClientLimitsAnswers(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("a", len(r.URL.Query().Get("n"))))
	}))
	t.Cleanup(srv.Close)
	client := safehttp.NewClient(safehttp.Options{Allow: allow(t, "127.0.0.1"), MaxBody: 10})
	for n, tooLarge := range map[int]bool{0: false, 10: false, 11: true, 300: true} {
		resp, err := client.Get(srv.URL + "?n=" + strings.Repeat("x", n))
		if err != nil {
			t.Fatalf("GET: %v", err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if fault.Is(err, "endpoint-answer-too-large") != tooLarge || len(got) != min(n, 10) {
			t.Errorf("answer of %d bytes: read %d, %v", n, len(got), err)
		}
	}
}

func TestClientDeadlines(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	drip := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(drip.Close)
	for sentence, c := range map[string]struct {
		url string
		o   safehttp.Options
	}{
		"TLS that never begins":    {"https://" + silent.Addr().String(), safehttp.Options{TLS: 20 * time.Millisecond}},
		"headers that never come":  {"http://" + silent.Addr().String(), safehttp.Options{Timeout: 20 * time.Millisecond}},
		"a body that does not end": {drip.URL, safehttp.Options{Timeout: 50 * time.Millisecond}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c.o.Allow = allow(t, "127.0.0.1")
			if _, err := get(t, safehttp.NewClient(c.o), c.url); err == nil || !isTimeout(err) {
				t.Errorf("GET = %v, want a time-out", err)
			}
		})
	}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}

func TestClientRefusesOldTLS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	_, err := get(t, safehttp.NewClient(safehttp.Options{Allow: allow(t, "127.0.0.1"), RootCAs: roots}), srv.URL)
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("GET = %v, want a refused protocol version", err)
	}
}

// get reads the whole answer and returns it without its body.
func get(t *testing.T, client *http.Client, url string) (*http.Response, error) {
	t.Helper()
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, err
}

// dns is a server of names on loopback that gives the same IPv4 address to
// every question, or no such name while it has none.
type dns struct {
	conn   net.PacketConn
	answer atomic.Pointer[netip.Addr]
}

func newDNS(t *testing.T) *dns {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dns{conn: conn}
	done := make(chan struct{})
	go func() { defer close(done); d.serve() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return d
}

func (d *dns) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.conn.LocalAddr().String())
	}}
}

func (d *dns) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = d.conn.WriteTo(d.reply(buf[:n]), from)
	}
}

// reply answers one question (RFC 1035 §4): the question's header and body
// again, and an A record that points back at the name at offset 12.
func (d *dns) reply(q []byte) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	isA := q[end-4] == 0 && q[end-3] == 1
	ip := d.answer.Load()
	r := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	switch {
	case ip == nil:
		r[3] |= 3 // no such name
	case isA:
		r[7] = 1
		r = append(r, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		r = append(r, ip.AsSlice()...)
	}
	return r
}

func FuzzCheckURL(f *testing.F) {
	f.Add("https://93.184.216.34/hook")
	f.Add("http://[::ffff:127.0.0.1]:80/")
	f.Add("https://u@h:1/#x")
	offline := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, net.ErrClosed
	}}
	f.Fuzz(func(t *testing.T, raw string) {
		err := safehttp.CheckURL(t.Context(), raw, safehttp.Options{Resolver: offline})
		if err != nil && fault.Of(err) == nil {
			t.Errorf("CheckURL(%q) = %v, which nobody classified", raw, err)
		}
	})
}
