// Package cloud tells Microsoft's public cloud from its national ones.
//
// Handoff speaks to the public cloud only. The hosts, scopes and issuers of the
// national clouds are others, nothing here was ever tried against them, and data
// must not cross their borders; so their hosts are refused by name, before a
// secret or token is sent.
package cloud

import (
	"net/netip"
	"net/url"
	"strings"

	"handoff/domain/fault"
)

// national has the domains of national clouds and what they are called. Of the
// power platform: Microsoft's list of datacenter regions (documented) and its
// client's list of discovery services (read from the SDK); of Azure and of
// tenants' domains: general knowledge.
//
//nolint:gochecknoglobals // a table that never changes
var national = []struct{ domain, name string }{
	{"crm9.dynamics.com", "the US government's cloud (GCC)"},
	{"microsoftdynamics.us", "the US government's cloud (GCC High)"},
	{"appsplatform.us", "the US Department of Defense's cloud"},
	{"powerapps.us", "the US government's cloud"},
	{"microsoftonline.us", "the US government's cloud"},
	{"microsoft.us", "the US government's cloud"},
	{"onmicrosoft.us", "the US government's cloud"},
	{"azure.us", "the US government's cloud"},
	{"botframework.us", "the US government's cloud"},
	{"usgovcloudapi.net", "the US government's cloud"},
	{"dynamics.cn", "the cloud of 21Vianet in China"},
	{"chinacloudapi.cn", "the cloud of 21Vianet in China"},
	{"microsoftonline.cn", "the cloud of 21Vianet in China"},
	{"onmschina.cn", "the cloud of 21Vianet in China"},
	{"azure.cn", "the cloud of 21Vianet in China"},
	{"microsoftdynamics.de", "the closed Microsoft Cloud Germany"},
	{"microsoftonline.de", "the closed Microsoft Cloud Germany"},
	{"cloudapi.de", "the closed Microsoft Cloud Germany"},
}

// CheckHost refuses, with the code national-cloud-unsupported, a host of a
// national cloud. Every other host passes. A host has no port.
func CheckHost(host string) error {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, n := range national {
		if host == n.domain || strings.HasSuffix(host, "."+n.domain) {
			return fault.Newf(fault.Unprocessable, "national-cloud-unsupported",
				"The host %s belongs to %s. Handoff works with Microsoft's public cloud only; use an environment there.", host, n.name)
		}
	}
	return nil
}

// Base reads the address of an API to which tokens are going to be sent:
// https, or http on loopback, where a fake may run; no user, query or fragment;
// not of a national cloud. Its fault has the code service-url-invalid or
// national-cloud-unsupported.
func Base(address string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	switch {
	case err != nil:
		return nil, invalid("It can't be read.") // without the cause, which repeats a password
	case u.Hostname() == "" || u.Opaque != "":
		return nil, invalid("It names no host.")
	case u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())):
		return nil, invalid("It must begin with https://.")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, invalid("It must be a host and a path, without user, query or fragment.")
	}
	return u, CheckHost(u.Hostname())
}

// Loopback reports whether a host is this machine.
func Loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func invalid(why string) error {
	return fault.New(fault.Unprocessable, "service-url-invalid", "The address of a service of Microsoft's is wrong. "+why)
}
