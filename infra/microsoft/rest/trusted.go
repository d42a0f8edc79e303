package rest

import (
	"slices"
	"strings"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/cloud"
)

// Trusted returns the address of a service without the slash that some have at
// their end, if a token may be sent there: its scheme is https (http on
// loopback) and its host is on the list, where a host that begins with a dot
// means all below it. Addresses come from outside even where their sender was
// authenticated. Its faults are service-url-invalid, national-cloud-unsupported
// and service-url-refused.
func Trusted(address string, hosts []string) (base string, err error) {
	u, err := cloud.Base(address)
	if err != nil {
		return "", err
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	listed := func(h string) bool { return host == h || strings.HasPrefix(h, ".") && strings.HasSuffix(host, h) }
	if !slices.ContainsFunc(hosts, listed) {
		return "", fault.Newf(fault.Unprocessable, "service-url-refused", "The host %s is not known as one of this service; no token is sent there.", host)
	}
	return u.String(), nil
}
