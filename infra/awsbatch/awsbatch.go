// Package awsbatch sends many things by calls that take ten at a time and answer
// for each alone, as those of SQS and EventBridge do.
package awsbatch

import (
	"context"
	"strconv"
	"time"

	"handoff/domain/fault"
)

// Limits of one call. SQS (SendMessageBatch) and EventBridge (PutEvents) each
// take ten entries of together 256 KiB; some of them take more by now, which is
// not relied on.
const (
	MaxEntries = 10
	MaxBytes   = 256 << 10
)

// What failed alone is tried again so often, after pauses that double. A call
// that fails as a whole was tried again by the client.
const (
	rounds     = 5
	firstPause = 50 * time.Millisecond
)

// Entry is something to be sent.
type Entry struct {
	// Group is the order that the entry is part of, or empty: nothing of a group
	// is sent behind an entry that failed.
	Group string
	Bytes int
}

// Call sends the entries with the given indexes, no two of them of one group. It
// returns an error for each, nil for one that was taken, or an error of the
// whole call.
type Call func(ctx context.Context, batch []int) ([]error, error)

// Send sends all entries and returns an error for each, nil for one that was
// taken. It is over with the first call that fails as a whole.
func Send(ctx context.Context, entries []Entry, call Call) []error {
	s := sending{entries: entries, errs: make([]error, len(entries)), done: make([]bool, len(entries)), broken: make(map[string]bool)}
	for i, e := range entries {
		s.errs[i] = fault.New(fault.Unavailable, "not-sent", "Something before it could not be sent.")
		if e.Bytes > MaxBytes {
			s.errs[i] = fault.Newf(fault.TooLarge, "entry-too-large", "%d bytes are too many for one message; %d are not.", e.Bytes, MaxBytes)
			s.broken[s.group(i)] = true
		}
	}
	for round := range rounds {
		if round > 0 && !pause(ctx, firstPause<<(round-1)) {
			break
		}
		if again := s.round(ctx, call); !again {
			break
		}
	}
	return s.errs
}

type sending struct {
	entries []Entry
	errs    []error
	done    []bool
	broken  map[string]bool // groups in which something failed for good
}

// group returns the entry's group, or one of its own.
func (s *sending) group(i int) string {
	if g := s.entries[i].Group; g != "" {
		return g
	}
	return "\x00" + strconv.Itoa(i)
}

// round tries once whatever is not sent. It reports whether another round may
// help.
func (s *sending) round(ctx context.Context, call Call) (again bool) {
	held := make(map[string]bool) // until the next round
	for {
		batch := s.next(held)
		if len(batch) == 0 {
			return again
		}
		errs, err := call(ctx, batch)
		for at, i := range batch {
			if s.errs[i] = err; err == nil {
				s.errs[i] = errs[at]
			}
			switch {
			case s.errs[i] == nil:
				s.done[i] = true
			case fault.KindOf(s.errs[i]).Permanent():
				s.broken[s.group(i)] = true
			default:
				held[s.group(i)], again = true, true
			}
		}
		if err != nil {
			return false
		}
	}
}

// next picks the entries for a call: the first of each group, as many as fit.
func (s *sending) next(held map[string]bool) (batch []int) {
	taken := make(map[string]bool, MaxEntries)
	bytes := 0
	for i, e := range s.entries {
		g := s.group(i)
		if s.done[i] || held[g] || s.broken[g] || taken[g] {
			continue
		}
		if taken[g] = true; bytes+e.Bytes > MaxBytes {
			continue // it, and with it its group, goes into a later call
		}
		batch, bytes = append(batch, i), bytes+e.Bytes
		if len(batch) == MaxEntries {
			break
		}
	}
	return batch
}

// pause reports whether a while passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
