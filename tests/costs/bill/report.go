package bill

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Report writes the tables of README.
func (in Inputs) Report(w io.Writer) error {
	r := &report{w: w}
	bills := map[string][]Line{"1 thousand": in.Month(1e3), "1 million": in.Month(1e6), "100 million": in.Month(1e8)}
	sizes := []string{"1 thousand", "1 million", "100 million"}
	idle := Sum(in.Month(0))
	r.row("escalations a month", "table alone", "whole path", "idle month")
	r.row("---", "---:", "---:", "---:")
	for _, size := range sizes {
		r.row(size, usd(onTable(bills[size])), usd(Sum(bills[size])), usd(idle))
	}
	r.line("\nDollars for a million escalations, by how many there are in a month, without what an idle month costs:\n")
	r.row(append([]string{""}, sizes...)...)
	r.row("---", "---:", "---:", "---:")
	perMillion := func(what string, of func([]Line) float64) {
		cells := []string{what}
		for i, n := range []float64{1e3, 1e6, 1e8} {
			cells = append(cells, fmt.Sprintf("%.2f", of(bills[sizes[i]])*1e6/n))
		}
		r.row(cells...)
	}
	for _, service := range services(bills[sizes[0]]) {
		perMillion(service+", until delivered", func(b []Line) float64 { return Sum(from(b, service), Table, Delivered) })
	}
	perMillion("**raised, routed, delivered**", func(b []Line) float64 { return Sum(b, Table, Delivered) })
	perMillion("two reports of the hub", func(b []Line) float64 { return Sum(b, Reported) })
	perMillion("those delivered, too", func(b []Line) float64 { return Sum(b, Told) })
	perMillion("a month of keeping it", func(b []Line) float64 { return Sum(b, Stored) })
	r.line("\nWrite units of an escalation's life with 20 turns:\n")
	r.units(bills, sizes)
	r.relay(in, sizes)
	return r.err
}

// relay writes what a relayed conversation costs, and a connection that has them.
func (r *report) relay(in Inputs, sizes []string) {
	r.line("\nDollars for a million relayed conversations, by how many there are in a month, without their escalations:\n")
	r.row(append([]string{""}, sizes...)...)
	r.row("---", "---:", "---:", "---:")
	bills := map[string][]Line{sizes[0]: in.Relay(1e3), sizes[1]: in.Relay(1e6), sizes[2]: in.Relay(1e8)}
	row := func(what string, of func([]Line) float64) {
		cells := []string{what}
		for i, n := range []float64{1e3, 1e6, 1e8} {
			cells = append(cells, fmt.Sprintf("%.2f", of(bills[sizes[i]])*1e6/n))
		}
		r.row(cells...)
	}
	for _, service := range services(bills[sizes[0]]) {
		row(service, func(b []Line) float64 { return Sum(from(b, service)) })
	}
	row("**all of it**", func(b []Line) float64 { return Sum(b) })
	row("of which a second more or less of hearing the bot out", func(b []Line) float64 {
		for _, l := range b {
			if l.What == "relay, hearing it out" {
				return l.USD / in.Assume("quiet_ms") * 1000
			}
		}
		return 0
	})
	r.line(fmt.Sprintf("\nA connection to an agent hub, watched for a month: %s; a thousand of them: %s.", usd(Sum(in.Watch(1))), usd(Sum(in.Watch(1e3)))))
}

// onTable sums up what DynamoDB costs, storage included.
func onTable(b []Line) float64 {
	return Sum(slices.DeleteFunc(slices.Clone(b), func(l Line) bool {
		return !strings.HasPrefix(l.Price, "dynamodb_") || l.Part == Fixed
	}))
}

func from(b []Line, service string) []Line {
	return slices.DeleteFunc(slices.Clone(b), func(l Line) bool { return l.Service != service })
}

// services returns what the path until the delivery, or a relayed conversation,
// costs something at.
func services(b []Line) (names []string) {
	for _, l := range b {
		if (l.Part == Table || l.Part == Delivered || l.Part == Relayed) && !slices.Contains(names, l.Service) {
			names = append(names, l.Service)
		}
	}
	return names
}

func usd(v float64) string {
	if v < 1000 {
		return fmt.Sprintf("$%.2f", v)
	}
	return fmt.Sprintf("$%.0f", v)
}

// report remembers the first error of writing.
type report struct {
	w   io.Writer
	err error
}

func (r *report) line(text string) {
	_, err := fmt.Fprintln(r.w, text)
	r.err = cmp.Or(r.err, err)
}

func (r *report) row(cells ...string) { r.line("| " + strings.Join(cells, " | ") + " |") }

func (r *report) units(bills map[string][]Line, sizes []string) {
	r.row(append([]string{""}, sizes...)...)
	r.row("---", "---:", "---:", "---:")
	sums := make([]float64, len(sizes))
	for i, l := range bills[sizes[0]] {
		if l.Price != "dynamodb_write" || l.Part == Fixed {
			continue
		}
		cells := []string{l.What}
		for j, n := range []float64{1e3, 1e6, 1e8} {
			units := bills[sizes[j]][i].Quantity / n
			sums[j] += units
			cells = append(cells, fmt.Sprintf("%.1f", units))
		}
		r.row(cells...)
	}
	cells := []string{"**all**"}
	for _, s := range sums {
		cells = append(cells, fmt.Sprintf("**%.1f**", s))
	}
	r.row(cells...)
}
