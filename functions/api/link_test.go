package api_test

import (
	"strings"
	"testing"
	"time"

	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/tests/functiontest"
)

// links opens whatever names an escalation of a tenant.
type links struct{ until time.Time }

func (l links) Open(token string, now time.Time) (tenant, escalation string, until time.Time, err error) {
	tenant, escalation, ok := strings.Cut(token, "/")
	if !ok {
		return "", "", until, fault.New(fault.NotFound, "link-invalid", "There is no such link.")
	}
	return tenant, escalation, l.until, nil
}

func TestReadingByALinkIsAFactEachTime(t *testing.T) {
	t.Parallel()
	b, h, _ := setUp(t)
	h.Links = links{b.Clock.Add(time.Hour)}
	stream := b.Stream(events.KindConversation, "store-bot", "c")
	b.GiveTo(stream, events.KindConversation, "store-bot", b.Raised(1, "Refund"))
	id := escid.Of(stream, 1)
	for n := range 2 {
		v, err := h.ContextByLink(t.Context(), functiontest.Tenant+"/"+id)
		if err != nil || v.ID != id || v.Context == nil {
			t.Fatalf("read %+v, %v", v, err)
		}
		f, _ := b.Last(stream).(*events.ContextRead)
		if f == nil || f.Number != 1 || !f.Until.Equal(b.Clock.Add(time.Hour)) || b.Count() != n+2 {
			t.Errorf("last fact = %+v of %d", f, b.Count())
		}
	}
	before := b.Count()
	for token, want := range map[string]string{
		"x": "link-invalid", "other/" + id: "escalation-not-found", functiontest.Tenant + "/" + escid.Of(stream, 2): "escalation-not-found",
	} {
		_, err := h.ContextByLink(t.Context(), token)
		wantCode(t, err, want)
	}
	b.GiveTo(stream, events.KindConversation, "store-bot", &events.ContextErased{})
	_, err := h.ContextByLink(t.Context(), functiontest.Tenant+"/"+id)
	wantCode(t, err, "context-erased")
	if b.Count() != before+1 {
		t.Errorf("%d facts, want none more than the erasure", b.Count()-before)
	}
}
