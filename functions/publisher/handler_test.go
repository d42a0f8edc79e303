package publisher_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/deliver"
	"handoff/functions/publisher"
	"handoff/infra/eventlog"
	"handoff/infra/telemetry"
)

func TestFactsGoToThoseWhoSelectThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot")
	w.escalate("c-1")
	w.handle(w.changes(), "")
	w.want([]string{"ConnectionRequested", "AppRegistered", "EscalationRaised"}, []string{"EscalationRouted"})
	want := map[string]float64{
		publisher.MetricPublished: 5, publisher.MetricPublishLag: 1000, publisher.MetricRaised: 1, publisher.MetricRouted: 1,
	}
	if !maps.Equal(w.metrics, want) {
		t.Errorf("metrics = %v, want %v", w.metrics, want)
	}
}

func TestARouteMayLeaveCommitsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot")
	w.escalate("c-1")
	w.handler.Routes[0].Wants = func(c *eventlog.Commit) bool { return c.Kind != events.KindConversation }
	w.handle(w.changes(), "")
	w.want([]string{"ConnectionRequested", "AppRegistered", "EscalationRaised"}, nil)
}

func TestABatchAgainIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot")
	w.escalate("c-1")
	w.handle(w.changes(), "")
	bus, queue := slices.Clone(w.bus.ids), slices.Clone(w.queue.ids)
	w.bus.ids, w.queue.ids = nil, nil
	w.handle(w.changes(), "") // it was killed before Lambda noted what it did
	if !slices.Equal(w.bus.ids, bus) || !slices.Equal(w.queue.ids, queue) {
		t.Errorf("again %v and %v, want %v and %v", w.bus.ids, w.queue.ids, bus, queue)
	}
}

func TestChangesTwiceAndBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot")
	w.escalate("c-1")
	all := w.changes()
	// The first comes again behind the second, and another stream before both.
	w.handle([]eventlog.Change{all[2], all[0], all[1], all[0], all[1]}, "")
	if len(w.parked) != 0 {
		t.Fatalf("parked = %v, want none", w.parked)
	}
	w.want([]string{"EscalationRaised", "ConnectionRequested", "AppRegistered", "ConnectionRequested", "AppRegistered"}, []string{"EscalationRouted"})
}

func TestWhatFailsComesAgain(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		prepare    func(*world)
		failed     string
		bus, queue []string
	}{
		"the bus fails for one": {
			func(w *world) { w.bus.broken = map[string]int{"AppRegistered": 1} },
			"1001",
			[]string{"ConnectionRequested", "EscalationRaised"},
			[]string{"EscalationRouted"},
		},
		"the queue fails, and what is behind waits": {
			func(w *world) { w.queue.broken = map[string]int{"EscalationRouted": 1} },
			"1002",
			[]string{"ConnectionRequested", "AppRegistered"},
			nil,
		},
		"the log can't be read": {
			func(w *world) { w.log.fail = errAway },
			"1003",
			[]string{"ConnectionRequested", "AppRegistered", "EscalationRaised"},
			[]string{"EscalationRouted"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connect("store-bot")
			stream := w.escalate("c-1")
			c.prepare(w)
			batch := w.changes()
			if c.failed == "1003" { // a commit whose predecessor is not in the batch
				w.act(conversation.Report{To: conversation.To(stream), Number: 1, Status: conversation.Accepted}, stream)
				w.act(conversation.Report{To: conversation.To(stream), Number: 1, Status: conversation.Completed}, stream)
				batch = append(batch, eventlog.Change{Sequence: "1003", Stored: true, Commit: w.log.commits[4]})
			}
			w.handle(batch, c.failed)
			w.want(c.bus, c.queue)
		})
	}
}

func TestPoisonParksItsStream(t *testing.T) {
	t.Parallel()
	for reason, spoil := range map[string]func(*eventlog.Change){
		publisher.ReasonUnreadable:  func(c *eventlog.Change) { c.Err = errors.New("its hash differs") },
		publisher.ReasonChain:       func(c *eventlog.Change) { c.After.Hash[0]++ },
		publisher.ReasonFact:        func(c *eventlog.Change) { c.Facts[0].Clear = []byte("{") },
		publisher.ReasonState:       func(c *eventlog.Change) { c.State = []byte(`{"status":"ready"}`) },
		publisher.ReasonTooLarge:    func(c *eventlog.Change) { c.Facts[0].Clear = make([]byte, 201<<10) },
		publisher.ReasonUnknownKind: func(c *eventlog.Change) { c.Kind = "relay" },
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			stream := w.connect("store-bot")
			w.connect("other-bot")
			batch := w.changes()
			spoil(&batch[1])
			w.handle(batch, "")
			want := eventlog.Poison{Stream: stream, Version: 3, Reason: reason}
			if w.parked[stream] != want || !slices.Equal(w.told, []eventlog.Poison{want}) || len(w.parked) != 1 {
				t.Errorf("parked %v, told %v, want %v", w.parked, w.told, want)
			}
			w.want([]string{"ConnectionRequested", "ConnectionRequested", "AppRegistered"}, nil)
			if w.metrics[publisher.MetricParked] != 1 {
				t.Errorf("metrics = %v, want one parked", w.metrics)
			}
		})
	}
}

func TestWhatComesBehindPoisonIsParkedToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stream := w.escalate("c-1")
	w.act(conversation.Report{To: conversation.To(stream), Number: 1, Status: conversation.Accepted}, stream)
	batch := w.changes()
	batch[0].State = []byte("{}")
	w.handle(batch, "")
	w.want(nil, nil)
	if w.metrics[publisher.MetricParked] != 2 || len(w.told) != 1 {
		t.Errorf("metrics = %v, told = %v, want two commits parked and one told of", w.metrics, w.told)
	}
}

func TestPoisonThatNobodyWasToldOfComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot")
	w.deaf = true
	batch := w.changes()
	batch[1].State = []byte("{}")
	w.handle(batch, "1001")
	w.deaf = false
	w.handle(batch[1:], "")
	if len(w.told) != 1 || len(w.parked) != 1 {
		t.Errorf("told = %v, parked = %v, want one each", w.told, w.parked)
	}
}

func TestAFactThatNobodyTakesIsPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stream := w.escalate("c-1")
	w.queue.never = map[string]error{"EscalationRouted": fault.New(fault.TooLarge, "entry-too-large", "It is too large.")}
	w.handle(w.changes(), "")
	if p := w.parked[stream]; p.Reason != "entry-too-large" || p.Version != 2 {
		t.Errorf("parked = %+v, want the fact that is too large", p)
	}
}

func TestWhatIsNoNewCommitIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot")
	batch := w.changes()
	batch[0].Stored = false
	batch[1].Imported = true
	w.handle(batch, "")
	w.want(nil, nil)
	if w.metrics[publisher.MetricNotAnInsert] != 1 || len(w.parked) != 0 {
		t.Errorf("metrics = %v, parked = %v, want one that is no insert", w.metrics, w.parked)
	}
}

func TestAStateOfAnotherVersionIsRefolded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect("store-bot")
	w.log.commits[0].State, w.log.commits[0].StateVersion = []byte("{}"), 99
	batch := w.changes()
	w.handle(batch, "")
	batch[1].State = []byte("{}")
	w.handle(batch[1:], "")
	if len(w.parked) != 1 || w.told[0].Version != 3 {
		t.Errorf("parked = %v, want the second commit's, whose state does not follow", w.parked)
	}
}

func TestTheRulesSelectWhatIsPublished(t *testing.T) {
	t.Parallel()
	known := events.Register().Types()
	for _, typ := range append(publisher.BusTypes(), deliver.Types()...) {
		if known[typ] == 0 {
			t.Errorf("%s is no fact", typ)
		}
	}
	if got := publisher.BusTypes(); len(got) != 6 || !slices.IsSorted(got) {
		t.Errorf("types on the bus = %v, want six", got)
	}
}

func TestEveryMetricIsInTheTable(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		publisher.MetricNotAnInsert, publisher.MetricParked, publisher.MetricPublished, publisher.MetricPublishLag,
		publisher.MetricRaised, publisher.MetricRouted, publisher.MetricGivenUp,
	} {
		if !slices.ContainsFunc(telemetry.Metrics(), func(m telemetry.Metric) bool { return m.Name == name }) {
			t.Errorf("metric %s is not in the table", name)
		}
	}
}

func TestAParkedStreamIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stream := w.escalate("c-1")
	w.act(conversation.Report{To: conversation.To(stream), Number: 1, Status: conversation.Accepted}, stream)
	w.act(conversation.Report{To: conversation.To(stream), Number: 1, Status: conversation.Completed}, stream)
	w.parked[stream] = eventlog.Poison{Stream: stream, Version: 1, Reason: publisher.ReasonState}
	r := publisher.Resumer{Handler: w.handler, Parking: w}
	done, err := r.Resume(t.Context(), publisher.Resume{Stream: stream, After: 2})
	if err != nil || done.Version != 4 || len(w.parked) != 0 {
		t.Errorf("resumed %+v, %v, parked %v, want version 4", done, err, w.parked)
	}
	w.want(nil, []string{"EscalationAccepted", "EscalationCompleted"})
}

func TestAStreamThatIsStillPoisonStaysParked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stream := w.escalate("c-1")
	w.log.commits[0].State = []byte("{}")
	w.handle(w.changes(), "")
	_, err := publisher.Resumer{Handler: w.handler, Parking: w}.Resume(t.Context(), publisher.Resume{Stream: stream})
	if !fault.Is(err, "stream-still-poison") || len(w.parked) != 1 {
		t.Errorf("resumed with %v, parked %v, want it parked", err, w.parked)
	}
}

func TestRepublishingManyCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 130 {
		w.escalate(time.Duration(i).String())
	}
	err := w.handler.Republish(t.Context(), func(yield func(eventlog.Commit, error) bool) {
		for _, c := range w.log.commits {
			if !yield(c, nil) {
				return
			}
		}
	})
	if err != nil || len(w.bus.ids) != 130 || len(w.queue.ids) != 130 {
		t.Errorf("republished %d and %d facts, %v, want 130 each", len(w.bus.ids), len(w.queue.ids), err)
	}
}
