package hubtest

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/signing"
)

// omnichannel is what is promised of the hub between customer, bot and human
// agent.
var omnichannel = map[string]func(*testing.T, Opener){
	"the bot gets the context first, then messages, in order and signed": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, first := b.Open(map[string]any{"OrderNumber": "A-1", "Items": 2})
		for path, want := range map[string]any{
			"type": "event", "name": "startConversation", "channelId": "lcw", "from/role": 1.0, "channeldata/sourceChannelId": "omnichannel",
			"value/OrderNumber": "A-1", "value/Items": 2.0, "value/msdyn_liveworkitemid": w.ID(), "serviceUrl": b.URLs.Connector + "/emea/",
			"value/msdyn_contact_msdyn_ocliveworkitem_Customer/0/PrimaryDisplayValue": "R. Bakker", "timestamp": float64(Morning().Unix()),
		} {
			if got := first.At(path); got != want {
				t.Errorf("%s = %v, want %v", path, got, want)
			}
		}
		for i := range 3 {
			text := fmt.Sprintf("message %d", i)
			got := b.Say(w, text)
			if got.String("text") != text || got.String("channelData/tags") != "ChannelId-lcw,FromCustomer" || got.String("id") == "" {
				t.Errorf("activity = %s", got.Text)
			}
			if why := b.refused(got); why != "" {
				t.Errorf("the token has %s", why)
			}
		}
		b.Clean(w)
	},
	"every kind of wrong token can be had, once": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, _ := b.Open(nil)
		for _, f := range signing.Forgeries() {
			b.Hub().Forge(f)
			if got := b.Say(w, string(f)); b.refused(got) == "" {
				t.Errorf("%s: nothing is wrong with it", f)
			}
		}
		if why := b.refused(b.Say(w, "genuine")); why != "" {
			t.Errorf("a genuine token has %s", why)
		}
	},
	"after a rotation of keys tokens name the new one": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, first := b.Open(nil)
		if err := b.RotateKeys(); err != nil {
			t.Fatal(err)
		}
		next := b.Say(w, "hello")
		header := func(r Received) string { return strings.Split(r.Authorization, ".")[0] }
		if header(next) == header(first) || b.refused(next) != "" || b.refused(first) != "" {
			t.Errorf("first %q, then %q", header(first), header(next))
		}
	},
	"bridged messages go to the customer, others to human agents only": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, first := b.Open(nil)
		b.Want(b.Reply(first, map[string]any{"type": "message", "text": "for agents"}), 201, "")
		b.Want(b.Reply(first, Bridged("for you")), 201, "")
		if got := b.Reads(w); got != "for you" {
			t.Errorf("the customer reads %q", got)
		}
		if m := b.State(w).Messages; len(m) != 2 || !m[0].Private || m[1].Private {
			t.Errorf("messages = %+v", m)
		}
	},
	"an escalation runs through to the human agent's answer in the same widget": wholeConversation,
	"what is over a limit, or of another kind, is told as a problem": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, first := b.Open(nil)
		b.Reply(first, Command("Escalate", "s", map[string]any{
			"New": "text", "Long": strings.Repeat("x", 4001), "Just": strings.Repeat("x", 4000), strings.Repeat("n", 101): "x",
			"Half": 1.5, "List": []string{"a"}, "Yes": true, "Items": "not a number", "Nothing": nil,
		}))
		c := b.State(w)
		if len(c.Problems) != 7 || len(c.Context) != 2 || c.Context["New"] != "text" {
			t.Errorf("%d problems %q, context %d", len(c.Problems), c.Problems, len(c.Context))
		}
		many := make(map[string]any)
		for i := range 101 {
			many[fmt.Sprintf("v%03d", i)] = i
		}
		w, first = b.Open(nil)
		b.Reply(first, Command("Escalate", "s", many))
		if c := b.State(w); len(c.Context) != 100 || len(c.Problems) != 1 {
			t.Errorf("%d variables, problems %q", len(c.Context), c.Problems)
		}
	},
	"commands that can't be are told as problems": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, first := b.Open(nil)
		for _, a := range []map[string]any{
			Command("escalate", "s", nil),
			{"type": "message", "text": "x", "channelData": map[string]any{"tags": `{"type":`}},
			{"type": "event", "name": "handoff.initiate"},
		} {
			b.Want(b.Reply(first, a), 201, "")
		}
		b.Want(b.Reply(first, map[string]any{"type": "message", "text": "x", "channelData": map[string]any{"tags": "FromBot,Hidden"}}), 201, "")
		if c := b.State(w); len(c.Problems) != 3 || c.Status != hub.Active {
			t.Errorf("%s, problems %q", c.Status, c.Problems)
		}
	},
	"the bot ends a conversation": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, first := b.Open(nil)
		b.Want(b.Reply(first, Command("EndConversation", "bye", map[string]any{})), 201, "")
		if c := b.State(w); c.Status != hub.Closed || c.Reason != hub.EndedByBot {
			t.Errorf("%s %d", c.Status, c.Reason)
		}
		b.Want(b.Reply(first, Bridged("more")), 403, "BotNotInConversationRoster")
		if err := w.Say("hello?"); !fault.Is(err, "conversation-ended") {
			t.Errorf("error = %v, want conversation-ended", err)
		}
	},
	"thirty silent minutes close a conversation with a bot, and no other": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, _ := b.Open(nil)
		b.Clock.Advance(29 * time.Minute)
		b.Say(w, "still here")
		b.Clock.Advance(29 * time.Minute)
		if c := b.State(w); c.Status != hub.Active {
			t.Errorf("closed after %s", c.Status)
		}
		b.Clock.Advance(time.Minute)
		if c := b.State(w); c.Status != hub.Closed || c.Reason != hub.ClosedBySystem {
			t.Errorf("%s %d", c.Status, c.Reason)
		}
		w, first := b.Open(nil)
		b.token = b.Token(simulation.RelayID, simulation.RelaySecret, "https://api.botframework.com")
		b.Want(b.Reply(first, Command("Escalate", "s", nil)), 201, "")
		b.Clock.Advance(time.Hour)
		if c := b.State(w); c.Status != hub.Open {
			t.Errorf("an escalated conversation is %s", c.Status)
		}
	},
	"the Connector refuses strangers, the unknown, the oversize and the unreadable": refusals,
	"a customer can leave before, with and after the bot": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, _ := b.Open(nil)
		left := func(w *hub.Widget, status hub.Status, reason hub.Reason) {
			t.Helper()
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if c := b.State(w); c.Status != status || c.Reason != reason {
				t.Errorf("%s %d, want %s %d", c.Status, c.Reason, status, reason)
			}
		}
		left(w, hub.Closed, hub.CustomerLeftActive)
		w, first := b.Open(nil)
		b.Reply(first, Command("Escalate", "s", nil))
		left(w, hub.Closed, hub.CustomerLeftOpen)
		w, first = b.Open(nil)
		b.Reply(first, Command("Escalate", "s", nil))
		ben, _ := b.Hub().Desk(simulation.Ben)
		if err := ben.Accept(w.ID()); err != nil {
			t.Fatal(err)
		}
		left(w, hub.WrapUp, hub.CustomerMovedToWrapUp)
	},
	"a request that the bot fails is told, and can be sent again under the same id": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		w, first := b.Open(nil)
		if _, err := b.Hub().Await(b.soon(), w.ID(), func(c hub.Conversation) bool { return len(c.Deliveries) == 1 }); err != nil {
			t.Fatal(err)
		}
		if err := b.Hub().Redeliver(w.ID(), 0); err != nil {
			t.Fatal(err)
		}
		if again := b.Next(); again.String("id") != first.String("id") {
			t.Errorf("ids %q and %q", again.String("id"), first.String("id"))
		}
		b.SetEndpoint(simulation.RelayID, "http://127.0.0.1:1/")
		w, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID})
		if err != nil {
			t.Fatal(err)
		}
		c, err := b.Hub().Await(b.soon(), w.ID(), func(c hub.Conversation) bool { return len(c.Deliveries) == 1 })
		if err != nil || c.Deliveries[0].Status != 0 || len(c.Problems) != 1 {
			t.Errorf("deliveries = %+v, %v", c.Deliveries, err)
		}
	},
}

