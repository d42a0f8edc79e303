package rest_test

import (
	"net/url"
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/infra/microsoft/rest"
)

// No spelling of an address has a token sent to a host that is on no list.
func FuzzTrusted(f *testing.F) {
	for _, seed := range []string{
		"https://smba.trafficmanager.net/emea/", "https://smba.trafficmanager.net.", "https://smba.trafficmanager.net:8443", "https://a.botframework.com",
		"https://smba.trafficmanager.net@evil.example/", "https://evil.example/smba.trafficmanager.net", "https://evilsmba.trafficmanager.net", "https://botframework.com",
		"https://smba.trafficmanager.net/emea?", "https://smba.trafficmanager.net#x", "http://smba.trafficmanager.net", "http://127.0.0.1:1", "https://xbotframework.com",
		"https://smb\u0430.trafficmanager.net", "https://smba.trafficmanager.net%2f@evil.example", "https:smba.trafficmanager.net", "//smba.trafficmanager.net", "https://.botframework.com", "https://SMBA.trafficmanager.NET/\n",
	} {
		f.Add(seed)
	}
	hosts := []string{"smba.trafficmanager.net", ".botframework.com"}
	f.Fuzz(func(t *testing.T, address string) {
		base, err := rest.Trusted(address, hosts)
		if err != nil {
			return
		}
		u, err := url.Parse(base + "/v3/conversations/c?x=1")
		if err != nil {
			t.Fatalf("Trusted(%q) = %q: %v", address, base, err)
		}
		host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		if u.Scheme != "https" || u.User != nil || host != hosts[0] && !strings.HasSuffix(host, hosts[1]) || !strings.HasSuffix(u.Path, "/v3/conversations/c") || u.RawQuery != "x=1" {
			t.Errorf("Trusted(%q) = %q, which leads to %s", address, base, u)
		}
	})
}

func FuzzRefusal(f *testing.F) {
	f.Add(403, `{"error":{"code":"TokenExpired","message":"x"}}`, "60")
	f.Add(429, `{"error":"x"}`, "Mon, 23 Nov 2026 09:00:00 GMT")
	f.Add(500, `<html>`, "-1")
	f.Add(307, `{"error":{"code":7}}`, "99999999999999999999")
	f.Fuzz(func(t *testing.T, status int, body, after string) {
		if status < 300 || status > 599 {
			return
		}
		s := &script{answers: []answer{{status: status, body: body, after: after}}}
		c := client(s)
		c.Retry.Attempts = 1
		_, err := c.Do(t.Context(), rest.Request{Method: "GET", URL: "https://hub.example/"})
		fa, r := fault.Of(err), rest.RefusalOf(err)
		if fa == nil || r == nil || r.Status != status || len(r.Code) > 100 || len(r.Message) > 500 || fa.RetryAfter < 0 {
			t.Errorf("err = %+v, refusal %+v", fa, r)
		}
		if fa != nil && (fa.Kind == fault.Unauthenticated || fa.Kind == fault.Forbidden) {
			t.Errorf("%d speaks of the one who called Handoff: %v", status, err)
		}
	})
}
