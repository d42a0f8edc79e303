package lists_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/events"
)

// furnish gives a house the escalations that the tests below look for. Its
// escalations are known by the letters a to f, in the order of raising; c moved
// after that.
func furnish(tb testing.TB) (*house, map[string]string) {
	tb.Helper()
	h := open(tb)
	h.talk(tb, "bot-1", stream(1), raised(1), routed(1, "bot-1", "billing"), &events.EscalationCompleted{Number: 1})
	h.talk(tb, "bot-1", stream(1), raised(2), routed(2, "bot-1", "billing"))
	h.talk(tb, "bot-1", stream(2), raised(1), routed(1, "bot-1", "general"), moved(1, "bot-2", "general"))
	other := raised(1)
	other.CustomerRefs = []string{"ref-9"}
	h.talk(tb, "bot-2", stream(3), other, &events.EscalationFailed{Number: 1, Code: "no-agent"})
	h.talk(tb, "bot-2", stream(4), raised(1), routed(1, "bot-2", "billing"), &events.EscalationAccepted{Number: 1})
	h.commit(tb, "other", "bot-1", events.KindConversation, stream(5), raised(1))
	return h, map[string]string{
		escid.Of(stream(1), 1): "a", escid.Of(stream(1), 2): "b", escid.Of(stream(2), 1): "c",
		escid.Of(stream(3), 1): "d", escid.Of(stream(4), 1): "e", escid.Of(stream(5), 1): "f",
	}
}

func letters(rows []listing.Escalation, names map[string]string) (s string) {
	for _, r := range rows {
		s += names[r.ID]
	}
	return s
}

func TestEscalationsAreFoundByEveryFilter(t *testing.T) {
	t.Parallel()
	h, names := furnish(t)
	id := escid.Of(stream(1), 1)
	for sentence, c := range map[string]struct {
		q    listing.EscalationQuery
		want string
	}{
		"all of a tenant, newest first":         {listing.EscalationQuery{}, "edcba"},
		"another tenant's":                      {listing.EscalationQuery{Tenant: "other"}, "f"},
		"raised on a connection or moved there": {listing.EscalationQuery{Connection: "bot-2"}, "edc"},
		"moved away is still its own":           {listing.EscalationQuery{Connection: "bot-1"}, "cba"},
		"open":                                  {listing.EscalationQuery{Status: "open"}, "ecb"},
		"open of a connection":                  {listing.EscalationQuery{Status: "open", Connection: "bot-2"}, "ec"},
		"open and moved away":                   {listing.EscalationQuery{Status: "open", Connection: "bot-1"}, "cb"},
		"one status that is open":               {listing.EscalationQuery{Status: "accepted"}, "e"},
		"one status that is an end":             {listing.EscalationQuery{Status: "completed"}, "a"},
		"an end on a connection":                {listing.EscalationQuery{Status: "failed", Connection: "bot-2"}, "d"},
		"a status that there is not":            {listing.EscalationQuery{Status: "lost"}, ""},
		"a queue":                               {listing.EscalationQuery{Queue: "billing"}, "eba"},
		"a queue of a connection":               {listing.EscalationQuery{Queue: "general", Connection: "bot-2"}, "c"},
		"open in a queue":                       {listing.EscalationQuery{Queue: "billing", Status: "open"}, "eb"},
		"no customer":                           {listing.EscalationQuery{Customer: "ref-0"}, ""},
		"a customer's of one queue":             {listing.EscalationQuery{Customer: "ref-1", Queue: "general"}, "c"},
		"another one's customer":                {listing.EscalationQuery{Tenant: "other", Customer: "ref-9"}, ""},
		"a whole id finds the conversation":     {listing.EscalationQuery{IDPrefix: id}, "ba"},
		"an id with its number":                 {listing.EscalationQuery{IDPrefix: id + "-2"}, "b"},
		"the beginning of an id":                {listing.EscalationQuery{IDPrefix: id[:9]}, "ba"},
		"the prefix that all have":              {listing.EscalationQuery{IDPrefix: "esc_"}, "edcba"},
		"what no id begins with":                {listing.EscalationQuery{IDPrefix: "esc_u"}, ""},
	} {
		if c.q.Tenant == "" {
			c.q.Tenant = "default"
		}
		rows, next, err := h.Escalations(t.Context(), c.q)
		if err != nil || next != "" {
			t.Errorf("%s: next = %q, err = %v", sentence, next, err)
		}
		if got := letters(rows, names); got != c.want {
			t.Errorf("%s = %q, want %q", sentence, got, c.want)
		}
	}
}