func wholeConversation(t *testing.T, start Opener) {
	b := Connect(t, start)
	w, _ := b.Open(nil)
	b.recorded(w, hub.Active, hub.InConversation, simulation.RelayUser)
	said := b.Say(w, "refund please")
	b.Reply(said, Bridged("I'll connect you."))
	b.Want(b.Reply(said, Command("Escalate", "Wants a refund.", map[string]any{"HandoffQueue": "Refunds", "OrderNumber": "A-1234", "va_LastTopic": "Refund"})), 201, "")
	b.recorded(w, hub.Open, hub.AwaitingAcceptance, nil)
	ana, err := b.Hub().Desk(simulation.Ana)
	if err != nil {
		t.Fatal(err)
	}
	offered, err := ana.Offered(b.soon())
	if err != nil || offered.ID != w.ID() || offered.Context["OrderNumber"] != "A-1234" || offered.QueueName != "Refunds" {
		t.Fatalf("offered = %+v, %v", offered, err)
	}
	if ben, _ := b.Hub().Desk(simulation.Ben); !fault.Is(ben.Accept(w.ID()), "not-your-queue") {
		t.Error("Ben takes what waits in Ana's queue")
	}
	done := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	done(ana.Accept(w.ID()))
	b.recorded(w, hub.Active, hub.InConversation, simulation.Ana)
	b.Want(b.Reply(said, Bridged("I'm still here")), 403, "BotNotInConversationRoster")
	done(w.Say("are you there?"))
	done(ana.Say(w.ID(), "Yes. I'll send your money back."))
	for _, text := range []string{
		"I'll connect you.", "The conversation is being transferred.", "Ana de Wit has joined the conversation.", "Yes. I'll send your money back.",
	} {
		if got := b.Reads(w); got != text {
			t.Errorf("the customer reads %q, want %q", got, text)
		}
	}
	done(ana.End(w.ID()))
	b.recorded(w, hub.WrapUp, hub.AgentMovedToWrapUp, simulation.Ana)
	done(ana.Close(w.ID()))
	b.ended(w)
	if err := ana.End(w.ID()); !fault.Is(err, "transition-illegal") {
		t.Errorf("error = %v, want transition-illegal", err)
	}
	if len(b.Activities) > 0 {
		t.Errorf("the bot gets %d activities after its escalation", len(b.Activities))
	}
	b.Clean(w)
}

