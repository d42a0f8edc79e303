package httpapi

import "handoff/domain/identity"

// Place is a route as tests see it.
type Place struct {
	Method, Path string
	Action       identity.Action
	Query        []string
	Open         bool // needs no credentials
	Own          bool // admits its callers itself
	Signable     bool // takes a signature in place of a key
	// Tenant says that the route is closed to keys of one connection.
	Tenant bool
}

// Places returns the routes that New mounts for api.
func Places(api API) []Place {
	s := &server{api: api}
	var all []Place
	for _, rt := range s.bound() {
		all = append(all, Place{
			Method: rt.method, Path: rt.path, Action: rt.action, Query: rt.query,
			Open: rt.reach == reachOpen, Own: rt.reach == reachOwn, Signable: rt.reach == reachIntake, Tenant: rt.reach == reachTenant,
		})
	}
	return all
}