func TestAnEscalationIsFoundByTheBeginningOfItsID(t *testing.T) {
	t.Parallel()
	h, names := furnish(t)
	first := escid.Of(stream(1), 1)
	for sentence, c := range map[string]struct{ id, want, fault string }{
		"a whole id is number one":       {first, "a", ""},
		"a whole id with a number":       {first + "-2", "b", ""},
		"in upper case":                  {strings.ToUpper(first), "a", ""},
		"without the prefix":             {first[4:], "a", ""},
		"the beginning of one":           {escid.Of(stream(4), 1)[:12], "e", ""},
		"the beginning with a number":    {first[:12] + "-2", "b", ""},
		"the beginning of two":           {first[:12], "", "escalation-ambiguous"},
		"one of another tenant":          {escid.Of(stream(5), 1), "", "escalation-not-found"},
		"a number that there is not":     {first + "-3", "", "escalation-not-found"},
		"nothing":                        {"", "", "escalation-not-found"},
		"the prefix alone":               {"esc_", "", "escalation-not-found"},
		"a number alone":                 {"esc_-2", "", "escalation-not-found"},
		"what is no id":                  {"esc_!", "", "escalation-not-found"},
		"an id that is too long":         {first + "0", "", "escalation-not-found"},
		"an id with a number that isn't": {first + "-x", "", "escalation-not-found"},
	} {
		e, err := h.Escalation(t.Context(), "default", c.id)
		if c.fault != "" && !fault.Is(err, c.fault) || c.fault == "" && err != nil || names[e.ID] != c.want {
			t.Errorf("%s = %q, %v, want %q %s", sentence, names[e.ID], err, c.want, c.fault)
		}
	}
	_, err := h.Escalation(t.Context(), "default", first[:12])
	if !strings.Contains(err.Error(), first+"-2") {
		t.Errorf("%v does not name the candidates", err)
	}
}

func TestPagesHaveEveryRowOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	all := make(map[string]bool)
	for i := range 25 {
		e := raised(1)
		e.RaisedAt = at(i / 2) // two at a time
		h.talk(t, "bot-1", stream(i), e)
		if i%3 == 0 {
			h.talk(t, "bot-1", stream(i), moved(1, "bot-2", "q"))
		}
		h.deliver(t, stream(i), 1, "desk", &events.DeliveryAttempted{Attempt: 1, Code: "timeout"}, &events.DeliveryParked{Attempt: 1})
		all[escid.Of(stream(i), 1)] = true
	}
	for _, q := range []listing.EscalationQuery{{}, {Connection: "bot-1"}, {Connection: "bot-1", Status: "open"}, {Customer: "ref-1"}} {
		q.Tenant, q.Limit = "default", 4
		got := make(map[string]int)
		for more := true; more; more = q.Cursor != "" {
			rows, next, err := h.Escalations(t.Context(), q)
			if err != nil || len(rows) == 0 || len(rows) > 4 {
				t.Fatalf("page of %d rows, %v", len(rows), err)
			}
			for _, r := range rows {
				got[r.ID]++
			}
			q.Cursor = next
		}
		wantOnce(t, fmt.Sprintf("%+v", q), got, len(all))
	}
	for _, q := range []listing.DeliveryQuery{{}, {Connection: "bot-1"}, {Status: "parked"}} {
		q.Tenant, q.Limit = "default", 4
		got := make(map[string]int)
		for more := true; more; more = q.Cursor != "" {
			rows, next, err := h.Deliveries(t.Context(), q)
			if err != nil || len(rows) == 0 || len(rows) > 4 {
				t.Fatalf("page of %d rows, %v", len(rows), err)
			}
			for _, r := range rows {
				got[r.ID]++
			}
			q.Cursor = next
		}
		wantOnce(t, fmt.Sprintf("%+v", q), got, len(all))
	}
}

func wantOnce(t *testing.T, list string, got map[string]int, want int) {
	t.Helper()
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s: %s is there %d times", list, id, n)
		}
	}
	if len(got) != want {
		t.Errorf("%s: %d rows, want %d", list, len(got), want)
	}
}

