// Package scenario tests deciders: by tables of given facts, a command and what
// follows from it, and by the laws that every decider keeps over any sequence
// of commands.
package scenario

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain"
	"handoff/domain/fault"
	"handoff/events"
)

// Case is one decision: what happened, what is wanted, and the one thing that
// is expected of it.
type Case struct {
	Given []events.Fact
	When  eh.Command

	Then    []events.Fact // these facts, or
	Fault   string        // a fault with this code, or
	Nothing bool          // success without a fact
}

// Run decides every case in a subtest that the sentence names. Whatever leads
// to facts is decided twice: the second time it may lead to none.
func Run[S any](t *testing.T, d domain.Decider[S], cases map[string]Case) {
	t.Helper()
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if expected := len(c.Then) > 0; expected && (c.Fault != "" || c.Nothing) || !expected && (c.Fault != "") == c.Nothing {
				t.Fatal("a case expects either facts, a fault or nothing")
			}
			var none S
			before := d.Fold(none, c.Given...)
			facts, err := d.Decide(before, c.When)
			if got, want := outcome(facts, err), outcome(c.Then, faulty(c.Fault)); got != want {
				t.Fatalf("decided\n%s", diff(got, want))
			}
			if again, err := d.Decide(d.Fold(before, facts...), c.When); len(facts) > 0 && len(again) > 0 {
				t.Errorf("decided once more\n%s", outcome(again, err))
			}
		})
	}
}

func faulty(code string) error {
	if code == "" {
		return nil
	}
	return fault.New(fault.Internal, code, "")
}

// outcome renders a decision, a line for each line of JSON of each fact.
func outcome(facts []events.Fact, err error) string {
	var b strings.Builder
	if err != nil {
		if fault.Of(err) == nil {
			return "an error that is no fault: " + err.Error()
		}
		fmt.Fprintln(&b, "fault", fault.CodeOf(err))
	}
	for _, f := range facts {
		fmt.Fprintln(&b, f.FactType(), text(f))
		if p, ok := f.(events.Confidential); ok && p.HasPrivate() {
			fmt.Fprintln(&b, "private", text(p.Private()))
		}
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func text(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Sprintf("%+v can't be encoded: %v", v, err)
	}
	return string(b)
}

// diff marks the lines in which got and want differ, between those at the
// beginning and the end in which they don't.
func diff(got, want string) string {
	g, w := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(strings.TrimSpace(want), "\n")
	head := 0
	for head < min(len(g), len(w)) && g[head] == w[head] {
		head++
	}
	tail := 0
	for tail < min(len(g), len(w))-head && g[len(g)-1-tail] == w[len(w)-1-tail] {
		tail++
	}
	lines := slices.Concat(prefix("  ", g[:head]), prefix("got  ", g[head:len(g)-tail]), prefix("want ", w[head:len(w)-tail]), prefix("  ", g[len(g)-tail:]))
	return strings.Join(lines, "")
}

func prefix(mark string, lines []string) []string {
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		out = append(out, mark+l+"\n")
	}
	return out
}
