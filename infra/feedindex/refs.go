package feedindex

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex/parallel"
)

// Referred is a log that notes whose conversation it is before it stores what
// says so: an erasure by customer that starts after an append has returned
// finds the conversation. A reference costs a write unit; writing it again
// changes nothing. A reference whose commit was refused leads to a conversation
// that says nothing of the customer, which its finder sees.
type Referred struct {
	eventlog.Log
	index *Index
	codec *events.Codec
}

// WithRefs returns log with references noted.
func WithRefs(log eventlog.Log, x *Index, codec *events.Codec) *Referred {
	return &Referred{log, x, codec}
}

// Append implements eventlog.Log.
func (l *Referred) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	if err := l.Refer(ctx, c); err != nil {
		return eventlog.Head{}, err
	}
	return l.Log.Append(ctx, c)
}

// Refer notes the references in a commit that is stored by other means than
// Append.
func (l *Referred) Refer(ctx context.Context, c eventlog.Commit) error {
	refs, err := l.refs(c)
	if err != nil {
		return err
	}
	err = parallel.Each(ctx, workers, len(refs), func(ctx context.Context, i int) error {
		_, err := l.index.table.Put(ctx, Row{Partition: refPartition(c.Tenant, refs[i]), Order: c.Stream.String()}, false)
		return err
	})
	if err != nil {
		return fmt.Errorf("note whose conversation %s is: %w", c.Stream, err)
	}
	return nil
}

func (l *Referred) refs(c eventlog.Commit) (refs []string, err error) {
	for i := range c.Facts {
		r := &c.Facts[i]
		if !refers(r.Type) {
			continue
		}
		f, err := l.codec.Decode(r.Type, r.Schema, r.Clear)
		if err != nil {
			return nil, err
		}
		refs = append(refs, CustomerRefs(f)...)
	}
	return refs, nil
}

// refers reports whether facts of a type may say whose conversation it is.
func refers(typ string) bool {
	return typ == "EscalationRaised" || typ == "EscalationContextAdded" || typ == "RelayStarted"
}

// CustomerRefs returns the references in a fact.
func CustomerRefs(f events.Fact) []string {
	switch f := f.(type) {
	case *events.EscalationRaised:
		return f.CustomerRefs
	case *events.EscalationContextAdded:
		return f.CustomerRefs
	case *events.RelayStarted:
		return f.CustomerRefs
	}
	return nil
}

// ByCustomer returns the conversations of a tenant of which a reference to a
// customer, which is a keyed hash, was noted. Whether a conversation says so in
// the end, its facts tell.
func (x *Index) ByCustomer(ctx context.Context, tenant, ref string) (streams []events.StreamID, err error) {
	for row, err := range x.table.Query(ctx, Range{Partition: refPartition(tenant, ref)}) {
		var id events.StreamID
		if err == nil {
			id, err = uuid.Parse(row.Order)
		}
		if err != nil {
			return nil, fmt.Errorf("find conversations of a customer: %w", err)
		}
		streams = append(streams, id)
	}
	return streams, nil
}
