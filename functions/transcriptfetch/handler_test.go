package transcriptfetch_test

import (
	"context"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/transcriptfetch"
	"handoff/tests/functiontest"
)

// server has a transcript, or fails.
type server struct {
	transcript *events.Transcript
	err        error
}

func (s server) Fetch(_ context.Context, url string) (*events.Transcript, error) {
	if url != "https://bot.example/t" {
		return nil, fault.New(fault.Invalid, "wrong-url", url)
	}
	return s.transcript, s.err
}

func given(b *functiontest.Bench, more ...events.Fact) events.Notification {
	b.Helper()
	raised := b.Raised(1, "Refund")
	raised.TranscriptPending = true
	raised.Context.Transcript = &events.Transcript{URL: "https://bot.example/t"}
	stream := b.Stream(events.KindConversation, "c")
	n := b.GiveTo(stream, events.KindConversation, "store-bot", raised)
	if len(more) > 0 {
		b.GiveTo(stream, events.KindConversation, "store-bot", more...)
	}
	return n
}

func handler(b *functiontest.Bench, s server) *transcriptfetch.Handler {
	return &transcriptfetch.Handler{Ledger: b.Ledger, Fetcher: s, Now: b.Now}
}

func TestTheTranscriptIsStored(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	b.Twice(handler(b, server{transcript: &events.Transcript{Messages: []events.Message{{From: "bot", Text: "hello"}}}}).Handle, n)
	b.Want(n.Stream, "EscalationRaised", "TranscriptStored")
	if f, _ := b.Last(n.Stream).(*events.TranscriptStored); f == nil || f.Messages != 1 || f.Transcript.Messages[0].Text != "hello" {
		t.Errorf("stored %+v, want one message", b.Last(n.Stream))
	}
}

func TestWhatMayChangeIsTriedForAnHour(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	h := handler(b, server{err: fault.New(fault.Unavailable, "transcript-unreachable", "")})
	if err := h.Handle(t.Context(), n); fault.CodeOf(err) != "transcript-unreachable" {
		t.Fatalf("error = %v, want transcript-unreachable, so that it is tried again", err)
	}
	b.Want(n.Stream, "EscalationRaised")
	b.Clock = b.Clock.Add(transcriptfetch.MaxAge + time.Second)
	b.Twice(h.Handle, n)
	if f, _ := b.Last(n.Stream).(*events.TranscriptMissing); f == nil || f.Code != "transcript-unreachable" {
		t.Errorf("last fact = %+v, want TranscriptMissing", b.Last(n.Stream))
	}
}

func TestWhatCanNotChangeIsRecordedAtOnce(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b)
	b.Twice(handler(b, server{err: fault.New(fault.TooLarge, "transcript-too-large", "")}).Handle, n)
	b.Want(n.Stream, "EscalationRaised", "TranscriptMissing")
}

func TestNothingIsReadForWhatWasErased(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	n := given(b, &events.ContextErased{})
	if err := b.Keys.Destroy(t.Context(), functiontest.Tenant, events.NewKeyID(n.Stream, 0)); err != nil {
		t.Fatal(err)
	}
	b.Twice(handler(b, server{err: fault.New(fault.Internal, "must-not-be-asked", "")}).Handle, n)
	b.Want(n.Stream, "EscalationRaised", "ContextErased")
}

func TestTheSampleEvent(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	if err := handler(b, server{}).Handle(t.Context(), functiontest.Sample(t, "EscalationRaised")); err != nil || b.Count() != 0 {
		t.Errorf("a fact of an unknown stream led to %v and %d facts, want nothing", err, b.Count())
	}
}
