package connectionrequested_test

import (
	"context"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/functions/connectionrequested"
	"handoff/tests/functiontest"
)

// hub is one that can be looked at, and that notes in which order it was asked.
type hub struct {
	applications

	t     *testing.T
	seen  *connection.Inspection
	err   error
	made  error
	asked []string
	// before is called when the application is about to be changed.
	before func()
}

func (h *hub) Inspect(_ context.Context, c connection.State) (*connection.Inspection, error) {
	if c.Tenant != functiontest.Tenant {
		h.t.Errorf("asked for tenant %q", c.Tenant)
	}
	h.asked = append(h.asked, "look")
	return h.seen, h.err
}

func (h *hub) EnsureApplication(context.Context, connection.State) (string, bool, error) {
	h.asked = append(h.asked, "ensure")
	if h.before != nil {
		h.before()
	}
	return "app-1", false, h.made
}

func inspecting(b *functiontest.Bench, h *hub) *connectionrequested.Handler {
	return &connectionrequested.Handler{Ledger: b.Ledger, Applications: h, Inspector: h, Streams: b.Keys}
}

func TestAKnownApplicationIsReservedBeforeAnythingIsChanged(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	h := &hub{t: t, seen: &connection.Inspection{ApplicationID: "app-1", Bot: publication.Finding{State: publication.Published}}}
	h.before = func() { b.Want(reservation(b, "app-1"), "Reserved") }
	b.Twice(inspecting(b, h).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "PrerequisitesChecked", "BotPublished", "AppRegistered")
	b.Want(reservation(b, "app-1"), "Reserved")
}

func TestAConflictIsFoundBeforeAnythingIsChanged(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Twice(handler(b, applications{id: "app-1"}).Handle, b.Give("travel-bot", functiontest.Requested("travel-bot")))
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	h := &hub{t: t, seen: &connection.Inspection{ApplicationID: "app-1"}}
	b.Twice(inspecting(b, h).Handle, n)
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Code != "application-id-taken" || !f.Permanent {
		t.Errorf("failure = %+v, want a permanent application-id-taken", f)
	}
	for _, what := range h.asked {
		if what != "look" {
			t.Errorf("the hub was asked to %s", what)
		}
	}
}

func TestWhatIsMissingIsSaidTogetherAndNothingIsChanged(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	h := &hub{t: t, seen: &connection.Inspection{ApplicationID: "app-1", Findings: []events.Finding{
		{Code: "a", Detail: "Do this.", Blocking: true}, {Code: "b", Detail: "Do that.", Blocking: true},
	}}}
	b.Twice(inspecting(b, h).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "PrerequisitesChecked", "StepFailed")
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Detail != "Do this. Do that." || !f.Permanent {
		t.Errorf("failure = %+v, want both", f)
	}
	b.Want(reservation(b, "app-1"))
	h.seen.Findings = nil
	b.Twice(inspecting(b, h).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "PrerequisitesChecked", "StepFailed", "PrerequisitesChecked", "AppRegistered")
}

func TestAHubThatCantBeLookedAtIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	h := &hub{t: t, err: fault.New(fault.Unavailable, "dataverse-throttled", "Later.")}
	if err := inspecting(b, h).Handle(t.Context(), n); fault.CodeOf(err) != "dataverse-throttled" {
		t.Errorf("error = %v, so that it is not tried again", err)
	}
	b.Want(n.Stream, "ConnectionRequested", "StepFailed")
	h.err = fault.New(fault.Unprocessable, "entra-secret-invalid", "Give another one.")
	b.Twice(inspecting(b, h).Handle, n)
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Step != connection.StepPrerequisites || f.Code != "entra-secret-invalid" {
		t.Errorf("failure = %+v, want entra-secret-invalid", f)
	}
}

func TestAHubWithNothingToLookAtLeavesNoFact(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	b.Twice(inspecting(b, &hub{t: t}).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "AppRegistered")
}

// An id whose user works in the hub still is given back with that, not before.
func TestAnIDWithAUserIsKeptForNow(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	old := functiontest.Requested("store-bot")
	old.Hub.ApplicationID = "app-old"
	n := b.Give("store-bot", old)
	b.Twice(handler(b, applications{id: "app-old"}).Handle, n)
	b.Give("store-bot", &events.ChannelEnabled{}, &events.ApplicationUserEnabled{HubType: "generic", Organisation: "desk", ApplicationID: "app-old", By: connection.ByHandoff},
		&events.Disconnected{Policy: events.PolicyDrain, Deadline: &b.Clock})
	b.Twice(handler(b, applications{id: "app-1"}).Handle, b.Give("store-bot", functiontest.Requested("store-bot")))
	b.Want(reservation(b, "app-old"), "Reserved")
}

// What was reserved for an application that could not be changed is given back
// when another one is asked for.
func TestAReservationOfAFailedAttemptIsGivenBack(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := b.Give("store-bot", functiontest.Requested("store-bot"))
	h := &hub{t: t, seen: &connection.Inspection{ApplicationID: "app-9"}, made: fault.New(fault.Unprocessable, "graph-permission-missing", "Grant it.")}
	b.Twice(inspecting(b, h).Handle, n)
	b.Want(reservation(b, "app-9"), "Reserved")
	h.seen, h.made = &connection.Inspection{ApplicationID: "app-1"}, nil
	b.Twice(inspecting(b, h).Handle, b.Give("store-bot", functiontest.Requested("store-bot")))
	b.Want(reservation(b, "app-9"), "Reserved", "Released")
	b.Want(reservation(b, "app-1"), "Reserved")
}
