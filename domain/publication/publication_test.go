package publication_test

import (
	"testing"

	"handoff/domain/publication"
)

func TestUnknownIsNeverUnpublished(t *testing.T) {
	t.Parallel()
	states := []publication.State{publication.Unknown, publication.Published, publication.Outdated, publication.Unpublished, publication.Deleted}
	for _, before := range states {
		if (publication.Finding{State: publication.Unknown}).Changed(before) {
			t.Errorf("unknown changes %q", before)
		}
		for _, after := range states[1:] {
			if got := (publication.Finding{State: after}).Changed(before); got != (before != after) {
				t.Errorf("%q after %q changed = %v", after, before, got)
			}
		}
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	for s, want := range map[publication.State][2]bool{
		publication.Published: {true, true}, publication.Outdated: {true, true},
		publication.Unpublished: {false, true}, publication.Deleted: {false, true}, publication.Unknown: {false, false},
	} {
		if live, known := s.Live(); live != want[0] || known != want[1] {
			t.Errorf("%q is live %v, known %v", s, live, known)
		}
	}
}
