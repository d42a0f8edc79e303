package e2e_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/functions/handoff/system"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/tables"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

// says reports whether one line has all the words.
func (j *journal) says(words ...string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.text.String()) {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			return true
		}
	}
	return false
}

// checkedOften has bots looked at all the time.
func checkedOften(j *journal) func(*system.Config) {
	return func(c *system.Config) {
		c.Check, c.Log = 300*time.Millisecond, slog.New(slog.NewTextHandler(j, nil))
	}
}

// bot returns what the list of connections says of the bot of the only one.
func (w *world) bot() string {
	w.t.Helper()
	var page struct {
		Items []struct {
			Bot string `json:"bot_state"`
		}
	}
	w.must(http.StatusOK, &page, w.admin, "GET", "/v1/connections", nil)
	if len(page.Items) != 1 {
		w.t.Fatalf("connections = %+v, want one", page.Items)
	}
	return page.Items[0].Bot
}

// turns waits until the bot's state is another one.
func (w *world) turns(state string) {
	w.t.Helper()
	w.eventually("the bot is "+state, func() bool { return w.bot() == state })
}

// stays fails the test if the bot's state changes within a while.
func (w *world) stays(state string) {
	w.t.Helper()
	for end := time.After(700 * time.Millisecond); ; {
		select {
		case <-end:
			return
		case <-time.After(50 * time.Millisecond):
			if got := w.bot(); got != state {
				w.t.Fatalf("the bot is %s, want it %s still", got, state)
			}
		}
	}
}

// What the program finds out by itself about the bot of a connection, and says
// when it changes.
func TestPublishStateIsFollowed(t *testing.T) {
	t.Parallel()
	var log journal
	w, cloud := withMicrosoft(t, checkedOften(&log))
	c := w.request("store-bot", planAt(cloud))
	w.ready("store-bot")
	store := cloud.Organisation(simulation.StoreOrganisation)
	change := func(r tables.Row) { store.Put("bots", simulation.StoreBot, r) }
	synced := func(well bool) tables.Row {
		return tables.Row{"synchronizationstatus": tables.SynchronizationStatus(5, well, time.Now().Add(-time.Minute), time.Now())}
	}
	looked := func(status int) func() bool {
		return func() bool {
			for _, call := range cloud.Calls(simulation.Dataverse) {
				if call.Status == status && strings.Contains(call.Path, "/bots(") {
					return true
				}
			}
			return false
		}
	}
	w.turns("published")
	change(synced(false))
	w.turns("published-outdated") // the version before answers
	change(tables.Row{"publishedon": nil})
	w.turns("unpublished")
	if !log.says("WARN", "publish state changed", "connection_id=store-bot", "state=unpublished") {
		t.Error("the operator was not told")
	}
	if a := w.raise(c, "while it is unpublished"); a.Status != "routed" || a.Queue == "" {
		t.Errorf("an escalation of an unpublished bot = %+v, want it routed", a)
	}
	change(tables.Row{"publishedon": "2026-11-22T09:00:00Z"})
	change(synced(true))
	w.turns("published")

	for _, unclear := range []tables.Row{{"synchronizationstatus": nil}, {"statuscode": 99.0}} {
		change(unclear)
		w.stays("published")
	}
	change(tables.Row{"statuscode": 1.0})
	if err := cloud.Inject(simulation.Fault{Host: simulation.Dataverse, Route: "GET */bots(*", Status: http.StatusTooManyRequests, RetryAfter: 60}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the organisation asked for a pause", looked(http.StatusTooManyRequests))
	change(tables.Row{"publishedon": nil})
	w.stays("published") // nobody looks
	w.advance(time.Minute)
	w.turns("unpublished")
	store.Remove("bots", simulation.StoreBot)
	w.turns("deleted")
	if published, gone := w.count("BotPublished"), w.count("BotUnpublished"); published != 3 || gone != 3 {
		t.Errorf("%d facts say that it is published, %d that it is not; want 3 each", published, gone)
	}
	w.whole()
}

// A bot of another maker says by an address of its own whether it is well.
func TestTheHealthOfABotOfAnotherMakerIsFollowed(t *testing.T) {
	t.Parallel()
	var log journal
	w := start(t, checkedOften(&log))
	var status atomic.Int64
	status.Store(http.StatusOK)
	health := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(int(status.Load())) }))
	t.Cleanup(health.Close)
	p := w.plan("store-bot", w.desk.url+"/store-bot", "full", rules)
	p["health_url"] = health.URL + "/health"
	w.request("store-bot", p)
	w.ready("store-bot")
	w.turns("published")
	status.Store(http.StatusServiceUnavailable)
	w.stays("published") // which is not known
	status.Store(http.StatusNotFound)
	w.turns("unpublished")
	status.Store(http.StatusOK)
	w.turns("published")
}
