package connectionrequested_test

import (
	"context"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/connectionrequested"
	"handoff/tests/functiontest"
)

// applications is a hub that gives an id, or fails.
type applications struct {
	id     string
	err    error
	forget func() (*events.HubSecretsForgotten, error)
}

func (a applications) ForgetSecrets(context.Context, connection.State) (*events.HubSecretsForgotten, error) {
	return a.forget()
}

func (a applications) EnsureApplication(context.Context, connection.State) (string, bool, error) {
	return a.id, false, a.err
}

func handler(b *functiontest.Bench, a applications) *connectionrequested.Handler {
	return &connectionrequested.Handler{Ledger: b.Ledger, Applications: a, Streams: b.Keys}
}

func reservation(b *functiontest.Bench, id string) events.StreamID {
	return b.Keys.SystemStreamID(events.KindReservation, "generic", "desk", id)
}

func TestTheApplicationIsReservedAndRegistered(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	b.Twice(handler(b, applications{id: "app-1"}).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "AppRegistered")
	b.Want(reservation(b, "app-1"), "Reserved")
	if f, _ := b.Last(n.Stream).(*events.AppRegistered); f == nil || f.ApplicationID != "app-1" || f.Organisation != "desk" {
		t.Errorf("registered %+v, want app-1 in desk", f)
	}
}

func TestAnApplicationOfAnotherConnectionIsRefused(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	h := handler(b, applications{id: "app-1"})
	first := b.Give("store-bot", functiontest.Requested("store-bot"))
	second := b.Give("travel-bot", functiontest.Requested("travel-bot"))
	b.Twice(h.Handle, first)
	b.Twice(h.Handle, second)
	b.Want(second.Stream, "ConnectionRequested", "StepFailed")
	f, _ := b.Last(second.Stream).(*events.StepFailed)
	if f == nil || f.Code != "application-id-taken" || !f.Permanent {
		t.Errorf("failure = %+v, want a permanent application-id-taken", f)
	}
	b.Want(reservation(b, "app-1"), "Reserved")
}

func TestAnOtherApplicationIsGivenBackAfterASecondAttempt(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Twice(handler(b, applications{id: "app-1"}).Handle, b.Give("store-bot", functiontest.Requested("store-bot")))
	n := b.Give("store-bot", &events.StepFailed{Step: "channel", Code: "refused", Permanent: true}, functiontest.Requested("store-bot"))
	b.Twice(handler(b, applications{id: "app-2"}).Handle, n)
	b.Want(reservation(b, "app-1"), "Reserved", "Released")
	b.Want(reservation(b, "app-2"), "Reserved")
}

func TestADisconnectMeanwhileGivesTheApplicationBack(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	h := handler(b, applications{id: "app-1"})
	h.Applications = disconnecting{b: b}
	b.Twice(h.Handle, n)
	b.Want(reservation(b, "app-1"), "Reserved", "Released")
	b.Want(n.Stream, "ConnectionRequested", "Disconnected")
}

// disconnecting is a hub during whose answer the connection is disconnected.
type disconnecting struct {
	applications

	b *functiontest.Bench
}

func (d disconnecting) EnsureApplication(context.Context, connection.State) (string, bool, error) {
	d.b.Give("store-bot", &events.Disconnected{Policy: events.PolicyDrain, Deadline: &d.b.Clock})
	return "app-1", false, nil
}

func TestAFailingHubIsRecordedAndTriedAgain(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	down := fault.New(fault.Unavailable, "hub-down", "The hub does not answer.")
	for range 2 {
		if err := handler(b, applications{err: down}).Handle(t.Context(), n); fault.CodeOf(err) != "hub-down" {
			t.Fatalf("error = %v, want hub-down, so that the step is tried again", err)
		}
	}
	b.Want(n.Stream, "ConnectionRequested", "StepFailed")
	b.Twice(handler(b, applications{id: "app-1"}).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "StepFailed", "AppRegistered")
}

func TestTheSampleEvent(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	if err := handler(b, applications{id: "app-1"}).Handle(t.Context(), functiontest.Sample(t, "ConnectionRequested")); err != nil {
		t.Errorf("a fact of an unknown stream led to %v, want nothing", err)
	}
	if b.Count() != 0 {
		t.Errorf("it appended %d facts, want none", b.Count())
	}
}

// Secrets are forgotten once, and not those of a connection that is back.
func TestSecretsAreForgotten(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	n := b.Give("store-bot", &events.OmnichannelSet{}, &events.Disconnected{Policy: events.PolicyDrain, Deadline: &b.Clock})
	down, times := error(fault.New(fault.Unavailable, "graph-unavailable", "Later.")), 0
	h := handler(b, applications{forget: func() (*events.HubSecretsForgotten, error) {
		times++
		return &events.HubSecretsForgotten{Removed: 1}, down
	}})
	if err := h.Forget(t.Context(), n); !fault.Is(err, "graph-unavailable") {
		t.Errorf("error = %v, so that it is not tried again", err)
	}
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Step != connection.StepForget {
		t.Errorf("last fact = %+v, want a failure of step forget", b.Last(n.Stream))
	}
	down = nil
	b.Twice(h.Forget, n)
	if f, _ := b.Last(n.Stream).(*events.HubSecretsForgotten); f == nil || f.Removed != 1 || times != 2 {
		t.Errorf("last fact = %+v after %d calls", b.Last(n.Stream), times)
	}
	b.Give("store-bot", functiontest.Requested("store-bot"))
	b.Twice(h.Forget, n)
	if times != 2 {
		t.Error("the secrets of a connection that is back were forgotten")
	}
}
