package crash_test

import (
	"slices"
	"testing"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	one := map[string]int{"esc": 1}
	asked := []raised{{id: "esc", connection: thin}}
	for sentence, c := range map[string]struct {
		acknowledged          []raised
		raised, routed, added map[string]int
		arrived               map[string]int
		lost, doubled         bool
	}{
		"once everywhere":                      {acknowledged: asked, raised: one, routed: one, arrived: one},
		"not in the log":                       {acknowledged: asked, arrived: one, lost: true},
		"not routed":                           {acknowledged: asked, raised: one, arrived: one, lost: true},
		"not at the receiver":                  {acknowledged: asked, raised: one, routed: one, lost: true},
		"raised twice":                         {acknowledged: asked, raised: map[string]int{"esc": 2}, routed: one, arrived: one, doubled: true},
		"routed twice":                         {acknowledged: asked, raised: one, routed: map[string]int{"esc": 2}, arrived: one, doubled: true},
		"two different events at the receiver": {acknowledged: asked, raised: one, routed: one, arrived: map[string]int{"esc": 2}, doubled: true},
		"one answer to two conversations":      {acknowledged: append(asked, asked...), raised: one, routed: one, arrived: one, doubled: true},
		"a second escalation in the log":       {acknowledged: asked, raised: map[string]int{"esc": 1, "esc-2": 1}, routed: one, arrived: one, doubled: true},
		"added context is missing":             {acknowledged: []raised{{id: "esc", connection: thin, added: 1}}, raised: one, routed: one, arrived: one, lost: true},
		"added context is there":               {acknowledged: []raised{{id: "esc", connection: thin, added: 1}}, raised: one, routed: one, added: one, arrived: one},
		"context that nobody added":            {acknowledged: asked, raised: one, routed: one, added: one, arrived: one, doubled: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			log := census{raised: c.raised, routed: c.routed, added: c.added}
			lost, doubled := log.judge(c.acknowledged, map[string]arrival{thin: {routed: c.arrived}})
			if got := len(lost) > 0; got != c.lost {
				t.Errorf("lost = %v, want some: %t", lost, c.lost)
			}
			if got := len(doubled) > 0; got != c.doubled {
				t.Errorf("doubled = %v, want some: %t", slices.Compact(doubled), c.doubled)
			}
		})
	}
}