func TestACursorThatNobodyGaveIsRefused(t *testing.T) {
	t.Parallel()
	h, _ := furnish(t)
	_, cursor, err := h.Escalations(t.Context(), listing.EscalationQuery{Tenant: "default", Page: listing.Page{Limit: 1}})
	if err != nil || cursor == "" {
		t.Fatalf("cursor = %q, %v", cursor, err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(cursor)
	raw[1] ^= 2
	for sentence, c := range map[string]string{
		"not base 64": "!!", "empty inside": base64.RawURLEncoding.EncodeToString(nil) + "A", "changed": base64.RawURLEncoding.EncodeToString(raw),
		"cut off": cursor[:len(cursor)-2], "longer": cursor + "AA",
	} {
		for _, q := range []listing.EscalationQuery{{Tenant: "default"}, {Tenant: "default", Customer: "ref-1"}} {
			q.Cursor = c
			if _, _, err := h.Escalations(t.Context(), q); !fault.Is(err, "cursor-invalid") {
				t.Errorf("%s: %v, want cursor-invalid", sentence, err)
			}
		}
	}
	page := listing.Page{Cursor: cursor}
	for list, ask := range map[string]func() error{
		"sorted": func() error {
			_, _, err := h.Escalations(t.Context(), listing.EscalationQuery{Tenant: "default", Customer: "ref-1", Page: page})
			return err
		},
		"deliveries": func() error {
			_, _, err := h.Deliveries(t.Context(), listing.DeliveryQuery{Tenant: "default", Page: page})
			return err
		},
		"waiting": func() error {
			_, _, err := h.Deliveries(t.Context(), listing.DeliveryQuery{Tenant: "default", Status: "pending", Page: page})
			return err
		},
		"connections": func() error {
			_, _, err := h.Connections(t.Context(), listing.ConnectionQuery{Tenant: "default", Page: page})
			return err
		},
	} {
		if err := ask(); !fault.Is(err, "cursor-invalid") {
			t.Errorf("cursor of another list for %s: %v, want cursor-invalid", list, err)
		}
	}
}

func TestAPageEndsWhereItHasLookedFarEnough(t *testing.T) {
	t.Parallel()
	h := open(t)
	const n = 1200 // more than a page reads from the log
	for i := range n {
		h.talk(t, "bot-1", stream(i), raised(1))
	}
	h.talk(t, "bot-1", stream(3), routed(1, "bot-1", "billing"))
	q := listing.EscalationQuery{Tenant: "default", Queue: "billing"}
	rows, next, err := h.Escalations(t.Context(), q)
	if err != nil || len(rows) != 0 || next == "" {
		t.Fatalf("first page = %d rows, %q, %v, want none of them and a cursor", len(rows), next, err)
	}
	q.Cursor = next
	rows, next, err = h.Escalations(t.Context(), q)
	if err != nil || len(rows) != 1 || rows[0].Stream != stream(3) || next != "" {
		t.Errorf("second page = %v, %q, %v, want the one in the queue", rows, next, err)
	}
}

func TestConversationsOfACustomer(t *testing.T) {
	t.Parallel()
	h, names := furnish(t)
	later := &events.EscalationContextAdded{Number: 1, CustomerRefs: []string{"ref-9"}}
	h.talk(t, "bot-1", stream(2), later, &events.ContextErased{})
	h.talk(t, "bot-1", stream(6), &events.RelayStarted{Session: 1, CustomerRefs: []string{"ref-9"}}) // which never escalated
	if err := h.refs.Refer(t.Context(), h.unstored(stream(4), "ref-9")); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string][]events.StreamID{"ref-9": {stream(2), stream(3), stream(6)}, "ref-0": nil} {
		got, err := h.ByCustomer(t.Context(), "default", ref)
		order := func(a, b events.StreamID) int { return strings.Compare(a.String(), b.String()) }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("conversations of %s = %v, %v, want %v", ref, got, err, want)
		}
	}
	if got, err := h.ByCustomer(t.Context(), "other", "ref-9"); err != nil || got != nil {
		t.Errorf("conversations in another tenant = %v, %v", got, err)
	}
	rows, _, err := h.Escalations(t.Context(), listing.EscalationQuery{Tenant: "default", Customer: "ref-2", Status: "open"})
	if got := strings.Split(letters(rows, names), ""); err != nil || len(got) != 3 || !slices.Contains(got, "e") || slices.Contains(got, "a") {
		t.Errorf("a customer's open ones = %v, %v, want those of b, c and e", got, err)
	}
}
