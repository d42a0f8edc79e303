package chronicle_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handoff/events"
	"handoff/functions/handoff/cli/chronicle"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

func at() time.Time { return time.Date(2026, 11, 22, 9, 10, 12, 4, time.UTC) }

// released returns a record of every fact in every version that was released,
// from the golden files of package events.
func released(t testing.TB) []events.Record {
	t.Helper()
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "events", "testdata", "*.v*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no golden files: %v", err)
	}
	var all []events.Record
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Type   string          `json:"type"`
			Schema int             `json:"schema"`
			Clear  json.RawMessage `json:"clear"`
		}
		if err := json.Unmarshal(b, &golden); err != nil {
			t.Fatal(err)
		}
		all = append(all, record(golden.Type, golden.Schema, string(golden.Clear)))
	}
	return all
}

func record(factType string, schema int, text string) events.Record {
	h := events.Header{
		Stream: uuid.MustParse("6f1c5a52-0000-8000-8000-000000000001"), Kind: kindOf(factType), Type: factType, Schema: schema,
		Connection: "store-bot", Time: at().UnixNano(), Actor: "mfrggzdf",
	}
	return events.Record{Header: h, Clear: []byte(text)}
}

func kindOf(factType string) events.Kind {
	switch {
	case strings.HasPrefix(factType, "Deliver"):
		return events.KindDelivery
	case strings.HasPrefix(factType, "Escalation"), strings.HasPrefix(factType, "Transcript"), strings.HasPrefix(factType, "Context"), ofARelay(factType):
		return events.KindConversation
	case factType == "Reserved" || factType == "Released":
		return events.KindReservation
	default:
		return events.KindConnection
	}
}

// ofARelay reports whether a fact is of a relayed conversation, or of what a hub
// made of it.
func ofARelay(factType string) bool {
	for _, prefix := range []string{"Relay", "Message", "BotConversation", "BotLeft", "BotTold", "Check", "HubCommanded", "Human", "Route"} {
		if strings.HasPrefix(factType, prefix) {
			return true
		}
	}
	return false
}

func TestEveryFactIsToldInWords(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for _, r := range released(t) {
		l := chronicle.New(events.Register(), time.UTC).Tell(r)
		if l.Text == r.Type || strings.Contains(l.Text, "can't read") {
			t.Errorf("%s is told as %q", r.Type, l.Text)
		}
		b.WriteString(l.String() + "\n")
	}
	golden := filepath.Join("testdata", "facts.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the facts are told differently than in %s (rewrite it with -update):\n%s", golden, b.String())
	}
}

func TestADeliveryIsNamedUntilItEnds(t *testing.T) {
	t.Parallel()
	teller := chronicle.New(events.Register(), time.UTC)
	const attempt = `{"subject": {"event_type": "handoff.escalation.routed.v1", "endpoint": "desk"}, "attempt": 1, "code": "timeout"}`
	for _, c := range []struct{ factType, clear, want string }{
		{"DeliveryAttempted", attempt, "delivery dlv_3f3hd54000g008000000000001 of escalation routed to desk: attempt 1: timeout in 0s (by key mfrggzdf)"},
		{"DeliveryParked", `{"code": "retries-exhausted"}`, "delivery dlv_3f3hd54000g008000000000001 of escalation routed to desk: parked: retries-exhausted (by key mfrggzdf)"},
		{"DeliveryResent", `{"round": 2}`, "delivery dlv_3f3hd54000g008000000000001 is sent again, round 2 (by key mfrggzdf)"},
	} {
		if got := teller.Tell(record(c.factType, 1, c.clear)).String(); got != c.want {
			t.Errorf("%s is told as %q, want %q", c.factType, got, c.want)
		}
	}
}

func TestAFactOfALaterVersionIsNamed(t *testing.T) {
	t.Parallel()
	l := chronicle.New(events.Register(), time.UTC).Tell(record("EscalationSung", 3, `{}`))
	if want := "has a fact EscalationSung of version 3, which this handoff can't read"; l.Text != want {
		t.Errorf("it is told as %q, want %q", l.Text, want)
	}
}

func TestActorOf(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"": "", "mfrggzdf": "key mfrggzdf", "function:deliver": "", "webhook:store-bot": "the signed webhook of store-bot", "oidc:ann": "oidc:ann",
	} {
		if got := chronicle.ActorOf(id); got != want {
			t.Errorf("ActorOf(%q) = %q, want %q", id, got, want)
		}
	}
}
