package system

import (
	"context"
	"iter"
	"time"

	"handoff/domain/fault"
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

// Escalations implements api.Lists.
func (l lists) Escalations(ctx context.Context, q listing.EscalationQuery) ([]listing.Escalation, string, error) {
	if err := l.upToDate(ctx); err != nil {
		return nil, "", err
	}
	return l.Directory.Escalations(ctx, q)
}

// Connections implements api.Lists.
func (l lists) Connections(ctx context.Context, q listing.ConnectionQuery) ([]listing.Connection, string, error) {
	if err := l.upToDate(ctx); err != nil {
		return nil, "", err
	}
	return l.Directory.Connections(ctx, q)
}

// Deliveries implements api.Lists.
func (l lists) Deliveries(ctx context.Context, q listing.DeliveryQuery) ([]listing.Delivery, string, error) {
	if err := l.upToDate(ctx); err != nil {
		return nil, "", err
	}
	return l.Directory.Deliveries(ctx, q)
}

// Delivery implements api.Lists.
func (l lists) Delivery(ctx context.Context, tenant, id string) (listing.Delivery, error) {
	if err := l.upToDate(ctx); err != nil {
		return listing.Delivery{}, err
	}
	return l.Directory.Delivery(ctx, tenant, id)
}

// nextTry says when a delivery is tried again, which only the queue knows.
func (s *System) nextTry(ctx context.Context, id events.StreamID) (time.Time, error) {
	row, found, err := s.queue.Find(ctx, id)
	if !found || row.Behind {
		return time.Time{}, err
	}
	return row.Due, err
}
