package delivery

import (
	"fmt"
	"strings"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/uuid"

	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/events"
)

// To addresses a command to a delivery's stream.
type To uuid.UUID

// AggregateID implements eventhorizon's Command.
func (t To) AggregateID() uuid.UUID { return uuid.UUID(t) }

// AggregateType implements eventhorizon's Command.
func (To) AggregateType() eh.AggregateType { return eh.AggregateType(events.KindDelivery) }

// Attempt records how one attempt went, and in the same commit what follows.
type Attempt struct {
	To
	// Number is that of the attempt: one more than the state had when it began.
	Number  int
	Subject events.DeliverySubject
	Outcome Outcome
	Erased  bool // the context was left out, because it was erased
	Last    bool // give up if it failed, however many attempts are left
}

// Park gives up without another attempt.
type Park struct {
	To
	Subject events.DeliverySubject
	Code    string
	// Now is recorded where there was no attempt at all.
	Now Outcome
}

// Resend begins another round of attempts.
type Resend struct{ To }

// CommandType implements eventhorizon's Command.
func (Attempt) CommandType() eh.CommandType { return "Attempt" }

// CommandType implements eventhorizon's Command.
func (Park) CommandType() eh.CommandType { return "Park" }

// CommandType implements eventhorizon's Command.
func (Resend) CommandType() eh.CommandType { return "Resend" }

// ParseName returns the stream of a delivery's id as people see it, or a
// NotFound fault.
func ParseName(name string) (events.StreamID, error) {
	rest, ok := strings.CutPrefix(strings.ToLower(name), namePrefix)
	stream, n, err := escid.Parse(escid.Prefix + rest)
	if !ok || err != nil || n != 1 {
		return events.StreamID{}, notFound()
	}
	return stream, nil
}

func notFound() error {
	return fault.New(fault.NotFound, "delivery-not-found", "There is no such delivery.")
}

func decide(s State, cmd eh.Command) ([]events.Fact, error) {
	switch c := cmd.(type) {
	case Attempt:
		return attempt(s, c), nil
	case Park:
		return park(s, c), nil
	case Resend:
		return resend(s)
	default:
		return nil, fmt.Errorf("delivery: unknown command %s", cmd.CommandType())
	}
}

// attempt records an attempt once, known by its number. A confirmation counts
// even where another attempt was recorded meanwhile.
func attempt(s State, c Attempt) []events.Fact {
	if s.ended() || c.Number <= s.Attempts && !c.Outcome.Delivered() {
		return nil
	}
	n := s.Attempts + 1
	facts := []events.Fact{tried(n, c.Subject, c.Outcome, c.Erased)}
	switch {
	case c.Outcome.Delivered():
		facts = append(facts, &events.Delivered{Attempt: n})
	case c.Outcome.Code == CodeGone:
		facts = append(facts, &events.DeliveryParked{Attempt: n, Code: CodeGone})
	case c.Last || s.InRound+1 >= MaxAttempts():
		facts = append(facts, &events.DeliveryParked{Attempt: n, Code: CodeExhausted})
	}
	return facts
}

func tried(n int, subject events.DeliverySubject, o Outcome, erased bool) *events.DeliveryAttempted {
	return &events.DeliveryAttempted{
		Subject: subject, Attempt: n, StartedAt: o.StartedAt.UTC(), DurationMS: o.Duration.Milliseconds(),
		Status: o.Status, Code: o.Code, Erased: erased,
	}
}

// park gives up. Where nothing was ever tried it records an attempt that ended
// before it began, because that fact names what was to be delivered where.
func park(s State, c Park) []events.Fact {
	if s.ended() {
		return nil
	}
	var facts []events.Fact
	n := s.Attempts
	if n == 0 {
		n = 1
		c.Now.Code = c.Code
		facts = append(facts, tried(n, c.Subject, c.Now, false))
	}
	return append(facts, &events.DeliveryParked{Attempt: n, Code: c.Code})
}

func resend(s State) ([]events.Fact, error) {
	if s.Version == 0 {
		return nil, notFound()
	}
	if !s.ended() {
		return nil, nil
	}
	return []events.Fact{&events.DeliveryResent{Round: s.Round + 1}}, nil
}

func (s State) ended() bool { return s.Status == Delivered || s.Status == Parked }
