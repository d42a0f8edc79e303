package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff/events"
	"handoff/functions/handoff/cli/chronicle"
	"handoff/infra/apiclient"
	"handoff/infra/microsoft/simulation/hub"
)

// often is how often the log and the pages are looked at.
const often = 50 * time.Millisecond

// hops tells what happens: what the log says, and what people see in the pages
// of the fake. What was said stands in the log sealed, so it is told from the
// pages.
type hops struct {
	client *apiclient.Client
	hub    *hub.Hub
	show   func(label, format string, args ...any)
	teller *chronicle.Teller
	after  int64           // position of the last fact that was told
	seen   map[string]bool // types of facts
	said   map[string]int  // messages that were told, by conversation
}

func newTeller(now func() time.Time) *chronicle.Teller {
	return chronicle.New(events.Register(), now().Location())
}

// hop is one thing that happened.
type hop struct {
	at          time.Time
	label, text string
}

var errLate = errors.New("it did not happen in time")

// until tells what happens until done says so, or ctx ends.
func (h *hops) until(ctx context.Context, done func() (bool, error)) error {
	err := h.look(ctx, done)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errLate // whatever was interrupted by it
	}
	return err
}

func (h *hops) look(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		yes, err := done()
		if err := h.tell(ctx); err != nil {
			return err
		}
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// fact tells what happens until there is a fact of a type.
func (h *hops) fact(ctx context.Context, factType string) error {
	err := h.until(ctx, func() (bool, error) { return h.seen[factType], nil })
	if err != nil {
		return fmt.Errorf("wait for the fact %s: %w", factType, err)
	}
	return nil
}

// tell tells what is new, in the order of its time.
func (h *hops) tell(ctx context.Context) error {
	all := h.pages()
	for r, err := range h.client.Facts(ctx, apiclient.Reading{After: h.after}) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		h.after, h.seen[r.Type] = r.Position, true
		if r.Type != "RelayRested" {
			all = append(all, h.recorded(r))
		}
	}
	slices.SortStableFunc(all, func(a, b hop) int { return a.at.Compare(b.at) })
	for _, one := range all {
		h.show(one.label, "%s", one.text)
	}
	return nil
}

func (h *hops) recorded(r events.Record) hop {
	l := h.teller.Tell(r)
	about, _, _ := strings.Cut(l.About, " ")
	label := "log"
	switch r.Kind {
	case events.KindConnection:
		label = "connect"
	case events.KindReservation:
		label, about = "connect", l.About
	case events.KindConversation, events.KindDelivery:
	}
	return hop{r.At(), label, about + " " + l.Text}
}

// pages returns what people see since the last look.
func (h *hops) pages() (all []hop) {
	for _, c := range h.hub.Conversations() {
		for _, m := range c.Messages[h.said[c.ID]:] {
			label := "widget"
			if m.Private {
				label = "desk"
			}
			text, _, _ := strings.Cut(m.Text, "\n")
			all = append(all, hop{m.At, label, cmp.Or(m.Name, "the hub") + ": " + text})
		}
		h.said[c.ID] = len(c.Messages)
	}
	return all
}