// recorded reports a conversation whose record says something else.
func (b *Bench) recorded(w *hub.Widget, status hub.Status, reason hub.Reason, agent any) Answer {
	b.T.Helper()
	r := b.dataverse(simulation.StoreOrganisation)("GET", "/msdyn_ocliveworkitems("+w.ID()+")", nil)
	if r.At("statuscode") != float64(status) || r.At("msdyn_statuschangereason") != float64(reason) || r.At("_msdyn_activeagentid_value") != agent {
		b.T.Errorf("record = %v %v %v, want %s %d %v", r.At("statuscode"), r.At("msdyn_statuschangereason"), r.At("_msdyn_activeagentid_value"), status, reason, agent)
	}
	return r
}

// ended looks at the record and the transcript of a conversation that Ana had.
func (b *Bench) ended(w *hub.Widget) {
	b.T.Helper()
	r := b.recorded(w, hub.Closed, hub.EndedByAgent, simulation.Ana)
	if r.At("msdyn_escalationcount") != 1.0 || r.At("prioritycode") != 2.0 || r.String("msdyn_closedon") == "" || r.String("_msdyn_cdsqueueid_value") != simulation.RefundsQueue {
		b.T.Errorf("record = %s", r.Text)
	}
	ask := b.dataverse(simulation.StoreOrganisation)
	transcript := ask("GET", "/msdyn_transcripts?$filter=_msdyn_liveworkitemidid_value%20eq%20"+w.ID(), nil).String("value/0/msdyn_transcriptid")
	note := ask("GET", "/annotations?$filter=objectid%20eq%20"+transcript, nil).String("value/0/documentbody")
	if text, _ := base64.StdEncoding.DecodeString(note); !strings.Contains(string(text), "refund please") || !strings.Contains(string(text), "Wants a refund.") {
		b.T.Errorf("transcript = %s", text)
	}
}

func refusals(t *testing.T, start Opener) {
	b := Connect(t, start)
	w, first := b.Open(nil)
	at := first.String("serviceUrl") + "v3/conversations/"
	own := at + first.String("conversation/id") + "/activities"
	send := func(to, token string, body any) Answer {
		return b.Do(Request{Method: "POST", URL: to, Token: token, Body: body})
	}
	b.Want(send(own, "", Bridged("x")), 401, "Unauthorized")
	b.Want(send(own, b.Token(simulation.RelayID, simulation.RelaySecret, "https://graph.microsoft.com"), Bridged("x")), 401, "Unauthorized")
	b.Want(send(own, b.Token(simulation.BystanderID, simulation.BystanderSecret, "https://api.botframework.com"), Bridged("x")), 403, "Forbidden")
	b.Want(send(at+"19:nobody@thread.v2/activities", b.token, Bridged("x")), 404, "ConversationNotFound")
	b.Want(send(at[:len(at)-1], b.token, map[string]any{}), 400, "BadArgument")
	for _, body := range []any{"{", map[string]any{}, map[string]any{"type": "Message"}, map[string]any{"type": "message"}, map[string]any{"type": "message", "text": 1}} {
		if a := send(own, b.token, body); a.Status != 400 {
			t.Errorf("%v = %d %s", body, a.Status, a.Text)
		}
	}
	b.Want(send(own, b.token, Bridged(strings.Repeat("x", 28<<10))), 413, "MessageSizeTooBig")
	if err := w.Say(strings.Repeat("x", 28<<10+1)); !fault.Is(err, "message-too-large") {
		t.Errorf("error = %v, want message-too-large", err)
	}
	Injected(b.Bench, simulation.Fault{Host: simulation.Connector, Status: 500})
	b.Want(send(own, b.token, Bridged("x")), 500, "ServiceError")
	sent := send(own, b.token, Bridged("x"))
	b.Want(sent, 201, "")
	b.Want(b.Do(Request{Method: "PUT", URL: own + "/" + sent.String("id"), Token: b.token, Body: Bridged("y")}), 200, "")
	b.Want(b.Do(Request{Method: "DELETE", URL: own + "/nothing", Token: b.token}), 404, "ActivityNotFoundInConversation")
	b.Want(send(own+"/"+first.String("id"), b.token, Bridged("z")), 200, "")
	members := b.Do(Request{Method: "GET", URL: at + first.String("conversation/id") + "/members", Token: b.token})
	if members.Status != 200 || !strings.Contains(members.Text, "R. Bakker") {
		t.Errorf("members = %s", members.Text)
	}
	if m := b.State(w).Messages; len(m) != 2 || m[0].Text != "y" || m[1].Text != "z" {
		t.Errorf("messages = %+v", m)
	}
}
