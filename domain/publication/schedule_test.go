package publication_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"handoff/domain/publication"
)

// However the spans of time lie, each connection is due once in every interval.
func TestEachIsDueOnceAnInterval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		every := rapid.Int64Range(int64(time.Second), int64(24*time.Hour)).Draw(t, "every")
		name := rapid.String().Draw(t, "name")
		start := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "start"), 0)
		end := start.Add(time.Duration(7 * every))
		due, at := 0, start
		for at.Before(end) {
			next := at.Add(time.Duration(rapid.Int64Range(1, every).Draw(t, "span")))
			if next.After(end) {
				next = end
			}
			if publication.Due("default", name, time.Duration(every), at, next) {
				due++
			}
			at = next
		}
		if due != 7 {
			t.Fatalf("due %d times in 7 intervals", due)
		}
	})
}

func TestConnectionsAreSpread(t *testing.T) {
	t.Parallel()
	const connections, minutes = 15_000, 15
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for minute := range minutes {
		due := 0
		for i := range connections {
			if publication.Due("default", fmt.Sprintf("bot-%d", i), minutes*time.Minute, start.Add(time.Duration(minute)*time.Minute), start.Add(time.Duration(minute+1)*time.Minute)) {
				due++
			}
		}
		if share := connections / minutes; due < share*3/4 || due > share*5/4 {
			t.Errorf("%d are due in minute %d, want about %d", due, minute, share)
		}
	}
}

func TestNothingIsDueInNoTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	if publication.Due("a", "b", time.Minute, now, now) || publication.Due("a", "b", time.Minute, now, now.Add(-time.Hour)) || publication.Due("a", "b", 0, now, now.Add(time.Hour)) {
		t.Error("something is due in no time")
	}
	if !publication.Due("a", "b", time.Minute, now, now.Add(time.Hour)) {
		t.Error("after a long pause it is not due")
	}
}
