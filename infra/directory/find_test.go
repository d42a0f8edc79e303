package directory_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/directory"
)

// furnish gives a house the escalations that the tests below look for. Its
// escalations are known by the letters a to f, in the order of raising.
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
	h.apply(tb, h.record(tb, "other", "bot-1", events.KindConversation, stream(5), raised(1)))
	return h, map[string]string{
		escid.Of(stream(1), 1): "a", escid.Of(stream(1), 2): "b", escid.Of(stream(2), 1): "c",
		escid.Of(stream(3), 1): "d", escid.Of(stream(4), 1): "e", escid.Of(stream(5), 1): "f",
	}
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
		"a customer":                            {listing.EscalationQuery{Customer: "ref-1"}, "ecba"},
		"a customer's open ones":                {listing.EscalationQuery{Customer: "ref-2", Status: "open"}, "ecb"},
		"no customer":                           {listing.EscalationQuery{Customer: "ref-0"}, ""},
		"a whole id finds the conversation":     {listing.EscalationQuery{IDPrefix: id}, "ba"},
		"an id with its number":                 {listing.EscalationQuery{IDPrefix: id + "-2"}, "b"},
		"the beginning of an id":                {listing.EscalationQuery{IDPrefix: id[:9]}, "ba"},
		"one digit of an id":                    {listing.EscalationQuery{IDPrefix: id[:5]}, sharing(names, id[:5])},
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

func letters(rows []listing.Escalation, names map[string]string) (s string) {
	for _, r := range rows {
		s += names[r.ID]
	}
	return s
}

