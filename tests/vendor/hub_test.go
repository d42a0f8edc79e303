package vendor_test

import (
	"testing"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
)

// Bots of Omnichannel are written with the SDK, so what our hub sends has to be
// what the SDK takes: without Handoff, it is the hub's bot itself.
func TestTheVendorsBotTalksToOurHub(t *testing.T) {
	t.Parallel()
	engine(t, nodeEnv)
	b := cloud(t, simulation.Connected)
	p := run(t, "bot.mjs", object{
		"application": simulation.RelayID, "secret": simulation.RelaySecret, "tenant": simulation.TenantID, "login": b.URLs.Login,
	})
	at, _ := p.next("listening").(string)
	b.SetEndpoint(simulation.RelayID, at)
	w, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: "R. Bakker"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := w.Read(soon(t)); err != nil || m.Text != "Hello from the SDK." {
		t.Fatalf("the customer reads %q, %v", m.Text, err)
	}
	if err := w.Say("hello"); err != nil {
		t.Fatal(err)
	}
	if m, err := w.Read(soon(t)); err != nil || m.Text != "You said: hello" {
		t.Fatalf("the customer reads %q, %v", m.Text, err)
	}
	b.Clean(w)
}
