package capacity_test

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"

	"handoff/tests/costs/bill"
	"handoff/tests/costs/capacity"
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
	if err := capacity.Report(&got, inputs(t)); err != nil {
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

func TestPlan(t *testing.T) {
	t.Parallel()
	p := capacity.For(inputs(t), 1000)
	if p.LogUnits != 9000 || p.Partitions != 13 {
		t.Errorf("1,000 a second write %g units a second to %g partitions, want 9000 and 13", p.LogUnits, p.Partitions)
	}
	for i, u := range p.Uses {
		if tight := u.Quota.Name == "new_table_units"; tight != (u.Share() > 1) {
			t.Errorf("1,000 a second need %g of %s, there is %g", u.Needs, u.Quota.Name, u.Quota.Value)
		}
		if i > 0 && u.Share() > p.Uses[i-1].Share() {
			t.Errorf("%s stands behind what is less tight", u.Quota.Name)
		}
	}
}

// The simulation keeps to what can be computed: with less than there is nothing
// waits for long, with more the rest piles up, and that much.
func TestSimulation(t *testing.T) {
	t.Parallel()
	in := inputs(t)
	for _, w := range capacity.Simulate(in, capacity.For(in, 1000), 1) {
		if w.Behind > 0 || w.P99 > 100 {
			t.Errorf("at 1,000 a second, %s: %+v", w.Stage, w)
		}
	}
	if err := in.Set("deliver_conversations", 210); err != nil { // half of what 1,000 a second need
		t.Fatal(err)
	}
	for _, w := range capacity.Simulate(in, capacity.For(in, 1000), 1) {
		if want := 3000.0; w.Stage == "deliver: conversations at once" && math.Abs(w.Behind-want) > want/50 {
			t.Errorf("with half the concurrency it falls behind by %g commits a second, want %g", w.Behind, want)
		}
	}
}
