package vendor_test

import (
	"strings"
	"testing"

	"handoff/infra/microsoft/simulation"
	"handoff/tests/hubtest"
)

// browse has a customer and a human agent talk in a browser until both have
// seen everything.
func browse(t *testing.T, pages string, says ...object) (known string) {
	t.Helper()
	p := run(t, "browser.mjs", object{
		"browser": engine(t, browserEnv), "widget": pages + "/widgets/" + simulation.WidgetAppID, "desk": pages + "/desks/" + simulation.Ana,
		"says": says, "answer": "I'll send your money back.",
	})
	known, _ = p.next("known").(string)
	p.next("done")
	return known
}

// A bot that escalates at once stands in for everything between the pages.
func TestThePagesInABrowser(t *testing.T) {
	t.Parallel()
	engine(t, nodeEnv)
	b := hubtest.Connect(t, cloud)
	go func() {
		first := b.Next()
		b.Reply(first, hubtest.Bridged("How can I help?"))
		b.Next()
		b.Reply(first, hubtest.Bridged("I'll find somebody."))
		b.Reply(first, hubtest.Command("Escalate", "Wants a refund.", map[string]any{"HandoffQueue": "Refunds", "OrderNumber": "A-1234"}))
	}()
	known := browse(t, b.URLs.Pages, object{"then": "How can I help?"}, object{"text": "refund please", "then": "I'll find somebody."})
	if !strings.Contains(known, "A-1234") {
		t.Errorf("the human agent knows %q", known)
	}
}
