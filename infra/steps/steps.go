// Package steps carries out one step of connecting a bot to a hub: what the
// functions connectionrequested, appregistered and channelenabled share.
package steps

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Step is one step: its name, the function that does it, and the status from
// which it starts.
type Step struct {
	Name     string
	Function string
	From     connection.Status
}

// Run does the step for the connection that n tells of and returns the
// connection after it. Where the connection is not at the step's start, it was
// done before or came too late, and nothing happens.
//
// The state that do gets names its tenant. do carries out the outside effect, which must bear being repeated, and
// returns the command that records it. If it fails, the failure becomes a fact
// too. A permanent failure is settled with that and returns nil; any other is
// returned, so that the step is tried again.
func Run(ctx context.Context, l *eventlog.Ledger, n events.Notification, s Step, do func(context.Context, connection.State) (eh.Command, error)) (connection.State, error) {
	c, err := eventlog.State(ctx, l, connection.Decider, n.Stream)
	if err != nil {
		return connection.State{}, fmt.Errorf("step %s: %w", s.Name, err)
	}
	if c.State.Status != s.From {
		return c.State, nil
	}
	c.State.Tenant = n.Tenant
	cmd, err := do(ctx, c.State)
	if err == nil {
		return execute(ctx, l, n, s, cmd)
	}
	after, recorded := execute(ctx, l, n, s, failure(n, s, c.State.Session, err))
	if recorded != nil {
		return after, recorded
	}
	if fault.KindOf(err).Permanent() {
		return after, nil
	}
	return after, fmt.Errorf("step %s of connection %s: %w", s.Name, c.State.ID, err)
}

func execute(ctx context.Context, l *eventlog.Ledger, n events.Notification, s Step, cmd eh.Command) (connection.State, error) {
	r, err := eventlog.Execute(ctx, l, connection.Decider, eventlog.Home(n), eventlog.Because(n, s.Function),
		func(connection.State) (eh.Command, error) { return cmd, nil })
	if err != nil {
		return connection.State{}, fmt.Errorf("step %s: %w", s.Name, err)
	}
	return r.State, nil
}

func failure(n events.Notification, s Step, session int, err error) eh.Command {
	f := events.StepFailed{Step: s.Name, Code: fault.CodeOf(err), Detail: "It failed inside of Handoff; it is tried again.", Permanent: fault.KindOf(err).Permanent()}
	if known := fault.Of(err); known != nil {
		f.Detail = known.Detail
	}
	return connection.FailStep{To: connection.To(n.Stream), Session: session, Fact: f}
}
