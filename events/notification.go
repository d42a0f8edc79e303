package events

import (
	"encoding/json"
	"time"
)

// Notification is what a function is told of a fact: where it stands in the log
// and its clear part. It has nothing private in it, so it may travel over a bus
// and wait in a queue; a function that needs more reads the log.
type Notification struct {
	ID         string   `json:"id"` // stream@version
	Stream     StreamID `json:"stream"`
	Version    int      `json:"version"`
	Kind       Kind     `json:"kind"`
	Type       string   `json:"type"`
	Schema     int      `json:"schema"`
	Tenant     string   `json:"tenant"`
	Connection string   `json:"connection,omitempty"`
	// Time is written as RFC 3339 with nanoseconds, in UTC.
	Time        time.Time `json:"time"`
	Commit      string    `json:"commit"`
	Causation   string    `json:"causation,omitempty"`
	Correlation string    `json:"correlation,omitempty"`
	Actor       string    `json:"actor,omitempty"`
	Trace       string    `json:"trace,omitempty"`
	// Position is the fact's place in the feed, 0 where a log has none.
	Position int64 `json:"position,omitempty"`
	// Clear is the clear part in the version that Schema names. As JSON it
	// means what was stored, but need not have the same bytes.
	Clear json.RawMessage `json:"clear"`
}

// Notify returns what a function is told of a fact. It shares the bytes of the
// clear part with r.
func Notify(r Record) Notification {
	return Notification{
		ID: r.ID(), Stream: r.Stream, Version: r.Version, Kind: r.Kind, Type: r.Type, Schema: r.Schema,
		Tenant: r.Tenant, Connection: r.Connection, Time: r.At(), Commit: r.Commit, Causation: r.Causation,
		Correlation: r.Correlation, Actor: r.Actor, Trace: r.Trace, Position: r.Position, Clear: r.Clear,
	}
}
