package disconnected_test

import (
	"context"
	"slices"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/tests/functiontest"
)

// hub knows users and remembers what was done to them.
type hub struct {
	done []string
	fail error
	gone bool
	// meanwhile happens while a user is being disabled.
	meanwhile func()
}

func (h *hub) EnableUser(_ context.Context, c connection.State) (*events.ApplicationUserEnabled, error) {
	h.done = append(h.done, "enable "+c.Tenant)
	return nil, nil
}

func (h *hub) DisableUser(_ context.Context, c connection.State, u connection.User) (bool, error) {
	h.done = append(h.done, "disable "+u.ID+" of "+c.Tenant)
	if h.meanwhile != nil {
		h.meanwhile()
	}
	return h.gone, h.fail
}

// withUser is a connection with a user in its hub, disconnected.
func withUser(b *functiontest.Bench) events.Notification {
	b.Helper()
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	b.Give("store-bot", &events.ApplicationUserEnabled{HubType: "generic", Organisation: "desk", ApplicationID: "app-store-bot", User: "u-1", By: connection.ByHandoff})
	return b.Give("store-bot", &events.Disconnected{Policy: events.PolicyDrain, Deadline: &b.Clock})
}

func TestTheUserIsDisabledBeforeTheIDIsGivenBack(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n, a, u := withUser(b), &around{}, &hub{gone: true}
	h := handler(b, a)
	h.Users = u
	u.meanwhile = func() {
		if len(a.released) > 0 {
			t.Error("the id was given back while its user worked")
		}
	}
	b.Twice(h.Handle, n)
	if f, _ := b.Last(n.Stream).(*events.ApplicationUserDisabled); f == nil || f.User != "u-1" || !f.Gone {
		t.Errorf("last fact = %+v, want that u-1 was disabled, and gone", b.Last(n.Stream))
	}
	if want := []string{"disable u-1 of default"}; !slices.Equal(u.done, want) {
		t.Errorf("the hub was asked to %v, want %v", u.done, want)
	}
	if len(a.released) == 0 {
		t.Error("the id was not given back")
	}
}

func TestAnIDWhoseUserStillWorksIsKept(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		err   *fault.Error
		again bool
	}{
		"the hub is down: it is tried again":        {fault.New(fault.Unavailable, "dataverse-unavailable", "Later."), true},
		"the hub refuses it: somebody has to do it": {fault.New(fault.Unprocessable, "dataverse-permission-missing", "Grant it."), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := functiontest.New(t)
			n, a, u := withUser(b), &around{open: []events.StreamID{{1}}}, &hub{fail: c.err}
			h := handler(b, a)
			h.Users = u
			for range 2 {
				if err := h.Handle(t.Context(), n); c.again != (fault.CodeOf(err) == c.err.Code) {
					t.Errorf("error = %v", err)
				}
			}
			if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Step != connection.StepLeave || f.Code != c.err.Code {
				t.Errorf("last fact = %+v, want a failure of step leave", b.Last(n.Stream))
			}
			if len(a.released)+a.forgot > 0 || len(a.settled) != 2 {
				t.Errorf("released %v, settled %v; want the id kept and escalations settled all the same", a.released, a.settled)
			}
			u.fail = nil
			b.Twice(h.Handle, n)
			if len(a.released) == 0 || a.forgot > 0 {
				t.Errorf("released %v and forgot %d times when the user was disabled; want the id back, and the secrets kept for what may still finish", a.released, a.forgot)
			}
		})
	}
}

// The steps of a reconnect may find the user on right before it is disabled.
func TestAReconnectMeanwhileGetsItsUserBack(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n, u := withUser(b), &hub{}
	u.meanwhile = func() { b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...) }
	h := handler(b, &around{})
	h.Users = u
	if err := h.Handle(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if want := []string{"disable u-1 of default", "enable default"}; !slices.Equal(u.done, want) {
		t.Errorf("the hub was asked to %v, want %v", u.done, want)
	}
	if _, ready := b.Last(n.Stream).(*events.ConnectionReady); !ready {
		t.Errorf("last fact = %T, want none after ConnectionReady", b.Last(n.Stream))
	}
}

// Whatever moves to another connection needs this one's secrets no more.
func TestSecretsAreForgottenWhereNothingMayFinish(t *testing.T) {
	t.Parallel()
	b, a := functiontest.New(t), new(around)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	n := b.Give("store-bot", &events.Disconnected{Policy: events.PolicyMove, Target: "other-bot"})
	b.Twice(handler(b, a).Handle, n)
	if a.forgot != 2 {
		t.Errorf("asked %d times to forget, want each time", a.forgot)
	}
}
