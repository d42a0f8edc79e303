package httpapi

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"handoff/events"
)

// StoredFact is a fact as stored, in JSON. Everything that its hash covers is
// there, so that whoever has all facts of a stream can check the chain; of a
// sealed part that is its SHA-256.
type StoredFact struct {
	ID          string          `json:"id"`
	Position    int64           `json:"position"`
	Stream      string          `json:"stream"`
	Version     int             `json:"version"`
	Kind        string          `json:"kind"`
	Type        string          `json:"type"`
	Schema      int             `json:"schema"`
	Tenant      string          `json:"tenant"`
	Connection  string          `json:"connection_id,omitempty"`
	Time        time.Time       `json:"time"` // to the nanosecond
	Commit      string          `json:"commit,omitempty"`
	Causation   string          `json:"causation,omitempty"`
	Correlation string          `json:"correlation,omitempty"`
	Actor       string          `json:"actor,omitempty"`
	Key         string          `json:"key,omitempty"`
	Trace       string          `json:"trace,omitempty"`
	Clear       json.RawMessage `json:"clear"`
	HasSealed   bool            `json:"has_sealed"`
	SealedSum   string          `json:"sealed_sum,omitempty"`
	// Sealed are the sealed bytes, where they were asked for and are stored
	// with the fact.
	Sealed []byte `json:"sealed,omitempty"`
	Hash   string `json:"hash"`
}

// StoredFactOf returns the record in JSON, its sealed bytes only if asked for.
func StoredFactOf(r events.Record, sealed bool) StoredFact {
	f := StoredFact{
		ID: r.ID(), Position: r.Position, Stream: r.Stream.String(), Version: r.Version, Kind: string(r.Kind), Type: r.Type,
		Schema: r.Schema, Tenant: r.Tenant, Connection: r.Connection, Time: r.At(), Commit: r.Commit, Causation: r.Causation,
		Correlation: r.Correlation, Actor: r.Actor, Key: string(r.Key), Trace: r.Trace, Clear: r.Clear,
		HasSealed: r.HasSealed(), Hash: r.Hash.String(),
	}
	if f.HasSealed {
		f.SealedSum = r.SealedSum.String()
	}
	if sealed {
		f.Sealed = r.Sealed
	}
	return f
}

// Record returns the record that the JSON was made of, as far as it was told.
// It does not check the hash.
func (f StoredFact) Record() (events.Record, error) {
	stream, err := uuid.Parse(f.Stream)
	if err != nil {
		return events.Record{}, fmt.Errorf("read fact %s: %w", f.ID, err)
	}
	r := events.Record{
		Header: events.Header{
			Stream: stream, Version: f.Version, Kind: events.Kind(f.Kind), Type: f.Type, Schema: f.Schema, Tenant: f.Tenant,
			Connection: f.Connection, Time: f.Time.UnixNano(), Commit: f.Commit, Causation: f.Causation,
			Correlation: f.Correlation, Actor: f.Actor, Key: events.KeyID(f.Key), Trace: f.Trace,
		},
		Clear: f.Clear, Sealed: f.Sealed, Position: f.Position,
	}
	if err := readHash(&r.Hash, f.Hash); err != nil {
		return events.Record{}, fmt.Errorf("read hash of fact %s: %w", f.ID, err)
	}
	if f.HasSealed {
		if err := readHash(&r.SealedSum, f.SealedSum); err != nil {
			return events.Record{}, fmt.Errorf("read sum of fact %s: %w", f.ID, err)
		}
	}
	return r, nil
}

func readHash(dst *events.Hash, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(dst) {
		return fmt.Errorf("%q is no SHA-256", s)
	}
	copy(dst[:], b)
	return nil
}
