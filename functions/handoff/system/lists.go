package system

import (
	"context"
	"iter"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/directory"
)

// catchUp is how long a question waits for the lists to be up to date.
const catchUp = 5 * time.Second

// lists answers from the read models, once they know everything that was in the
// log when the question was asked.
type lists struct{ *System }

func (l lists) upToDate(ctx context.Context) error {
	last, err := l.Log.Last(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	if err := l.runner.CatchUp(ctx, directory.Name, last); err != nil {
		return fault.New(fault.Unavailable, "lists-behind", "The lists are not up to date just now; try again in a moment.").Because(err)
	}
	return nil
}

// Escalation implements api.Lists.
func (l lists) Escalation(ctx context.Context, tenant, prefix string) (listing.Escalation, error) {
	if err := l.upToDate(ctx); err != nil {
		return listing.Escalation{}, err
	}
	return l.Directory.Escalation(ctx, tenant, prefix)
}

// ByCustomer implements api.Lists.
func (l lists) ByCustomer(ctx context.Context, tenant, ref string) ([]events.StreamID, error) {
	if err := l.upToDate(ctx); err != nil {
		return nil, err
	}
	return l.Directory.ByCustomer(ctx, tenant, ref)
}

// Open implements disconnected.Escalations. It waits as long as ctx allows:
// what it leaves out would stay open.
func (l lists) Open(ctx context.Context, tenant, connection string, position int64) iter.Seq2[events.StreamID, error] {
	return func(yield func(events.StreamID, error) bool) {
		if err := l.runner.CatchUp(ctx, directory.Name, position); err != nil {
			yield(events.StreamID{}, err)
			return
		}
		for o, err := range l.Directory.Open(ctx, tenant, connection) {
			if !yield(o.Stream, err) || err != nil {
				return
			}
		}
	}
}

func (l lists) escalations(ctx context.Context, by identity.Principal, q listing.EscalationQuery) ([]listing.Escalation, string, error) {
	q.Tenant = by.Tenant
	if by.Connection != "" {
		q.Connection = by.Connection
	}
	if err := l.upToDate(ctx); err != nil {
		return nil, "", err
	}
	return l.Directory.Escalations(ctx, q)
}

func (l lists) connections(ctx context.Context, by identity.Principal, q listing.ConnectionQuery) ([]listing.Connection, string, error) {
	q.Tenant = by.Tenant
	if err := l.upToDate(ctx); err != nil {
		return nil, "", err
	}
	return l.Directory.Connections(ctx, q)
}

func (l lists) deliveries(ctx context.Context, by identity.Principal, q listing.DeliveryQuery) ([]listing.Delivery, string, error) {
	q.Tenant = by.Tenant
	if by.Connection != "" {
		q.Connection = by.Connection
	}
	if err := l.upToDate(ctx); err != nil {
		return nil, "", err
	}
	rows, next, err := l.Directory.Deliveries(ctx, q)
	for i := range rows {
		if err == nil {
			err = l.scheduled(ctx, &rows[i])
		}
	}
	return rows, next, err
}

// scheduled says when a pending delivery is tried again, which only the queue
// knows.
func (l lists) scheduled(ctx context.Context, d *listing.Delivery) error {
	if d.Status != string(delivery.Pending) {
		return nil
	}
	stream, err := delivery.ParseName(d.ID)
	if err != nil {
		return err
	}
	row, found, err := l.queue.Find(ctx, stream)
	if found && !row.Behind {
		d.NextAt = row.Due
	}
	return err
}

// delivery returns a delivery and the facts that it consists of.
func (l lists) delivery(ctx context.Context, by identity.Principal, id string) (listing.Delivery, []events.Record, error) {
	if err := l.upToDate(ctx); err != nil {
		return listing.Delivery{}, nil, err
	}
	row, err := l.Directory.Delivery(ctx, by.Tenant, id)
	if err == nil {
		err = l.scheduled(ctx, &row)
	}
	if err != nil {
		return listing.Delivery{}, nil, err
	}
	stream, err := delivery.ParseName(row.ID)
	if err != nil {
		return listing.Delivery{}, nil, err
	}
	var facts []events.Record
	for r, err := range l.Log.Read(ctx, stream, 1) {
		if err != nil {
			return listing.Delivery{}, nil, err
		}
		facts = append(facts, r)
	}
	return row, facts, nil
}

func (l lists) resend(ctx context.Context, by identity.Principal, id string) (listing.Delivery, error) {
	if _, err := l.bound.deliver.Resend(ctx, by, id); err != nil {
		return listing.Delivery{}, err
	}
	row, _, err := l.delivery(ctx, by, id)
	return row, err
}
