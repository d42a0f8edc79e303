package cli

import (
	"context"
	"errors"
	"time"

	"handoff/domain/check"
	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/apiclient"
)

// chatOptions say how the chat of a check goes.
type chatOptions struct {
	plan check.Plan
	wait time.Duration // for the queue, and then for the end
}

// How often a check is looked at, and how long its chat may take to close.
const (
	checkPause = time.Second
	closeTime  = 30 * time.Second
)

// wholeCheck is what a check from end to end is printed as.
type wholeCheck struct {
	connection.Checked

	Check  check.Begun `json:"check"`
	Hops   []check.Hop `json:"hops"`
	Passed bool        `json:"passed"`
}

// checkWhole opens a chat, follows it until it stands where it is to stand,
// closes it, whatever came of it, and follows it to its end.
func (a *app) checkWhole(ctx context.Context, client *apiclient.Client, seen connection.Checked, o chatOptions) error {
	f := follower{client: client, id: seen.Connection.ID, codec: events.Register()}
	err := a.patiently(ctx, "following a chat", func(ctx context.Context) error {
		began, err := client.BeginCheck(ctx, f.id, o.plan)
		if err != nil {
			return err
		}
		f.trail, f.after = check.NewTrail(began), began.After
		err = f.follow(ctx, o.wait, f.trail.Arrived)
		if closing := f.close(context.WithoutCancel(ctx), a.Now); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
		return f.follow(ctx, o.wait, f.trail.Settled)
	})
	if f.trail == nil {
		return err
	}
	whole := wholeCheck{Checked: seen, Check: f.trail.Begun, Hops: f.trail.Hops(), Passed: f.trail.Passed()}
	if printed := a.print(whole, func() { a.showWhole(whole) }); printed != nil {
		return printed
	}
	if err == nil && !whole.Passed {
		return &checkError{"the check did not come to its end"}
	}
	return err
}

func (a *app) showWhole(w wholeCheck) {
	a.showChecked(w.Checked)
	a.out.Printf("\n")
	for _, h := range w.Hops {
		at := "        "
		if !h.At.IsZero() {
			at = h.At.In(a.now().Location()).Format(time.TimeOnly)
		}
		a.out.Printf("  %s %s  ", hopMark(h.State), at)
		if h.Detail != "" {
			h.Title += ": " + h.Detail
		}
		a.out.Paragraph("", h.Title)
		if h.Next != "" {
			a.out.Paragraph("          ", terminal.Yellow(h.Next))
		}
	}
	a.out.Printf("\n")
	if w.Passed {
		a.out.Printf("%s\n", terminal.Green("The check came to its end."))
	}
	_ = a.out.Flush() // an error is kept for the end
}

func hopMark(s check.State) any {
	switch s {
	case check.OK:
		return terminal.Green("ok         ")
	case check.NotChecked:
		return terminal.Dim("not checked")
	case check.Wrong:
		return terminal.Red("wrong      ")
	}
	return terminal.Red("missing    ")
}

// follower follows a check.
type follower struct {
	client *apiclient.Client
	id     string // of the connection
	codec  *events.Codec
	trail  *check.Trail
	after  int64
}

// follow looks at the check until it is as wanted or was waited for. That it was
// waited for in vain is no error: the hops say so.
func (f *follower) follow(ctx context.Context, wait time.Duration, done func() bool) error {
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ticker := time.NewTicker(checkPause)
	defer ticker.Stop()
	for {
		if err := f.look(within); err != nil && (ctx.Err() != nil || !passing(err)) {
			return err
		}
		if done() || within.Err() != nil {
			return ctx.Err()
		}
		select {
		case <-ticker.C:
		case <-within.Done():
		}
	}
}

// passing reports whether a look that failed is worth another one.
func passing(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || !fault.KindOf(err).Permanent()
}

// look takes the facts that are new, and looks at the chat where they don't tell
// enough.
func (f *follower) look(ctx context.Context) error {
	for r, err := range f.client.History(ctx, f.id, apiclient.Reading{After: f.after}) {
		if err != nil {
			return err
		}
		f.after = r.Position
		fact, err := f.codec.Decode(r.Type, r.Schema, r.Clear)
		if errors.Is(err, events.ErrUnknownFact) {
			continue // of a newer server
		}
		if err != nil {
			return err
		}
		f.trail.Observe(r.Header, fact)
	}
	if _, given := f.trail.Stream(); given && f.trail.Record != "" && f.trail.ClosedAt.IsZero() || f.trail.Settled() {
		return nil
	}
	seen, err := f.client.LookCheck(ctx, f.id, f.trail.Chat)
	if err == nil {
		f.trail.See(seen)
	}
	return err
}

// close closes the chat, also where nobody waits for it any more.
func (f *follower) close(ctx context.Context, now func() time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	if err := f.client.EndCheck(ctx, f.id, f.trail.Chat); err != nil {
		return err
	}
	f.trail.Close(now())
	return nil
}
