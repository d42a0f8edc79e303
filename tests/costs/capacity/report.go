package capacity

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"handoff/tests/costs/bill"
)

// Rates are the rates that Report plans for, in escalations a second.
func Rates() []float64 { return []float64{1, 1_000, 100_000} }

// seed makes the report the same whenever it is written.
const seed = 1

// Report writes the capacity plan for each of Rates.
func Report(w io.Writer, in bill.Inputs) error {
	var failed error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		failed = cmp.Or(failed, err)
	}
	line("| escalations/s | log writes, units/s | partitions, shards | functions at once | a month |")
	line("| ---: | ---: | ---: | ---: | ---: |")
	for _, rate := range Rates() {
		p := For(in, rate)
		line("| %.0f | %.0f | %.0f | %.0f | $%.0f |", p.Rate, p.LogUnits, p.Partitions, p.Functions, p.Month)
	}
	for _, rate := range Rates() {
		p := For(in, rate)
		line("\nAt %.0f a second, the tightest first:\n", rate)
		line("| limit | needs | has | | then |")
		line("| --- | ---: | ---: | ---: | --- |")
		for _, u := range p.Uses {
			line("| %s | %.0f | %.0f | %s | %s |", u.Quota.Of, u.Needs, u.Quota.Value, share(u), advice(u))
		}
		line("\n| waits, simulated for a minute: p99 | as deployed | with more of what one can ask for |")
		line("| --- | --- | --- |")
		asked := Simulate(raised(in, p), p, seed)
		for i, s := range Simulate(in, p, seed) {
			line("| %s | %s | %s |", s.Stage, behind(s), behind(asked[i]))
		}
	}
	return failed
}

func share(u Use) string {
	if u.Share() > 1 {
		return fmt.Sprintf("**%.1f×**", u.Share())
	}
	return fmt.Sprintf("%.0f %%", 100*u.Share())
}

func advice(u Use) string {
	if u.Share() < 0.7 {
		return ""
	}
	return u.Quota.Then
}

func behind(w Wait) string {
	if w.Behind > 0 {
		return fmt.Sprintf("falls behind by %.0f commits a second", w.Behind)
	}
	return fmt.Sprintf("%.0f ms", w.P99)
}

// raised returns the inputs with as much of each quota as a plan needs, and half
// as much again, but for those that nobody gets more of.
func raised(in bill.Inputs, p Plan) bill.Inputs {
	in.Quotas = slices.Clone(in.Quotas)
	for i := range in.Quotas {
		q := &in.Quotas[i]
		for _, u := range p.Uses {
			if u.Quota.Name == q.Name && !q.Fixed {
				q.Value = max(q.Value, 1.5*u.Needs)
			}
		}
	}
	return in
}
