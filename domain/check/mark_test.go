package check_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"handoff/domain/check"
	"handoff/events"
)

func now() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

// ref stands for the keyed hash of a tenant.
func ref(tenant, label, value string) (string, error) { return tenant + "/" + label + "/" + value, nil }

func mark() check.Mark {
	return check.Mark{ID: "c1", Connection: "store-bot", By: "admin", Say: "a person, please", Queue: events.Queue{ID: "test"}, Until: now().Add(check.Lifetime)}
}

func TestMarksThatAreGood(t *testing.T) {
	t.Parallel()
	text, err := mark().Sign("acme", ref)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := check.Open("acme", "store-bot", text, ref, now()); err != nil || !ok || got != mark() {
		t.Errorf("opened = %+v, %t, %v", got, ok, err)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune("-_.", r) && (r < '0' || r > 'z') }) {
		t.Errorf("a mark has other signs than letters and digits: %s", text)
	}
}

func TestMarksThatAreNone(t *testing.T) {
	t.Parallel()
	good, err := mark().Sign("acme", ref)
	if err != nil {
		t.Fatal(err)
	}
	says, sum, _ := strings.Cut(good, ".")
	other := base64.RawURLEncoding.EncodeToString([]byte(`{"id":"c2","connection":"store-bot","queue":{"id":"people"},"until":"2027-01-01T00:00:00Z"}`))
	for sentence, c := range map[string]struct {
		tenant, connection, text string
		at                       time.Time
	}{
		"nothing":                  {"acme", "store-bot", "", now()},
		"a word":                   {"acme", "store-bot", "check", now()},
		"what says something else": {"acme", "store-bot", other + "." + sum, now()},
		"what is not signed":       {"acme", "store-bot", says + ".", now()},
		"what is half signed":      {"acme", "store-bot", good[:len(good)-1], now()},
		"that of another tenant":   {"other", "store-bot", good, now()},
		"another connection's":     {"acme", "bank-bot", good, now()},
		"an old one":               {"acme", "store-bot", good, now().Add(check.Lifetime)},
		"one that has no end":      {"acme", "store-bot", strings.Repeat("a", 5000) + "." + sum, now()},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if m, ok, err := check.Open(c.tenant, c.connection, c.text, ref, c.at); ok || err != nil {
				t.Errorf("opened = %+v, %t, %v", m, ok, err)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("e30.YWNtZS9jaGVjay9lMzA")
	f.Add(".")
	f.Fuzz(func(t *testing.T, text string) {
		if m, ok, _ := check.Open("acme", "store-bot", text, ref, now()); ok && m.Connection != "store-bot" {
			t.Errorf("%q is a mark of %q", text, m.Connection)
		}
	})
}
