package httpapi

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"handoff/domain/fault"
	"handoff/domain/identity"
)

// reach says what a route is about, and so how its caller is admitted.
type reach uint8

const (
	// reachOpen routes answer anybody.
	reachOpen reach = iota
	// reachOwn routes admit their callers themselves, and take any query.
	reachOwn
	// reachIntake routes are open to keys and to signatures over the body, which
	// they check themselves.
	reachIntake
	// reachKey routes answer whoever has a key.
	reachKey
	// reachConnection routes name their connection in the path.
	reachConnection
	// reachTenant routes are closed to keys that are limited to a connection.
	reachTenant
	// reachLimited routes need the role; the operation cuts what they do to the
	// caller's connection, since only it knows what belongs where.
	reachLimited
)

// route is one operation at its place.
type route struct {
	method string
	path   string
	reach  reach
	action identity.Action // that the caller must be allowed
	query  []string        // parameters that it takes
	bound  bool            // there is an operation for it
	handle func(x *exchange, r *http.Request) error
}

func (rt route) methods() []string {
	if rt.method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead} // ServeMux serves both
	}
	return []string{rt.method}
}

func (rt route) checkQuery(u *url.URL) error {
	if rt.reach == reachIntake || rt.reach == reachOwn {
		return nil // bots' platforms add parameters of their own
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fault.New(fault.Invalid, "query-invalid", "The query of the URL can't be read.")
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		switch {
		case !slices.Contains(rt.query, name):
			return fault.Newf(fault.Invalid, "parameter-unknown", "There is no parameter %q here%s.", name, choice(rt.query))
		case len(q[name]) > 1:
			return fault.Newf(fault.Invalid, "parameter-invalid", "The parameter %q may be given once.", name)
		}
	}
	return nil
}

func choice(names []string) string {
	if len(names) == 0 {
		return ", there is none at all"
	}
	return "; there is " + strings.Join(names, ", ")
}

// bound returns the routes that have an operation.
func (s *server) bound() []route {
	all := slices.Concat(s.openRoutes(), s.intakeRoutes(), s.connectionRoutes(), s.escalationRoutes(), s.deliveryRoutes(), s.keyRoutes(), s.auditRoutes())
	return slices.DeleteFunc(all, func(rt route) bool { return !rt.bound })
}

func (s *server) openRoutes() []route {
	return []route{
		{method: "GET", path: "/healthz", reach: reachOpen, bound: s.api.Healthy != nil, handle: s.healthy},
		{method: "GET", path: "/v1/openapi.yaml", reach: reachOpen, bound: true, handle: s.document},
		{method: "GET", path: "/schemas/{schema}", reach: reachOpen, bound: true, handle: s.schema},
		{method: "GET", path: "/c/{link}", reach: reachOpen, bound: s.api.ContextByLink != nil, handle: s.contextByLink},
		{method: "POST", path: "/v1/messages/{tenant}/{connection}", reach: reachOwn, bound: s.api.Messages != nil, handle: s.messages},
		{method: "GET", path: "/v1/version", reach: reachKey, bound: true, handle: s.version},
		{method: "GET", path: "/v1/whoami", reach: reachKey, bound: true, handle: s.whoami},
	}
}

func (s *server) intakeRoutes() []route {
	return []route{
		{method: "POST", path: "/v1/connections/{connection}/escalations", reach: reachIntake, action: identity.ActRaise, bound: s.api.Raise != nil, handle: s.raise},
		{method: "POST", path: "/v1/connections/{connection}/activities", reach: reachIntake, action: identity.ActRaise, bound: s.api.Raise != nil, handle: s.activities},
	}
}

func (s *server) connectionRoutes() []route {
	const one = "/v1/connections/{connection}"
	admin := identity.ActAdminConnections
	return []route{
		{method: "GET", path: "/v1/connections", reach: reachLimited, action: identity.ActList, query: pageQuery(), bound: s.api.Connections != nil, handle: s.connections},
		{method: "POST", path: "/v1/connections", reach: reachTenant, action: admin, bound: s.api.Connect != nil, handle: s.connect},
		{method: "GET", path: one, reach: reachConnection, action: identity.ActList, bound: s.api.Connection != nil, handle: s.connection},
		{method: "POST", path: one + "/disconnect", reach: reachConnection, action: admin, bound: s.api.Disconnect != nil, handle: s.disconnect},
		{method: "POST", path: one + "/check", reach: reachConnection, action: admin, bound: s.api.CheckConnection != nil, handle: s.checkConnection},
		{method: "POST", path: one + "/checks", reach: reachConnection, action: admin, bound: s.api.BeginCheck != nil, handle: s.beginCheck},
		{method: "GET", path: one + "/checks/{chat}", reach: reachConnection, action: admin, bound: s.api.LookCheck != nil, handle: s.lookCheck},
		{method: "DELETE", path: one + "/checks/{chat}", reach: reachConnection, action: admin, bound: s.api.EndCheck != nil, handle: s.endCheck},
		{method: "POST", path: one + "/application-secret", reach: reachConnection, action: admin, bound: s.api.RotateApplicationSecret != nil, handle: s.rotateApplicationSecret},
		{method: "GET", path: one + "/rules", reach: reachConnection, action: identity.ActReadHistory, bound: s.api.Rules != nil, handle: s.rules},
		{method: "PUT", path: one + "/rules", reach: reachConnection, action: admin, bound: s.api.AdoptRules != nil, handle: s.adoptRules},
		{method: "POST", path: "/v1/rules/check", reach: reachLimited, action: admin, bound: s.api.CheckRules != nil, handle: s.checkRules},
		{method: "PUT", path: one + "/endpoints/{endpoint}", reach: reachConnection, action: admin, bound: s.api.SetEndpoint != nil, handle: s.setEndpoint},
		{method: "DELETE", path: one + "/endpoints/{endpoint}", reach: reachConnection, action: admin, bound: s.api.RemoveEndpoint != nil, handle: s.removeEndpoint},
		{method: "POST", path: one + "/endpoints/{endpoint}/secret", reach: reachConnection, action: admin, bound: s.api.RotateSecret != nil, handle: s.rotateSecret},
		{method: "POST", path: one + "/webhook-secret", reach: reachConnection, action: admin, bound: s.api.RotateSecret != nil, handle: s.rotateSecret},
	}
}