// sharing returns the letters of the default tenant's ids that begin alike.
func sharing(names map[string]string, prefix string) string {
	var found []string
	for id, name := range names {
		if strings.HasPrefix(id, prefix) && name != "f" {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	slices.Reverse(found)
	return strings.Join(found, "")
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
	var want []string
	for i := range 25 {
		h.talk(t, "bot-1", stream(i), raised(1))
		if i%3 == 0 {
			h.talk(t, "bot-1", stream(i), moved(1, "bot-2", "q"))
		}
		want = append(want, escid.Of(stream(i), 1))
	}
	slices.Reverse(want)
	for _, q := range []listing.EscalationQuery{{}, {Connection: "bot-1"}, {Connection: "bot-1", Status: "open"}, {Customer: "ref-1"}} {
		q.Tenant, q.Limit = "default", 4
		var got []string
		for more := true; more; more = q.Cursor != "" {
			rows, next, err := h.Escalations(t.Context(), q)
			if err != nil || len(rows) == 0 || len(rows) > 4 {
				t.Fatalf("page of %d rows, %v", len(rows), err)
			}
			for _, r := range rows {
				got = append(got, r.ID)
			}
			q.Cursor = next
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: pages have %d rows, want %d", q, len(got), len(want))
		}
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
		if _, _, err := h.Escalations(t.Context(), listing.EscalationQuery{Tenant: "default", Page: listing.Page{Cursor: c}}); !fault.Is(err, "cursor-invalid") {
			t.Errorf("%s: %v, want cursor-invalid", sentence, err)
		}
	}
	if _, _, err := h.Deliveries(t.Context(), listing.DeliveryQuery{Tenant: "default", Page: listing.Page{Cursor: cursor}}); !fault.Is(err, "cursor-invalid") {
		t.Errorf("cursor of another list: %v, want cursor-invalid", err)
	}
	if _, _, err := h.Connections(t.Context(), listing.ConnectionQuery{Tenant: "default", Page: listing.Page{Cursor: cursor}}); !fault.Is(err, "cursor-invalid") {
		t.Errorf("cursor of another list: %v, want cursor-invalid", err)
	}
}

func FuzzCursor(f *testing.F) {
	h, _ := furnish(f)
	_, cursor, _ := h.Escalations(f.Context(), listing.EscalationQuery{Tenant: "default", Page: listing.Page{Limit: 1}})
	f.Add(cursor, escid.Of(stream(1), 1))
	f.Add("", "esc_0")
	f.Fuzz(func(t *testing.T, cursor, prefix string) {
		rows, _, err := h.Escalations(t.Context(), listing.EscalationQuery{Tenant: "default", IDPrefix: prefix, Page: listing.Page{Cursor: cursor}})
		if err != nil && !fault.Is(err, "cursor-invalid") || len(rows) > 5 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
		if _, err := h.Escalation(t.Context(), "default", prefix); err != nil && fault.Of(err) == nil {
			t.Error(err)
		}
	})
}

func TestOpenYieldsThoseToWhichTheRulesApply(t *testing.T) {
	t.Parallel()
	h, _ := furnish(t)
	for connection, want := range map[string][]directory.OpenEscalation{
		"bot-1": {{stream(1), 2}}, "bot-2": {{stream(2), 1}, {stream(4), 1}}, "bot-3": nil,
	} {
		var got []directory.OpenEscalation
		for e, err := range h.Open(t.Context(), "default", connection) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if !slices.Equal(got, want) {
			t.Errorf("open of %s = %v, want %v", connection, got, want)
		}
	}
}

func TestOpenIsNotDisturbedByItsConsumer(t *testing.T) {
	t.Parallel()
	h := open(t)
	const n = 600
	var records []events.Record
	for i := range n {
		records = append(records, h.record(t, "default", "bot-1", events.KindConversation, stream(i), raised(1)))
	}
	h.apply(t, records...)
	seen := 0
	for e, err := range h.Open(t.Context(), "default", "bot-1") {
		if err != nil {
			t.Fatal(err)
		}
		h.talk(t, "bot-1", e.Stream, moved(1, "bot-2", "q"))
		seen++
	}
	if seen != n {
		t.Errorf("yielded %d, want %d", seen, n)
	}
}

func TestDueTellsWhatIsDueAndWhenToComeAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i := range 4 {
		h.talk(t, "bot-1", stream(i), raised(i+1)) // due at minute 101, 102, 103, 104
	}
	h.talk(t, "bot-1", stream(1), &events.EscalationExpired{Number: 2})
	h.talk(t, "bot-1", stream(3), &events.EscalationDeadlineSet{Number: 4, Deadline: at(50), Code: "drained"})
	for sentence, c := range map[string]struct {
		now   time.Time
		limit int
		want  []directory.Due
		next  time.Time
	}{
		"nothing yet":         {at(49), 10, nil, at(50)},
		"the one set forward": {at(50), 10, []directory.Due{{"default", stream(3), 4, at(50)}}, at(101)},
		"at most the limit":   {at(500), 1, []directory.Due{{"default", stream(3), 4, at(50)}}, at(101)},
		"all":                 {at(500), 10, []directory.Due{{"default", stream(3), 4, at(50)}, {"default", stream(0), 1, at(101)}, {"default", stream(2), 3, at(103)}}, time.Time{}},
	} {
		due, next, err := h.Due(t.Context(), c.now, c.limit)
		if err != nil || !slices.Equal(due, c.want) || !next.Equal(c.next) {
			t.Errorf("%s = %v, %v, %v\nwant %v, %v", sentence, due, next, err, c.want, c.next)
		}
	}
}

func TestConversationsOfACustomer(t *testing.T) {
	t.Parallel()
	h, _ := furnish(t)
	later := &events.EscalationContextAdded{Number: 1, CustomerRefs: []string{"ref-9"}}
	h.talk(t, "bot-1", stream(2), later, &events.ContextErased{})
	for ref, want := range map[string][]events.StreamID{"ref-9": {stream(2), stream(3)}, "ref-0": nil} {
		got, err := h.ByCustomer(t.Context(), "default", ref)
		slices.SortFunc(want, func(a, b uuid.UUID) int { return strings.Compare(string(a[:]), string(b[:])) })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("conversations of %s = %v, %v, want %v", ref, got, err, want)
		}
	}
	if got, err := h.ByCustomer(t.Context(), "other", "ref-9"); err != nil || got != nil {
		t.Errorf("conversations in another tenant = %v, %v", got, err)
	}
}

func TestRelaysAreListedWhenTheirTimeHasCome(t *testing.T) {
	t.Parallel()
	h := open(t)
	for i := range 4 {
		h.talk(t, "bot-1", stream(i), &events.RelayStarted{Session: 1, LookAt: at(10 + i)})
	}
	h.talk(t, "bot-1", stream(0), &events.MessagesTaken{Session: 1, LookAt: at(20)})
	h.talk(t, "bot-1", stream(2), &events.RelayEnded{Session: 1})
	for sentence, c := range map[string]struct {
		now   time.Time
		limit int
		want  []directory.Relay
	}{
		"nothing yet":       {at(10), 10, nil},
		"at most the limit": {at(30), 1, []directory.Relay{{Stream: stream(1), LookAt: at(11)}}},
		"not before it":     {at(13), 10, []directory.Relay{{Stream: stream(1), LookAt: at(11)}, {Stream: stream(3), LookAt: at(13)}}},
		"all that go on":    {at(30), 10, []directory.Relay{{Stream: stream(1), LookAt: at(11)}, {Stream: stream(3), LookAt: at(13)}, {Stream: stream(0), LookAt: at(20)}}},
	} {
		if got, err := h.Relays(t.Context(), c.now, c.limit); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s = %v, %v\nwant %v", sentence, got, err, c.want)
		}
	}
}
