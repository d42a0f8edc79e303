// Package contract holds the client of Azure Bot Service and its fake to what
// the vendor publishes: the vendor's own Go client and the vendor's own fake
// server, both of the API version that Handoff uses. It is a module of its own,
// so that what it compares with is no dependency of Handoff's.
package contract
