package connection

import "handoff/events"

// Ref names a connection and its stream, for those who go through many.
type Ref struct {
	Tenant, ID string
	Stream     events.StreamID
}
