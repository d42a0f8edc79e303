package bill_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"handoff/tests/costs/bill"
)

var update = flag.Bool("update", false, "write the golden file")

func inputs(t *testing.T) bill.Inputs {
	t.Helper()
	in, err := bill.Default()
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestReport(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := inputs(t).Report(&got); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "report.md")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the report is\n%s\nwant what is in %s; if that is right, run the test with -update", got.Bytes(), golden)
	}
}

// What the hand-off itself writes is the larger part of the bill, and easy to
// compute by hand.
func TestWritesOfAMillion(t *testing.T) {
	t.Parallel()
	var usd float64
	for _, l := range inputs(t).Month(1e6) {
		if slices.Contains([]string{"raised and routed", "key of the conversation", "references of the customer", "attempted and delivered"}, l.What) {
			usd += l.USD
		}
	}
	if want := (4 + 1 + 2 + 1) * 0.625; math.Abs(usd-want) > 1e-9 {
		t.Errorf("writes cost $%f, want $%f", usd, want)
	}
}

func TestPricesCanBeSet(t *testing.T) {
	t.Parallel()
	in := inputs(t)
	before := bill.Sum(in.Month(1e6))
	requests := 3.0
	if err := in.Set("api_request", 2); err != nil {
		t.Fatal(err)
	}
	if got := bill.Sum(in.Month(1e6)) - before; math.Abs(got-requests) > 1e-9 {
		t.Errorf("with requests at $2 a million the bill is $%f higher, want $%f", got, requests)
	}
	for _, name := range []string{"endpoint_ms", "table_units"} {
		if err := in.Set(name, 1); err != nil {
			t.Error(err)
		}
	}
	if in.Assume("endpoint_ms") != 1 || in.Quota("table_units").Value != 1 {
		t.Error("what was set is not there")
	}
	if err := in.Set("postage", 1); err == nil {
		t.Error("a price that is none was set")
	}
}

// An idle month has no line that depends on escalations, and every other month
// costs more.
func TestBillsGrow(t *testing.T) {
	t.Parallel()
	in := inputs(t)
	if all, fixed := bill.Sum(in.Month(0)), bill.Sum(in.Month(0), bill.Fixed); all != fixed || fixed <= 0 {
		t.Errorf("an idle month costs $%f, of which $%f are fixed", all, fixed)
	}
	last := 0.0
	for _, n := range []float64{0, 1, 1e3, 1e5, 1e6, 1e7, 1e8, 1e9} {
		usd := bill.Sum(in.Month(n))
		if usd <= last || math.IsNaN(usd) {
			t.Errorf("%g escalations cost $%f, fewer $%f", n, usd, last)
		}
		last = usd
	}
}

func TestInputsAreExplained(t *testing.T) {
	t.Parallel()
	in := inputs(t)
	names := map[string]bool{}
	check := func(name, why string, value float64) {
		if name == "" || names[name] || why == "" || value < 0 {
			t.Errorf("input %q = %g: %q", name, value, why)
		}
		names[name] = true
	}
	for _, p := range in.Prices {
		check(p.Name, p.Of, p.USD*p.Per)
	}
	for _, a := range in.Assumptions {
		check(a.Name, a.Why, a.Value)
	}
	for _, q := range in.Quotas {
		check(q.Name, q.Of+q.Then, q.Value)
	}
}
