package api_test

import (
	"slices"
	"strings"
	"testing"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/identity"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/tests/functiontest"
)

func ready(t *testing.T) (*functiontest.Bench, *handlerUnderTest) {
	t.Helper()
	b, h, a := setUp(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	b.Give("other-bot", functiontest.Ready("other-bot", functiontest.OtherRules)...)
	return b, &handlerUnderTest{Handler: h, around: a}
}

func TestAnEscalationIsFoundByItsIDOrTheBeginningOfIt(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	stream := escalated(b)
	id := escid.Of(stream, 1)
	h.around.rows["esc_7q"] = listing.Escalation{Stream: stream, Number: 1}
	for _, name := range []string{id, strings.ToUpper(id), "esc_7q"} {
		row, entries, err := h.Escalation(t.Context(), admin, name)
		if err != nil || row.ID != id || row.Queue.ID != "refunds" || len(entries) != 2 {
			t.Errorf("%s: %+v, %d entries, %v, want it in refunds", name, row, len(entries), err)
		}
	}
	for _, name := range []string{escid.Of(stream, 2), "esc_zz", escid.Of(b.Stream(events.KindConnection, "store-bot"), 1)} {
		_, _, err := h.Escalation(t.Context(), admin, name)
		wantCode(t, err, "escalation-not-found")
	}
	stranger := admin
	stranger.Tenant = "acme"
	_, _, err := h.Escalation(t.Context(), stranger, id)
	wantCode(t, err, "escalation-not-found")
	_, _, err = h.Escalation(t.Context(), hub("other-bot"), id)
	wantCode(t, err, "escalation-not-found")
}

func TestReports(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	stream := escalated(b)
	id := escid.Of(stream, 1)
	_, err := h.Report(t.Context(), hub("store-bot"), id, "nonsense", "", "")
	wantCode(t, err, "state-unknown")
	_, err = h.Report(t.Context(), hub("store-bot"), id, conversation.Accepted, strings.Repeat("x", 65), "")
	wantCode(t, err, "limit-exceeded")
	for range 2 {
		if row, err := h.Report(t.Context(), hub("store-bot"), id, conversation.Accepted, "", "mine"); err != nil || row.Status != "accepted" {
			t.Fatalf("report = %+v, %v, want accepted", row, err)
		}
	}
	if row, err := h.Report(t.Context(), hub("store-bot"), id, conversation.Failed, "", ""); err != nil || row.Code != "hub-failed" {
		t.Errorf("report = %+v, %v, want failed with a code", row, err)
	}
	_, err = h.Report(t.Context(), hub("store-bot"), id, conversation.Completed, "", "")
	wantCode(t, err, "escalation-ended")
	b.Want(stream, "EscalationRaised", "EscalationRouted", "EscalationAccepted", "EscalationFailed")
}

func TestAHubReportsOnWhatMovedToIt(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	stream := escalated(b, &events.EscalationRouted{Number: 1, Connection: "other-bot", Moved: true, Queue: events.Queue{ID: "elsewhere"}})
	id := escid.Of(stream, 1)
	_, err := h.Report(t.Context(), hub("store-bot"), id, conversation.Accepted, "", "")
	wantCode(t, err, "escalation-moved")
	if row, err := h.Report(t.Context(), hub("other-bot"), id, conversation.Accepted, "", ""); err != nil || row.RoutedBy != "other-bot" {
		t.Errorf("report = %+v, %v, want one by other-bot", row, err)
	}
}

func TestWhyTellsTheCustomersValuesOnlyToWhoMayReadThem(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	rules := strings.Replace(functiontest.Rules, "all: [{topic", "all: [{last_phrase: {is: refund}}, {topic", 1)
	b.Give("store-bot", functiontest.Adopted(rules))
	stream := b.Stream(events.KindConversation, "store-bot", "c")
	raised := b.Raised(1, "Refund")
	raised.Context.LastPhrase = "give me a person"
	state := rulesOf(b, rules)
	state.Rules.Version = 7
	routed, err := b.Rules.Decide(t.Context(), b.Stream(events.KindConnection, "store-bot"), state, raised, b.Clock)
	if err != nil {
		t.Fatal(err)
	}
	b.GiveTo(stream, events.KindConversation, "store-bot", raised, routed)
	auditor := identity.Principal{ID: "aud", Tenant: functiontest.Tenant, Role: identity.Auditor}
	for by, sees := range map[identity.Principal]bool{admin: true, auditor: false} {
		why, err := h.Why(t.Context(), by, escid.Of(stream, 1))
		if err != nil || !why.Fallback || why.Queue.ID != "general" {
			t.Fatalf("why = %+v, %v, want the fallback", why, err)
		}
		if told := slices.ContainsFunc(why.Lines, func(l string) bool { return strings.Contains(l, "give me a person") }); told != sees {
			t.Errorf("%s sees %v, want the customer's phrase in it: %t", by.Role, why.Lines, sees)
		}
	}
}

func TestWhyShowsEarlierDecisions(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	routed, err := b.Rules.Decide(t.Context(), b.Stream(events.KindConnection, "other-bot"), otherState(), b.Raised(1, "Refund"), b.Clock)
	if err != nil {
		t.Fatal(err)
	}
	routed.Connection, routed.Moved = "other-bot", true
	stream := escalated(b, routed)
	why, err := h.Why(t.Context(), admin, escid.Of(stream, 1))
	if err != nil || !why.Moved || why.Queue.ID != "elsewhere" || len(why.Earlier) != 1 || why.Earlier[0].Queue.ID != "refunds" {
		t.Errorf("why = %+v, %v, want the move first and refunds behind it", why, err)
	}
}

func TestWhySaysWhatTheHubChose(t *testing.T) {
	t.Parallel()
	refunds, general := events.HubQueue{ID: "q-1", Name: "Refunds"}, events.HubQueue{ID: "q-2", Name: "General"}
	for sentence, c := range map[string]struct {
		facts     []events.Fact
		confirmed bool
		queue     string
	}{
		"what was decided": {[]events.Fact{&events.EscalationQueued{Number: 1, Queue: refunds}, &events.RouteConfirmed{Number: 1, Queue: refunds}}, true, "q-1"},
		"another queue":    {[]events.Fact{&events.RouteOverruled{Number: 1, Queue: general}, &events.EscalationQueued{Number: 1, Queue: refunds}}, false, "q-2"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b, h := ready(t)
			stream := escalated(b, c.facts...)
			why, err := h.Why(t.Context(), admin, escid.Of(stream, 1))
			if err != nil || why.Hub == nil || why.Hub.Confirmed != c.confirmed || why.Hub.Queue.ID != c.queue {
				t.Errorf("hub = %+v, %v", why.Hub, err)
			}
		})
	}
}