func (s *server) escalationRoutes() []route {
	const one = "/v1/escalations/{escalation}"
	filters := pageQuery("id", "queue", "status")
	read, why, see, report, erase := s.api.Escalation != nil, s.api.Why != nil, s.api.Context != nil, s.api.Report != nil, s.api.Erase != nil
	return []route{
		{method: "GET", path: "/v1/connections/{connection}/escalations", reach: reachConnection, action: identity.ActList, query: filters, bound: s.api.Escalations != nil, handle: s.escalations},
		{method: "GET", path: "/v1/escalations", reach: reachLimited, action: identity.ActList, query: append(filters, "connection"), bound: s.api.Escalations != nil, handle: s.escalations},
		{method: "GET", path: one, reach: reachLimited, action: identity.ActReadEscalation, bound: read, handle: s.escalation},
		{method: "GET", path: one + "/status", reach: reachLimited, action: identity.ActReadEscalation, bound: read, handle: s.status},
		{method: "POST", path: one + "/status", reach: reachLimited, action: identity.ActStatus, bound: report, handle: s.report},
		{method: "GET", path: one + "/why", reach: reachLimited, action: identity.ActReadWhy, bound: why, handle: s.why},
		{method: "GET", path: one + "/context", reach: reachLimited, action: identity.ActReadContext, bound: see, handle: s.context},
		{method: "DELETE", path: one + "/context", reach: reachLimited, action: identity.ActErase, bound: erase, handle: s.eraseOne},
		{method: "POST", path: "/v1/erasures", reach: reachLimited, action: identity.ActErase, bound: erase, handle: s.erase},
	}
}

func (s *server) deliveryRoutes() []route {
	const one = "/v1/deliveries/{delivery}"
	filters := pageQuery("connection", "escalation", "status")
	return []route{
		{method: "GET", path: "/v1/deliveries", reach: reachLimited, action: identity.ActList, query: filters, bound: s.api.Deliveries != nil, handle: s.deliveries},
		{method: "GET", path: one, reach: reachLimited, action: identity.ActList, bound: s.api.Delivery != nil, handle: s.delivery},
		{method: "POST", path: one + "/resend", reach: reachLimited, action: identity.ActAdminDeliveries, bound: s.api.Resend != nil, handle: s.resend},
	}
}

func (s *server) keyRoutes() []route {
	keys := identity.ActAdminKeys
	return []route{
		{method: "GET", path: "/v1/keys", reach: reachTenant, action: keys, bound: s.api.Keys != nil, handle: s.keys},
		{method: "POST", path: "/v1/keys", reach: reachTenant, action: keys, bound: s.api.IssueKey != nil, handle: s.issueKey},
		{method: "DELETE", path: "/v1/keys/{key}", reach: reachTenant, action: keys, bound: s.api.RevokeKey != nil, handle: s.revokeKey},
	}
}

func (s *server) auditRoutes() []route {
	const one = "/v1/connections/{connection}"
	history := identity.ActReadHistory
	return []route{
		{method: "GET", path: one + "/history", reach: reachConnection, action: history, query: []string{"after", "sealed"}, bound: s.api.History != nil, handle: s.history},
		{method: "GET", path: one + "/state", reach: reachConnection, action: history, query: []string{"at"}, bound: s.api.StateAt != nil, handle: s.stateAt},
		{method: "GET", path: "/v1/facts", reach: reachTenant, action: history, query: []string{"after", "sealed"}, bound: s.api.Facts != nil, handle: s.facts},
		{method: "GET", path: "/v1/verify", reach: reachTenant, action: identity.ActVerify, query: []string{"against"}, bound: s.api.Verify != nil, handle: s.verify},
	}
}

func pageQuery(more ...string) []string { return append([]string{"cursor", "limit"}, more...) }
