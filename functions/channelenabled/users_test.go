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

// users is a hub that knows users, or not.
type users struct {
	none     bool
	fail     error
	disabled []string
}

func (u *users) EnableUser(_ context.Context, c connection.State) (*events.ApplicationUserEnabled, error) {
	if u.fail != nil || u.none {
		return nil, u.fail
	}
	return &events.ApplicationUserEnabled{
		HubType: c.Hub.Type, Organisation: c.Hub.Organisation, ApplicationID: c.ApplicationID,
		User: "user-of-" + c.Tenant, Done: events.UserCreated, By: connection.ByHandoff,
	}, nil
}

func (u *users) DisableUser(_ context.Context, _ connection.State, old connection.User) (bool, error) {
	u.disabled = append(u.disabled, old.ApplicationID)
	return false, nil
}

func given(b *functiontest.Bench) events.Notification {
	return b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)[:5]...)
}

func TestTheUserIsEnabledBeforeTheConnectionOpens(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	b.Twice((&channelenabled.Handler{Ledger: b.Ledger, Hub: hub{}, Users: &users{}}).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "RulesAdopted", "EndpointSet", "AppRegistered", "ChannelEnabled", "ApplicationUserEnabled", "ConnectionReady")
}

func TestHubsWithoutUsersOpenAsBefore(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	b.Twice((&channelenabled.Handler{Ledger: b.Ledger, Hub: hub{}, Users: &users{none: true}}).Handle, n)
	b.Want(n.Stream, "ConnectionRequested", "RulesAdopted", "EndpointSet", "AppRegistered", "ChannelEnabled", "ConnectionReady")
}

func TestAUserThatCantBeEnabledKeepsTheConnectionClosed(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	u := &users{fail: fault.New(fault.Unprocessable, "dataverse-permission-missing", "Grant it.")}
	h := &channelenabled.Handler{Ledger: b.Ledger, Hub: hub{}, Users: u}
	b.Twice(h.Handle, n)
	if f, _ := b.Last(n.Stream).(*events.StepFailed); f == nil || f.Step != connection.StepUser || !f.Permanent {
		t.Errorf("failure = %+v, want one of step user", f)
	}
	u.fail = fault.New(fault.Unavailable, "dataverse-throttled", "Later.")
	if err := h.Handle(t.Context(), n); fault.CodeOf(err) != "dataverse-throttled" {
		t.Errorf("error = %v, so that it is not tried again", err)
	}
	u.fail = nil
	b.Twice(h.Handle, n)
	if _, ready := b.Last(n.Stream).(*events.ConnectionReady); !ready {
		t.Errorf("last fact = %T, want ConnectionReady", b.Last(n.Stream))
	}
}

// Whoever connects again with another application id does not leave the first
// one's user behind.
func TestTheUserOfAnEarlierSessionIsDisabled(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	old := functiontest.Requested("store-bot")
	old.Hub.ApplicationID = "app-old"
	b.Give("store-bot", old, &events.AppRegistered{HubType: "generic", Organisation: "desk", ApplicationID: "app-old"},
		&events.ChannelEnabled{}, &events.ApplicationUserEnabled{HubType: "generic", Organisation: "desk", ApplicationID: "app-old", By: connection.ByHandoff},
		&events.Disconnected{Policy: events.PolicyDrain, Deadline: &b.Clock})
	n := given(b)
	u := &users{}
	b.Twice((&channelenabled.Handler{Ledger: b.Ledger, Hub: hub{}, Users: u}).Handle, n)
	if len(u.disabled) != 1 || u.disabled[0] != "app-old" {
		t.Errorf("disabled %v, want app-old", u.disabled)
	}
	if f, _ := b.Last(n.Stream).(*events.ApplicationUserDisabled); f == nil || f.ApplicationID != "app-old" {
		t.Errorf("last fact = %+v, want that app-old was disabled", b.Last(n.Stream))
	}
}
