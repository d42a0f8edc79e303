package steps

import (
	"context"
	"errors"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Users looks after the application users of connections in their hubs.
type Users interface {
	// EnableUser makes the connection's user, or enables it, with its role and
	// queue. It may be called again and then finds it so. Hubs that know no
	// users get nil.
	EnableUser(ctx context.Context, c connection.State) (*events.ApplicationUserEnabled, error)
	// DisableUser disables a user that the connection had. What belongs to the
	// user stays in the hub. gone says that somebody had deleted it.
	DisableUser(ctx context.Context, c connection.State, u connection.User) (gone bool, err error)
}

// Leave disables the application users that the connection which n tells of has
// no use for. It tries each even if one fails, and is not to be called with nil
// Users. What fails becomes a fact where the connection is disconnected; only
// what is worth another try is returned.
func Leave(ctx context.Context, l *eventlog.Ledger, users Users, n events.Notification, function string) error {
	r, err := eventlog.State(ctx, l, connection.Decider, n.Stream)
	if err != nil {
		return fmt.Errorf("leave the hub: %w", err)
	}
	r.State.Tenant = n.Tenant
	s := Step{Name: connection.StepLeave, Function: function}
	var failed []error
	for _, u := range r.State.Unused() {
		err := disable(ctx, l, users, n, s, r.State, u)
		if err == nil {
			continue
		}
		if _, recorded := execute(ctx, l, n, s, failure(n, s, r.State.Session, err)); recorded != nil {
			failed = append(failed, recorded)
		}
		if !fault.KindOf(err).Permanent() {
			failed = append(failed, fmt.Errorf("disable user %s: %w", u.ID, err))
		}
	}
	return errors.Join(failed...)
}

// disable disables one user. A connection that was asked for again meanwhile may
// have found the user on right before: then it is enabled once more.
func disable(ctx context.Context, l *eventlog.Ledger, users Users, n events.Notification, s Step, c connection.State, u connection.User) error {
	gone, err := users.DisableUser(ctx, c, u)
	if err != nil {
		return err
	}
	after, err := execute(ctx, l, n, s, eh.Command(connection.DisableUser{To: connection.To(n.Stream), Fact: events.ApplicationUserDisabled{
		HubType: u.HubType, Organisation: u.Organisation, ApplicationID: u.ApplicationID, User: u.ID, Gone: gone,
	}}))
	if err != nil {
		return err
	}
	if now, ok := after.User(); !ok || now.Held != u.Held {
		return nil
	}
	after.Tenant = n.Tenant
	_, err = users.EnableUser(ctx, after)
	return err
}
