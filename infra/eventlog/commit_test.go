package eventlog_test

import (
	"testing"

	"github.com/looplab/eventhorizon/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
)

func commit() eventlog.Commit {
	c := eventlog.Commit{
		Stream: uuid.New(), Tenant: "default", Kind: events.KindConversation, Connection: "store", ID: "c1",
		After: eventlog.Head{Version: 3, Hash: events.Hash{7}},
		Facts: []events.Record{{Header: events.Header{Type: "A"}, Clear: []byte("{}"), Sealed: []byte("x")}, {Header: events.Header{Type: "B"}, Clear: []byte("{}")}},
	}
	eventlog.ChainCommit(&c)
	return c
}

func TestCommitIsChecked(t *testing.T) {
	t.Parallel()
	for sentence, change := range map[string]func(*eventlog.Commit){
		"no facts":                          func(c *eventlog.Commit) { c.Facts = nil },
		"no id":                             func(c *eventlog.Commit) { c.ID = "" },
		"a negative version":                func(c *eventlog.Commit) { c.After.Version = -1 },
		"a fact of another stream":          func(c *eventlog.Commit) { c.Facts[1].Stream = uuid.New() },
		"a fact of another tenant":          func(c *eventlog.Commit) { c.Facts[1].Tenant = "other" },
		"a fact of another kind":            func(c *eventlog.Commit) { c.Facts[1].Kind = events.KindConnection },
		"a fact of another connection":      func(c *eventlog.Commit) { c.Facts[1].Connection = "bank" },
		"a fact of another commit":          func(c *eventlog.Commit) { c.Facts[1].Commit = "c2" },
		"a version twice":                   func(c *eventlog.Commit) { c.Facts[1].Version-- },
		"facts in another order":            func(c *eventlog.Commit) { c.Facts[0], c.Facts[1] = c.Facts[1], c.Facts[0] },
		"another head than it was made for": func(c *eventlog.Commit) { c.After.Hash[0]++ },
		"changed text":                      func(c *eventlog.Commit) { c.Facts[0].Clear = []byte("[]") },
		"changed sealed bytes":              func(c *eventlog.Commit) { c.Facts[0].Sealed = []byte("y") },
		"a sum without sealed bytes":        func(c *eventlog.Commit) { c.Facts[0].Sealed = nil },
	} {
		c := commit()
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.Check(); err == nil {
			t.Errorf("%s passes the check", sentence)
		}
	}
	c := commit()
	if got, want := c.Head(), (eventlog.Head{Version: 5, Hash: c.Facts[1].Hash}); got != want {
		t.Errorf("Head = %+v, want %+v", got, want)
	}
}
