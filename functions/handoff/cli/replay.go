package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"handoff/domain/audit"
	"handoff/events"
	"handoff/functions/handoff/cli/chronicle"
	"handoff/functions/handoff/cli/instant"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/apiclient"
	"handoff/infra/httpapi"
)

// past is where history is read: a server, or a data directory.
type past interface {
	History(ctx context.Context, connection string, after int64) iter.Seq2[events.Record, error]
	StateAt(ctx context.Context, connection string, at time.Time) (audit.Past, error)
}

type replayOptions struct {
	source

	at    string
	after int64
}

func (a *app) replayCommand() *cobra.Command {
	var o replayOptions
	c := &cobra.Command{
		Use: "replay CONNECTION", GroupID: groupAudit, Args: names("CONNECTION"), Short: "Tell a connection's history, or show it as it was",
		Long: "Tells everything that happened to a connection, its escalations and deliveries included, one line for each recorded fact. With --at it " +
			"rebuilds from those facts what stood at that instant. What customers said is not shown.\n\n" +
			"With --data it reads a data directory instead of asking a server; no key is needed, and a server may be running on it.",
		Example: "  handoff replay store-bot\n  handoff replay store-bot --at 09:10:12\n  handoff replay store-bot --at \"2 days ago\" --json\n" +
			"  handoff replay store-bot --data ./data",
		Annotations: after("handoff why ESCALATION   why one went where it went", "handoff verify           whether the history is whole"),
		RunE:        func(c *cobra.Command, args []string) error { return a.replay(c.Context(), args[0], o) },
	}
	f := c.Flags()
	f.StringVar(&o.at, "at", "", "show what stood then: 2026-11-22T09:10:12Z, \"2026-11-22 09:10\", 09:10:12 (today), \"10m ago\" or now")
	f.Int64Var(&o.after, "after", 0, "only facts after this `position`; --json shows positions")
	sourceFlags(c.Flags(), &o.source)
	c.Flags().StringVar(&o.tenant, "tenant", "default", "whose data, with --data or --stack")
	return c
}

func (a *app) replay(ctx context.Context, id string, o replayOptions) (err error) {
	var at time.Time
	if o.at != "" {
		if at, err = a.instant(o.at); err != nil {
			return err
		}
		if o.after != 0 {
			return usage("--after is for a history, --at shows one instant: say one of them")
		}
	}
	from, end, err := a.past(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if o.at != "" {
		return a.stateAt(ctx, from, id, at)
	}
	return a.history(ctx, from, id, o.after)
}

// instant reads a time that can have been.
func (a *app) instant(s string) (time.Time, error) {
	now := a.now()
	t, err := instant.Parse(s, now)
	if err != nil {
		return t, asUsage(err)
	}
	if t.After(now.Add(time.Minute)) { // clocks differ a little
		return t, usage("%s is in the future: it is %s now; say the date as well, if it was earlier", a.time(t), a.time(now))
	}
	return t, nil
}

// past opens what is to be read.
func (a *app) past(ctx context.Context, o replayOptions) (past, func() error, error) {
	if !o.given() {
		c, err := a.client(ctx)
		return remote{a, c}, func() error { return nil }, err
	}
	d, end, err := a.open(ctx, o.source)
	if err != nil {
		return nil, nil, err
	}
	show, n := a.progress("replaying"), int64(0)
	d.read = func() {
		n++
		show(n, 0)
	}
	return d, end, nil
}

// remote is a server's past.
type remote struct {
	*app
	client *apiclient.Client
}

// History implements past.
func (r remote) History(ctx context.Context, connection string, after int64) iter.Seq2[events.Record, error] {
	return r.client.History(ctx, connection, apiclient.Reading{After: after})
}

// StateAt implements past.
func (r remote) StateAt(ctx context.Context, connection string, at time.Time) (p audit.Past, err error) {
	err = r.patiently(ctx, "replaying "+connection, func(ctx context.Context) error {
		p, err = r.client.StateAt(ctx, connection, at)
		return err
	})
	return p, err
}

// history prints facts as they come, each in a line.
func (a *app) history(ctx context.Context, from past, id string, after int64) error {
	t := timeline{app: a, teller: chronicle.New(events.Register(), a.now().Location()), show: func(int64, int64) {}}
	if a.out.Width == 0 { // on a screen the lines themselves show that it goes on
		t.show = a.progress("replaying")
	}
	for r, err := range from.History(ctx, id, after) {
		if err == nil {
			err = t.print(r)
		}
		if err != nil {
			return err
		}
	}
	if !a.json {
		if err := a.out.Flush(); err != nil {
			return err
		}
		a.tell("%s\n", terminal.Dim(plural(t.facts, "fact")))
	}
	return nil
}

// timeline prints facts under the days on which they happened.
type timeline struct {
	*app
	teller *chronicle.Teller
	show   func(done, total int64)
	facts  int64
	day    string
}

func (t *timeline) print(r events.Record) error {
	t.facts++
	t.show(t.facts, 0)
	if t.json {
		return t.printJSON(httpapi.StoredFactOf(r, false), "")
	}
	l := t.teller.Tell(r)
	if day := l.At.Format("Monday, 2 January 2006, MST"); day != t.day {
		if t.day != "" {
			t.out.Printf("\n")
		}
		t.day = day
		t.out.Printf("%s\n", terminal.Bold(day))
	}
	t.out.Paragraph(l.At.Format("15:04:05 "), l)
	if t.facts%64 == 0 && t.out.Width > 0 {
		return t.out.Flush()
	}
	return nil
}

func (a *app) stateAt(ctx context.Context, from past, id string, at time.Time) error {
	p, err := from.StateAt(ctx, id, at)
	if err != nil {
		return err
	}
	return a.print(p, func() { a.showPast(id, p) })
}

func (a *app) showPast(id string, p audit.Past) {
	head := fmt.Sprintf("%s as of %s, rebuilt from %s", id, a.time(p.At), plural(p.Facts, "fact"))
	if p.Facts == 0 {
		a.out.Paragraph("", head+": it was not there yet")
		return
	}
	a.out.Printf("%s\n\n", terminal.Bold(head))
	a.showConnection(p.Connection)
	a.out.Printf("\n")
	if p.Open == 0 {
		a.out.Printf("No escalation was open.\n")
		return
	}
	var queues []string
	for _, q := range slices.Sorted(maps.Keys(p.Queues)) {
		name := q
		if q == "" {
			name = "not routed yet"
		}
		queues = append(queues, fmt.Sprintf("%s %d", name, p.Queues[q]))
	}
	a.out.Paragraph("", fmt.Sprintf("%s open: %s", plural(int64(p.Open), "escalation"), strings.Join(queues, ", ")))
	table := &terminal.Table{Header: []string{"escalation", "stood", "priority", "raised", "would end"}, Fixed: []int{0, 3, 4}}
	for _, e := range p.Escalations {
		s := e.Escalation
		table.Row(e.ID, standing(s.Status, s.Queue, s.Code), s.Priority, a.time(s.RaisedAt), a.time(s.Deadline))
	}
	a.out.Table(table)
	if p.More {
		a.tell("More were open than are listed.\n")
	}
}
