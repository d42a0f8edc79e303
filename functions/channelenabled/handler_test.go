package channelenabled_test

import (
	"context"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/channelenabled"
	"handoff/tests/functiontest"
)

// hub is ready, or says what is missing.
type hub struct {
	err, refused error
	rules        *events.HubRulesSet
}

func (h hub) CheckReady(context.Context, connection.State) error { return h.err }

func (h hub) AddRules(context.Context, connection.State) (*events.HubRulesSet, error) {
	return h.rules, h.refused
}

func TestTheConnectionOpens(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)[:5]...)
	b.Twice((&channelenabled.Handler{Ledger: b.Ledger, Hub: hub{}}).Handle, n)
	if _, ready := b.Last(n.Stream).(*events.ConnectionReady); !ready {
		t.Errorf("last fact = %T, want ConnectionReady", b.Last(n.Stream))
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)[:5]...)
	missing := fault.New(fault.Unprocessable, "endpoint-missing", "Add an endpoint.")
	b.Twice((&channelenabled.Handler{Ledger: b.Ledger, Hub: hub{err: missing}}).Handle, n)
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Code != "endpoint-missing" || f.Detail != "Add an endpoint." {
		t.Errorf("failure = %+v, want endpoint-missing", f)
	}
}

// Whoever lets Handoff add rules is not told that all is ready without them.
func TestTheHubHasItsRulesBeforeTheConnectionOpens(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)[:5]...)
	refused := hub{refused: fault.New(fault.Unprocessable, "hub-rules-unreadable", "By hand.")}
	b.Twice((&channelenabled.Handler{Ledger: b.Ledger, Hub: refused}).Handle, n)
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Step != connection.StepHubRules || f.Code != "hub-rules-unreadable" {
		t.Errorf("last fact = %+v, want a failure of step hub-rules", b.Last(n.Stream))
	}
	set := hub{rules: &events.HubRulesSet{Workstream: "w", Variables: []string{"HandoffQueue"}}}
	b.Twice((&channelenabled.Handler{Ledger: b.Ledger, Hub: set}).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "RulesAdopted", "EndpointSet", "AppRegistered", "ChannelEnabled", "StepFailed", "HubRulesSet", "ConnectionReady")
}

func TestAStepThatComesTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)[:5]...)
	b.Give("store-bot", &events.Disconnected{Policy: events.PolicyDrain, Deadline: &b.Clock})
	before := b.Count()
	b.Twice((&channelenabled.Handler{Ledger: b.Ledger, Hub: hub{}}).Handle, n)
	if after := b.Count(); after != before {
		t.Errorf("it appended %d facts, want none", after-before)
	}
}

func TestTheSampleEvent(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	h := &channelenabled.Handler{Ledger: b.Ledger, Hub: hub{}}
	if err := h.Handle(t.Context(), functiontest.Sample(t, "ChannelEnabled")); err != nil || b.Count() != 0 {
		t.Errorf("a fact of an unknown stream led to %v and %d facts, want nothing", err, b.Count())
	}
}
