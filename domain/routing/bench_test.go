package routing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"handoff/domain/routing"
)

// manyRules returns n rules that all miss for busyInput, with two plain
// conditions each, or with the same as a formula.
func manyRules(n int, formulas bool) []byte {
	var b strings.Builder
	b.WriteString("version: 1\nfallback: general\ntime_zone: Europe/Amsterdam\nvariables: {order_total: {type: double, default: 0}}\nqueues: [{id: general}]\nrules:\n")
	for i := range n {
		if formulas {
			fmt.Fprintf(&b, "  - {name: rule %d, when: 'lower(topic) == \"refund\" && order_total >= %d.0', then: {queue: general}}\n", i, 1000+i)
			continue
		}
		fmt.Fprintf(&b, "  - {name: rule %d, all: [{topic: {is: Refund}}, {variable: order_total, at_least: %d}], then: {queue: general}}\n", i, 1000+i)
	}
	return []byte(b.String())
}

func busyInput() routing.Input {
	return routing.Input{
		Topic: "Refund", LastPhrase: "I want to talk to a person, please", Language: "nl-NL", Channel: "web", Reason: "customer_asked",
		Phrases:   []string{"hello", "where is my parcel", "no", "I want to talk to a person, please"},
		Variables: map[string]json.RawMessage{"order_total": json.RawMessage("380.50"), "order_number": json.RawMessage(`"4711"`)},
		At:        time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
	}
}

func benchmarkRoute(b *testing.B, source []byte) {
	r, err := routing.Parse(source)
	if err != nil {
		b.Fatal(err)
	}
	in := busyInput()
	b.ReportAllocs()
	for b.Loop() {
		if d := r.Route(in); !d.Fallback {
			b.Fatal("a rule matched")
		}
	}
}

// BenchmarkRoute200Rules routes past 200 rules, all of which miss narrowly:
// the nearest misses must be looked for in every one.
func BenchmarkRoute200Rules(b *testing.B) { benchmarkRoute(b, manyRules(200, false)) }

// BenchmarkRoute200Formulas is the same with the rules written as `when`.
func BenchmarkRoute200Formulas(b *testing.B) { benchmarkRoute(b, manyRules(200, true)) }

func benchmarkParse(b *testing.B, source []byte) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := routing.Parse(source); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParse200Rules is what adoption, or the start of a function, costs.
func BenchmarkParse200Rules(b *testing.B) { benchmarkParse(b, manyRules(200, false)) }

// BenchmarkParse200Formulas is the same with the rules written as `when`.
func BenchmarkParse200Formulas(b *testing.B) { benchmarkParse(b, manyRules(200, true)) }
