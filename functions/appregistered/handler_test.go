package appregistered_test

import (
	"context"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/appregistered"
	"handoff/tests/functiontest"
)

// channels is a hub that has a channel, or fails.
type channels struct {
	fact     events.ChannelEnabled
	err      error
	endpoint *events.MessagingEndpointSet
	fail     error
}

func (c channels) EnsureChannel(context.Context, connection.State) (events.ChannelEnabled, error) {
	return c.fact, c.err
}

func (c channels) EnsureEndpoint(context.Context, connection.State) (*events.MessagingEndpointSet, error) {
	return c.endpoint, c.fail
}

func given(b *functiontest.Bench) events.Notification {
	return b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)[:4]...)
}

func TestTheChannelIsRecordedAsItWasFound(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]bool{"it was off": false, "it was on already": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := functiontest.New(t)
			n := given(b)
			h := &appregistered.Handler{Ledger: b.Ledger, Channels: channels{fact: events.ChannelEnabled{Channel: "teams", AlreadyOn: on, By: "handoff"}}}
			b.Twice(h.Handle, n)
			if f, _ := b.Last(n.Stream).(*events.ChannelEnabled); f == nil || f.AlreadyOn != on || f.Channel != "teams" {
				t.Errorf("enabled %+v, want teams, already on %t", f, on)
			}
		})
	}
}

// The channel is not turned on before what it brings arrives at Handoff.
func TestTheEndpointComesFirst(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	c := channels{fact: events.ChannelEnabled{Channel: "teams"}, fail: fault.New(fault.Conflict, "azure-bot-endpoint-differs", "It posts elsewhere.")}
	b.Twice((&appregistered.Handler{Ledger: b.Ledger, Channels: c}).Handle, n)
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Step != connection.StepEndpoint || f.Code != "azure-bot-endpoint-differs" {
		t.Errorf("last fact = %+v, want a failure of step endpoint", b.Last(n.Stream))
	}
	c.fail, c.endpoint = nil, &events.MessagingEndpointSet{AzureBot: "a", Was: "https://old.example", Is: "https://new.example"}
	h := &appregistered.Handler{Ledger: b.Ledger, Channels: c}
	b.Twice(h.Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "RulesAdopted", "EndpointSet", "AppRegistered", "StepFailed", "MessagingEndpointSet", "ChannelEnabled")
}

func TestARefusedChannelIsSettledWithAFact(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	h := &appregistered.Handler{Ledger: b.Ledger, Channels: channels{err: fault.New(fault.Forbidden, "channel-refused", "No rights.")}}
	b.Twice(h.Handle, n)
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Code != "channel-refused" || !f.Permanent || f.Step != "channel" {
		t.Errorf("failure = %+v, want a permanent channel-refused", f)
	}
}

func TestAnErrorThatNobodyClassifiedTellsNothingOfItself(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	h := &appregistered.Handler{Ledger: b.Ledger, Channels: channels{err: context.DeadlineExceeded}}
	if err := h.Handle(t.Context(), n); err == nil {
		t.Fatal("error = nil, want one, so that the step is tried again")
	}
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Code != "internal" || f.Permanent || f.Detail == context.DeadlineExceeded.Error() {
		t.Errorf("failure = %+v, want an internal one without the error's text", f)
	}
}

func TestTheSampleEvent(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	h := &appregistered.Handler{Ledger: b.Ledger, Channels: channels{}}
	if err := h.Handle(t.Context(), functiontest.Sample(t, "AppRegistered")); err != nil || b.Count() != 0 {
		t.Errorf("a fact of an unknown stream led to %v and %d facts, want nothing", err, b.Count())
	}
}
