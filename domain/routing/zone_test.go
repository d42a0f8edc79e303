package routing_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"handoff/domain/routing"
)

// TestVersionsAreTrue compares the versions that decisions record with the
// files they speak of.
func TestVersionsAreTrue(t *testing.T) {
	t.Parallel()
	zones, err := os.ReadFile("zoneinfo.zip")
	if err != nil {
		t.Fatal(err)
	}
	if digest := fmt.Sprintf("sha256:%x", sha256.Sum256(zones))[:len("sha256:")+16]; !strings.HasSuffix(routing.TimeZones, digest) {
		t.Errorf("TimeZones = %q, but zoneinfo.zip is %s", routing.TimeZones, digest)
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(routing.Evaluator, "cel-go ")
	if !strings.Contains(string(module), "cel.dev/cel-go "+version) {
		t.Errorf("Evaluator = %q, but go.mod requires another cel-go", routing.Evaluator)
	}
}

// TestZonesFollowTheirClocks decides on both sides of the changes of the clock,
// in zones whose offset is odd, and without any file of the host.
func TestZonesFollowTheirClocks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		zone, utc string
		open      bool // 09:00-10:00
	}{
		"before summer time":      {"Europe/Amsterdam", "2026-03-28T08:30:00Z", true},
		"after summer time began": {"Europe/Amsterdam", "2026-03-29T07:30:00Z", true},
		"an hour after that":      {"Europe/Amsterdam", "2026-03-29T08:30:00Z", false},
		"a zone of 45 minutes":    {"Asia/Kathmandu", "2026-06-01T03:15:00Z", true},
		"the other hemisphere":    {"Australia/Lord_Howe", "2026-01-01T22:00:00Z", true},
		"a zone by an old name":   {"Asia/Calcutta", "2026-01-01T03:30:00Z", true},
		"UTC":                     {"UTC", "2026-01-01T09:00:00Z", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, head+"time_zone: "+c.zone+"\nrules: [{name: r, all: [{time: {within: \"09:00-10:00\"}}], then: {queue: other}}]")
			at, err := time.Parse(time.RFC3339, c.utc)
			if err != nil {
				t.Fatal(err)
			}
			if open := !r.Route(routing.Input{At: at}).Fallback; open != c.open {
				t.Errorf("open = %t, want %t", open, c.open)
			}
		})
	}
}
