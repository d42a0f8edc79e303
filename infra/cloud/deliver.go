package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/dynamolanes"
	"handoff/infra/eventbus"
	"handoff/infra/keyring"
	"handoff/infra/safehttp"
	"handoff/infra/vault"
	"handoff/infra/webhookout"
)

// beside is what an attempt takes beside the request: reading the log, and
// writing down what came of it.
const beside = 15 * time.Second

// Lanes returns the queue of deliveries. Functions that send set its Worker.
func (c *Cloud) Lanes() *dynamolanes.Queue {
	return dynamolanes.New(dynamolanes.NewTable(c.DB(), c.Need(WorkTable)), dynamolanes.NewSQSTimers(c.SQS(), c.Need(TimersQueue)), c.Now,
		dynamolanes.Options{Timeout: c.Settings.DeliveryTimeout + beside})
}

// Sender returns what sends webhooks, as on one machine: with the secrets of the
// keyring, and to no address that is not meant to be reached.
func (c *Cloud) Sender(keys *keyring.Keyring) *webhookout.Sender {
	client := safehttp.NewClient(safehttp.Options{Allow: c.Settings.Allow, Timeout: c.Settings.DeliveryTimeout})
	return webhookout.NewSender(client, vault.New(keys), c.Version, c.Now)
}

// Outgoing puts outgoing events on the bus, as CloudEvents in structured mode.
type Outgoing struct{ bus *eventbus.Bus }

// Outgoing returns how much of an outgoing event goes on the bus, and the bus;
// nil where none is to go there.
func (c *Cloud) Outgoing() (*Outgoing, emission.Mode, error) {
	switch mode := emission.Mode(c.Need(BusEvents)); mode {
	case "off":
		return nil, "", nil
	case emission.Thin, emission.Full:
		return &Outgoing{bus: c.Bus()}, mode, nil
	default:
		return nil, "", fault.Newf(fault.Invalid, "settings-invalid", "%s is %q, want off, thin or full.", BusEvents, string(mode))
	}
}

// Emit puts an event on the bus; its type is the detail-type. One that is larger
// than an entry of a bus is a fault of kind TooLarge.
func (o *Outgoing) Emit(ctx context.Context, e emission.Event) error {
	detail, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.ID, err)
	}
	return o.bus.Put(ctx, eventbus.Event{Type: e.Type, Time: e.Time, Detail: detail})[0]
}

// OnDeliver answers what deliveries come from: the FIFO queue of facts, the queue
// of wake-ups, and the schedule that takes up what is overdue.
func OnDeliver(handle func(context.Context, events.Notification) error, lanes *dynamolanes.Queue) Handler {
	wakeUps := OnQueue(func(ctx context.Context, m Message) error {
		lane, err := dynamolanes.ParseWakeUp(m.Body)
		if err != nil {
			return err
		}
		return lanes.Work(ctx, lane)
	})
	facts := OnFact(handle)
	batch := func(ctx context.Context, payload []byte) ([]byte, error) {
		if ordered(payload) {
			return facts(ctx, payload)
		}
		return wakeUps(ctx, payload)
	}
	return Choose(batch, OnSchedule(lanes.Sweep))
}

// ordered reports whether a batch is of a FIFO queue.
func ordered(payload []byte) bool {
	var shape struct {
		Records []struct {
			Attributes struct{ MessageGroupID string } `json:"attributes"`
		}
	}
	err := json.Unmarshal(payload, &shape) // which finds MessageGroupId in any case
	return err == nil && len(shape.Records) > 0 && shape.Records[0].Attributes.MessageGroupID != ""
}
