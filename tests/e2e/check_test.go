package e2e_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/functions/handoff/cli"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/settings"
)

// checkedShop is a shop whose rules have a queue for checks.
func checkedShop(t *testing.T) *shop {
	t.Helper()
	return openShop(t, func(plan map[string]any) {
		plan["rules"] = strings.Replace(relayRules, "queues:\n", "check: {queue: test, phrase: speak to someone}\nqueues:\n  - {id: test, name: Test, hub_queue: "+simulation.TestQueue+"}\n", 1)
	})
}

// handoff runs a command against the system, as its administrator.
func (s *shop) handoff(args ...string) (code int, out, errs string) {
	s.t.Helper()
	var stdout, stderr strings.Builder
	env := map[string]string{"HANDOFF_URL": s.url, "HANDOFF_API_KEY": s.admin}
	code = cli.Main(s.t.Context(), cli.Process{
		Args: args, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Now: time.Now, Version: "test",
		Env: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		},
		Home: settings.Home{Config: s.t.TempDir(), Data: s.t.TempDir()},
	})
	return code, stdout.String(), stderr.String()
}

func TestTheCommandChecksFromEndToEnd(t *testing.T) {
	t.Parallel()
	s := checkedShop(t)
	code, out, errs := s.handoff("check", "store-bot", "--end-to-end", "--json", "--wait", "30s")
	var got struct {
		Passed bool
		Check  struct{ Record, Phrase string }
		Hops   []struct {
			Hop, State string
			At         time.Time
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != cli.ExitOK || !got.Passed || got.Check.Phrase != "speak to someone" {
		t.Fatalf("exit code %d (%v), out %s\nerrors %s\nfacts %v", code, err, out, errs, s.types())
	}
	var hops []string
	for _, h := range got.Hops {
		if hops = append(hops, h.Hop); h.State != "ok" || h.At.IsZero() {
			t.Errorf("hop %s is %s at %s", h.Hop, h.State, h.At)
		}
	}
	want := []string{"opened", "given", "bot-reached", "said", "handed-over", "routed", "hub-told", "queued", "closed", "recorded", "relay-ended"}
	if !slices.Equal(hops, want) {
		t.Errorf("hops = %v, want %v", hops, want)
	}
	v, err := s.Hub().Conversation(got.Check.Record)
	if err != nil || v.Status != hub.Closed || v.QueueName != "Test" {
		t.Errorf("the hub has it %s in %s, %v", v.Status, v.QueueName, err)
	}
	s.eventually("the list says that it is a check", func() bool {
		code, out, _ := s.handoff("escalations", "list")
		return code == cli.ExitOK && strings.Contains(out, "(a check)")
	})
	s.whole()
}

func TestTheCommandSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := checkedShop(t)
	code, out, errs := s.handoff("check", "store-bot", "--end-to-end", "--say", "store hours", "--wait", "4s")
	if code != cli.ExitFailed || !strings.Contains(out, "missing") || !strings.Contains(out, "did not hand over at") {
		t.Errorf("a bot that hands nothing over: exit code %d, out %s\nerrors %s", code, out, errs)
	}
	for _, v := range s.Hub().Conversations() {
		if v.Status != hub.Closed {
			t.Errorf("the chat is left %s", v.Status)
		}
	}
	if code, _, errs := s.handoff("check", "store-bot", "--end-to-end", "--queue", "refunds"); code != cli.ExitRefused || !strings.Contains(errs, "check-queue-of-people") {
		t.Errorf("a queue of people: exit code %d, %s", code, errs)
	}
	if code, _, errs := s.handoff("check", "store-bot", "--say", "help"); code != cli.ExitUsage {
		t.Errorf("a phrase without a chat: exit code %d, %s", code, errs)
	}
	s.Organisation(simulation.StoreOrganisation).Put("bots", simulation.StoreBot, tables.Row{"publishedon": nil})
	if code, out, _ := s.handoff("check", "store-bot", "--end-to-end"); code != cli.ExitFailed || strings.Contains(out, "the hub opened the chat") {
		t.Errorf("a bot that is not published: exit code %d, out %s", code, out)
	}
}
