package vendor_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/functions/handoff/cli/botfile"
	"handoff/infra/apiclient"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/tests/harness"
	"handoff/tests/hubtest"
)

// What needs the program itself, which is built once.
func TestTheProgram(t *testing.T) {
	t.Parallel()
	engine(t, nodeEnv)
	program := harness.Build(t, harness.Program)
	t.Run("the vendor's bot is relayed, escalates, and is told how it went on", func(t *testing.T) {
		t.Parallel()
		relaysTheVendorsBot(t, program)
	})
	t.Run("a customer and a human agent use the pages of the demo", func(t *testing.T) {
		t.Parallel()
		showsTheDemo(t, program)
	})
}

// serve runs handoff serve between the hub and the bot of a fake, connected by
// the API.
func serve(t *testing.T, b *hubtest.Bench, program string) *apiclient.Client {
	t.Helper()
	site := harness.NewSite(t, program)
	site.Setenv("HANDOFF_MICROSOFT_SIMULATION", b.URLs.Control)
	site.Setenv("HANDOFF_GEOGRAPHY", "europe")
	site.Start(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(site.Tail())
		}
	})
	admin, err := site.Admin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := apiclient.New(admin.URL, admin.Key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	file, err := botfile.Parse([]byte(b.URLs.BotFile(simulation.Beside{})))
	if err != nil {
		t.Fatal(err)
	}
	plan := file.Plan
	plan.ClientSecret, plan.ApplicationSecret = simulation.InstallerSecret, simulation.RelaySecret
	if _, err := client.Connect(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	ready(t, client, plan.Name)
	if err := b.Assign(simulation.Workstream, simulation.RelayID); err != nil {
		t.Fatal(err)
	}
	b.SetEndpoint(simulation.RelayID, admin.URL+"/v1/messages/default/"+plan.Name)
	return client
}

func ready(t *testing.T, client *apiclient.Client, name string) {
	t.Helper()
	var c connection.State
	err := harness.Poll(soon(t), func() (ok bool, err error) {
		c, err = client.Connection(t.Context(), name)
		return c.Status == connection.Ready, err
	})
	if err != nil {
		t.Fatalf("connection is %s, %+v: %v", c.Status, c.Failure, err)
	}
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// From the customer's widget through handoff serve to a bot of the vendor's SDK,
// to a human agent, and back to the bot: what the SDK does not take stops it.
func relaysTheVendorsBot(t *testing.T, program string) {
	b := cloud(t)
	p := bot(t, b)
	serve(t, b, program)
	c, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: "R. Bakker"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(want ...string) {
		t.Helper()
		for _, text := range want {
			if m, err := c.Read(soon(t)); err != nil || m.Text != text {
				t.Fatalf("the customer reads %q, %v, want %q", m.Text, err, text)
			}
		}
	}
	say := func(text string) {
		t.Helper()
		if err := c.Say(text); err != nil {
			t.Fatal(err)
		}
	}
	read("Hello from the SDK.")
	say("hello")
	read("You said: hello")
	say("refund please")
	read("I'll find somebody who can do that.", "The conversation is being transferred.")
	takes(t, b, c.ID())
	read("Ana de Wit has joined the conversation.", "I'll send your money back.")
	var states []string
	for len(states) == 0 || states[len(states)-1] != "the end" {
		switch a, _ := p.next("heard").(object); {
		case a["name"] == "handoff.status":
			value, _ := a["value"].(object)
			state, _ := value["state"].(string)
			states = append(states, state)
		case a["type"] == "endOfConversation":
			states = append(states, "the end")
		}
	}
	if want := []string{"accepted", "completed", "the end"}; !slices.Equal(states, want) {
		t.Errorf("the bot is told %q, want %q", states, want)
	}
}

// takes has Ana accept what the bot gave away, answer, and end it.
func takes(t *testing.T, b *hubtest.Bench, conversation string) {
	t.Helper()
	ana, err := b.Hub().Desk(simulation.Ana)
	if err != nil {
		t.Fatal(err)
	}
	offered, err := ana.Offered(soon(t))
	if err != nil || offered.ID != conversation {
		t.Fatalf("offered %+v, %v, want %s", offered, err, conversation)
	}
	for name, want := range map[string]any{
		"OrderNumber": "A-1234", "Items": 2.0, "va_LastTopic": "Refund", "va_LastPhrase": "refund please", "HandoffQueue": "refunds",
	} {
		if offered.Context[name] != want {
			t.Errorf("context variable %s = %v, want %v", name, offered.Context[name], want)
		}
	}
	for _, order := range []func() error{
		func() error { return ana.Accept(conversation) },
		func() error { return ana.Say(conversation, "I'll send your money back.") },
		func() error { return ana.End(conversation) },
	} {
		if err := order(); err != nil {
			t.Fatal(err)
		}
	}
}

var widgetAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+/widgets/`)

// What a newcomer sees of handoff demo --hub omnichannel.
func showsTheDemo(t *testing.T, program string) {
	engine(t, browserEnv)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program, "demo", "--hub", "omnichannel")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 1000)
	go func() {
		defer close(told)
		for s := bufio.NewScanner(out); s.Scan(); {
			told <- s.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		for line := range told {
			t.Log(line)
		}
		_ = cmd.Wait() // it was interrupted
	})
	for line := range told {
		t.Log(line)
		if at := widgetAddress.FindString(line); at != "" {
			known := browse(t, strings.TrimSuffix(at, "/widgets/"), object{"then": "How can I help?"},
				object{"text": "refund please", "then": "What is your order number?"}, object{"text": "A-1234", "then": "somebody who can do that"})
			if !strings.Contains(known, "A-1234") {
				t.Errorf("the human agent knows %q", known)
			}
			return
		}
	}
	t.Error("the demo names no address to open")
}
