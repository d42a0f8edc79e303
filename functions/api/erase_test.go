package api_test

import (
	"testing"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/customer"
	"handoff/domain/escid"
	"handoff/events"
	"handoff/functions/api"
	"handoff/tests/functiontest"
)

// handlerUnderTest is the function with what is around it.
type handlerUnderTest struct {
	*api.Handler
	around *around
}

func otherState() connection.State {
	s := connection.State{}
	for _, f := range functiontest.Ready("other-bot", functiontest.OtherRules) {
		s = connection.Decider.Evolve(s, f)
	}
	return s
}

func TestErasingOneConversation(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	stream := escalated(b)
	id := escid.Of(stream, 1)
	if v, err := h.Context(t.Context(), admin, id); err != nil || v.Context == nil || v.Context.LastPhrase == "" {
		t.Fatalf("context = %+v, %v, want one", v.Context, err)
	}
	for range 2 {
		done, err := h.Erase(t.Context(), admin, conversation.Erasure{Escalation: id, Reason: "asked"})
		if err != nil || done.Conversations != 1 || done.Facts != 1 {
			t.Fatalf("erased %+v, %v, want one fact of one conversation", done, err)
		}
	}
	b.Want(stream, "EscalationRaised", "EscalationRouted", "ContextErased")
	if v, err := h.Context(t.Context(), admin, id); err != nil || v.Context != nil || !v.Erased {
		t.Errorf("context = %+v, %v, want none", v.Context, err)
	}
}

func TestErasingOneCustomer(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	stream := escalated(b)
	refs, err := customer.Refs(b.Keys.Ref, functiontest.Tenant, &events.Customer{Email: "r.bakker@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	h.around.customers[refs[0]] = []events.StreamID{stream}
	if done, err := h.Erase(t.Context(), admin, conversation.Erasure{CustomerEmail: " R.Bakker@Example.com "}); err != nil || done.Conversations != 1 {
		t.Errorf("erased %+v, %v, want one conversation", done, err)
	}
	_, err = h.Erase(t.Context(), admin, conversation.Erasure{CustomerID: "nobody"})
	wantCode(t, err, "customer-not-found")
}

func TestAnErasureThatIsUnclearErasesNothing(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	id := escid.Of(escalated(b), 1)
	before := b.Count()
	for _, e := range []conversation.Erasure{{}, {Escalation: id, CustomerID: "c"}, {CustomerID: "c", CustomerEmail: "e"}} {
		_, err := h.Erase(t.Context(), admin, e)
		wantCode(t, err, "erasure-unclear")
	}
	if b.Count() != before {
		t.Errorf("%d facts were appended, want none", b.Count()-before)
	}
}
