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
	tells(t, []string{"--exit"},
		"READY", `because rule "refunds" matched`, "signature verified, context complete: 6 turns, 11 variables",
		"same answer, still one escalation", "Acknowledged 3, lost 0, doubled 0.", "chain intact", "chain still intact")
}

// One test for the whole path through Omnichannel, from the connect flow to the
// human agent's answer in the customer's widget: every hop is read in the log.
func TestTheDemoOfOmnichannelTellsEveryHop(t *testing.T) {
	t.Parallel()
	tells(t, []string{"--hub", "omnichannel", "--exit"},
		"notice 2026-11 acknowledged", "looked at its hub", "has application id", "has its channel MsTeamsChannel on", "in the hub (created by handoff)",
		"is ready and takes escalations", "READY",
		"conversation relayed from here on", "widget   # Store bot relay: Hello, I'm the store's virtual assistant.",
		"widget   R. Bakker: refund please", "conversation has 1 message of the customer", "passed message 1 on to the bot",
		"What is your order number?", "escalation raised: Refund", `escalation routed to refunds (Refunds), because of rule "refunds"`,
		"the hub was told to escalate", "Ana de Wit is offered the conversation in queue Refunds",
		"HandoffContextUrl opens in Handoff: 4 messages", "had its context read by the link", "the hub chose Refunds",
		"escalation accepted by a human agent", "escalation is with a human agent", "the bot was told: accepted",
		"widget   Ana de Wit: Yes. I'll send your money back.",
		"escalation completed", "the bot was told: completed", "conversation relayed no more", "confirmed", `because rule "refunds" matched`, "chain intact",
		"the human agent's answer arrived in the widget in which the customer had written")
}

// tells runs the demo, and holds it to what it says and leaves.
func tells(t *testing.T, flags []string, wants ...string) {
	t.Helper()
	tmp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), harness.Build(t, harness.Program), append([]string{"demo"}, flags...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "TMP="+tmp)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("demo %v: %v\n%s", flags, err, out)
	}
	for _, want := range wants {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
	left, err := filepath.Glob(filepath.Join(tmp, "handoff-demo-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v), want nothing", left, err)
	}
}
