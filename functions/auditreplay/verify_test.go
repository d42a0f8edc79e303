package auditreplay_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"handoff/domain/audit"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/auditreplay"
	"handoff/infra/eventlog"
)

// apart is a log whose facts carry no positions. Their order is a list beside it.
type apart struct {
	eventlog.Walker

	order []events.StreamID // of the fact at each position
}

// Walk implements eventlog.Walker.
func (a *apart) Walk(ctx context.Context) iter.Seq2[eventlog.Step, error] {
	return func(yield func(eventlog.Step, error) bool) {
		for s, err := range a.Walker.Walk(ctx) {
			s.Position = 0
			if !yield(s, err) {
				return
			}
		}
	}
}

// Last implements eventlog.Walker.
func (a *apart) Last(context.Context) (int64, error) { return int64(len(a.order)), nil }

// VersionsAt implements auditreplay.Places.
func (a *apart) VersionsAt(_ context.Context, position int64) (map[events.StreamID]int, error) {
	versions := make(map[events.StreamID]int)
	for _, s := range a.order[:position] {
		versions[s]++
	}
	return versions, nil
}

// unordered is a log whose facts have no order at all.
type unordered struct{ *apart }

// Last implements eventlog.Walker.
func (unordered) Last(context.Context) (int64, error) { return 0, nil }

// VersionsAt hides that of apart: it has other parameters.
func (unordered) VersionsAt() {}

// apart returns the history without positions, as far as it goes now.
func (h *history) apart(t *testing.T) *apart {
	t.Helper()
	a := &apart{Walker: h.log}
	for r, err := range h.log.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		a.order = append(a.order, r.Stream)
	}
	return a
}

func (h *history) over(w eventlog.Walker) *auditreplay.Handler {
	return &auditreplay.Handler{Ledger: h.ledger, Feed: h.log, Walker: w, Streams: h.keys}
}

func verify(t *testing.T, h *auditreplay.Handler, against string) audit.Verified {
	t.Helper()
	v, err := h.Verify(t.Context(), auditor, against, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAHeadIsTheSameWhereverTheOrderIsKept(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 30)
	first := verify(t, h.handler(), "")
	if !first.OK || first.Facts != h.facts || first.Position != h.facts {
		t.Fatalf("verified %+v, want %d facts", first, h.facts)
	}
	a := h.apart(t)
	for name, w := range map[string]eventlog.Walker{"a feed beside the log": a, "no feed": unordered{a}} {
		if v := verify(t, h.over(w), first.Head); v.Head != first.Head || v.Facts != first.Facts || v.Streams != first.Streams || v.Against != "same" || !v.OK {
			t.Errorf("%s: verified %+v, want it equal to %+v", name, v, first)
		}
	}
	h.escalate(t, 30, 40)
	second := verify(t, h.handler(), first.Head)
	if v := verify(t, h.over(h.apart(t)), first.Head); v.Head != second.Head || second.Against != "grown" || v.Against != "grown" || !v.OK {
		t.Errorf("verified %+v, want it equal to %+v", v, second)
	}
	if v := verify(t, h.over(a), first.Head); v.Head != first.Head || v.Against != "same" || !v.OK {
		t.Errorf("a feed that is behind: verified %+v, want the head before, %s", v, first.Head)
	}
	if _, err := h.over(unordered{a}).Verify(t.Context(), auditor, first.Head, nil); !fault.Is(err, "head-not-comparable") {
		t.Errorf("no feed: error = %v, want head-not-comparable", err)
	}
}

// without leaves a stream's last facts out.
type without struct {
	*apart

	stream events.StreamID
	from   int
}

// Walk implements eventlog.Walker.
func (w without) Walk(ctx context.Context) iter.Seq2[eventlog.Step, error] {
	return func(yield func(eventlog.Step, error) bool) {
		for s, err := range w.apart.Walk(ctx) {
			if s.Stream == w.stream && s.Version >= w.from {
				continue
			}
			if s.Stream == w.stream && s.Version == w.from-1 {
				s.Carried = &eventlog.Snapshot{Head: eventlog.Head{Version: s.Version, Hash: s.Hash}} // as if it ended here
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

func TestFactsThatOnlyTheOrderKnowsAreMissed(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 3)
	a := h.apart(t)
	head := verify(t, h.over(a), "").Head
	stream := h.stream(events.KindConversation, "store-bot", "1").ID
	for name, from := range map[string]int{"the end of a stream": 3, "a whole stream": 1} {
		v := verify(t, h.over(without{apart: a, stream: stream, from: from}), head)
		var codes []string
		for _, p := range v.Problems {
			codes = append(codes, p.Code)
		}
		if got := strings.Join(codes, " "); v.OK || v.Against != "broken" || !strings.Contains(got, "gap") || v.Position != h.facts {
			t.Errorf("%s is gone: verified %+v, want a gap", name, v)
		}
	}
}

// slow is a log that takes longer than anybody waits.
type slow struct{ eventlog.Walker }

// Walk implements eventlog.Walker.
func (slow) Walk(ctx context.Context) iter.Seq2[eventlog.Step, error] {
	return func(yield func(eventlog.Step, error) bool) {
		<-ctx.Done()
		yield(eventlog.Step{}, errors.New("the request was given up")) // as clients of a network say it
	}
}

// ReadConnection implements eventlog.Feed.
func (s slow) ReadConnection(ctx context.Context, _, _ string, _ int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for step, err := range s.Walk(ctx) {
			yield(step.Record, err)
		}
	}
}

// ReadAll implements eventlog.Feed.
func (s slow) ReadAll(ctx context.Context, _ int64) iter.Seq2[events.Record, error] {
	return s.ReadConnection(ctx, "", "", 0)
}

func TestALogThatIsTooLargeForOneAnswerSaysSo(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	late := h.over(slow{h.log})
	late.Feed = slow{h.log}
	_, err := late.Verify(ctx, auditor, "", nil)
	if !fault.Is(err, "verify-too-long") || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("verify: error = %v, want verify-too-long", err)
	}
	if _, err := late.StateAt(ctx, auditor, "store-bot", time.Now()); !fault.Is(err, "replay-too-long") {
		t.Errorf("state: error = %v, want replay-too-long", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err = late.Verify(stopped, auditor, "", nil); err == nil || fault.Is(err, "verify-too-long") {
		t.Errorf("verify for a caller that is gone: error = %v", err)
	}
}

func TestFactsOfOthersAreLeftOutAndCounted(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 200)
	stranger := auditor
	stranger.Tenant = "acme"
	var marks []int64
	for r, err := range h.handler().Facts(t.Context(), stranger, 0) {
		if err != nil || r.Type != "" || r.Stream != (events.StreamID{}) || len(r.Clear) != 0 {
			t.Fatalf("a stranger was told %+v (%v)", r, err)
		}
		marks = append(marks, r.Position)
	}
	if len(marks) != int(h.facts)/512 || marks[0] != 512 {
		t.Errorf("%d facts of others: told of positions %v", h.facts, marks)
	}
	n := int64(0)
	for r, err := range h.handler().Facts(t.Context(), auditor, 0) {
		if n++; err != nil || r.Position != n || r.Type == "" {
			t.Fatalf("fact %d = %+v (%v)", n, r.Header, err)
		}
	}
	if n != h.facts {
		t.Errorf("got %d facts, want %d", n, h.facts)
	}
}
