// Package demo_test runs the demo as a newcomer does.
package demo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"handoff/tests/harness"
)

func TestTheDemoTellsItsStoryAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), harness.Build(t, harness.Program), "demo", "--exit")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "TMP="+tmp)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("demo --exit: %v\n%s", err, out)
	}
	for _, want := range []string{
		"READY", `because rule "refunds" matched`, "signature verified, context complete: 6 turns, 11 variables",
		"same answer, still one escalation", "Acknowledged 3, lost 0, doubled 0.", "chain intact", "chain still intact",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
	left, err := filepath.Glob(filepath.Join(tmp, "handoff-demo-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v), want nothing", left, err)
	}
}
