package hubtest

import (
	"strings"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
)

const simulated = "A simulation: nothing leaves this machine."

// pages is what is promised of the pages for people, and of the script over
// HTTP.
var pages = map[string]func(*testing.T, Opener){
	"people talk through the pages: widget, desk, answer": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		ask := func(method, path string, body any) Answer {
			t.Helper()
			return b.Do(Request{Method: method, URL: b.URLs.Pages + "/api" + path, Body: body})
		}
		places := ask("GET", "/places", nil)
		chat := ask("POST", "/chats", map[string]any{"app_id": places.String("widgets/0/id"), "name": "R. Bakker"}).String("id")
		if seen := ask("GET", "/chats/"+chat+"?has=0", nil); seen.Len("messages") != 0 {
			t.Errorf("a new chat has %s, want an empty list of messages", seen.Text)
		}
		first := b.Next()
		b.Want(ask("POST", "/chats/"+chat+"/messages", map[string]any{"text": "refund please"}), 204, "")
		b.Next()
		b.Reply(first, Command("Escalate", "Wants a refund.", map[string]any{"HandoffQueue": "Refunds"}))
		desk := "/desks/" + simulation.Ana
		if work := ask("GET", desk, nil); work.At("conversations/0/offered") != true || work.String("conversations/0/queue") != "Refunds" || work.String("name") != "Ana de Wit" {
			t.Errorf("work = %s", work.Text)
		}
		b.Want(ask("POST", desk+"/"+chat+"/accept", map[string]any{}), 204, "")
		if c := ask("GET", desk+"/"+chat, nil); c.String("context/HandoffQueue") != "Refunds" || !strings.Contains(c.Text, "Wants a refund.") {
			t.Errorf("conversation = %s", c.Text)
		}
		b.Want(ask("POST", desk+"/"+chat+"/say", map[string]any{"text": "Done."}), 204, "")
		seen := ask("GET", "/chats/"+chat+"?has=0", nil)
		if !strings.Contains(seen.Text, "Done.") || strings.Contains(seen.Text, "Wants a refund.") {
			t.Errorf("the customer sees %s", seen.Text)
		}
		b.Want(ask("POST", desk+"/"+chat+"/close", map[string]any{}), 204, "")
		b.Want(ask("POST", desk+"/"+chat+"/dance", map[string]any{}), 404, "")
		b.Want(ask("GET", "/desks/"+simulation.Ben+"/"+chat, nil), 403, "")
		b.Want(ask("GET", "/desks/nobody", nil), 404, "")
	},
	"the pages are there, say that they are a simulation, and are for this machine alone": func(t *testing.T, start Opener) {
		b := start(t)
		for name, want := range map[string]string{
			"/": simulated, "/widgets/" + simulation.WidgetAppID: simulated, "/desks/" + simulation.Ana: simulated,
			"/page.js": "", "/page.css": "", "/index.js": "", "/widget.js": "", "/desk.js": "",
		} {
			a := b.Do(Request{Method: "GET", URL: b.URLs.Pages + name})
			policy := a.Header.Get("Content-Security-Policy")
			if a.Status != 200 || !strings.HasPrefix(policy, "default-src 'self';") || !strings.Contains(a.Text, want) || strings.Contains(a.Text, "://") {
				t.Errorf("%s = %d %v %s", name, a.Status, a.Header, a.Text)
			}
		}
		chat := Request{Method: "POST", URL: b.URLs.Pages + "/api/chats", Body: map[string]any{"app_id": simulation.WidgetAppID}}
		chat.Header = map[string]string{"Origin": "https://elsewhere.example"}
		b.Want(b.Do(chat), 403, "")
		chat.Header = map[string]string{"Host": "elsewhere.example"}
		b.Want(b.Do(chat), 403, "")
		chat.Header = nil
		b.Want(b.Do(chat), 201, "")
	},
	"another program injects faults and looks at the calls": func(t *testing.T, start Opener) {
		b := start(t)
		b.Want(b.Do(Request{Method: "POST", URL: b.URLs.Control + "/faults", Body: map[string]any{"host": "login", "status": 429, "retry_after": 3}}), 204, "")
		a := b.Ask(simulation.TenantID, Credentials(simulation.RelayID, simulation.RelaySecret, graphScope))
		b.Want(a, 429, "temporarily_unavailable")
		if a.Header.Get("Retry-After") != "3" {
			t.Errorf("header = %v", a.Header)
		}
		for _, body := range []any{map[string]any{"host": "login", "colour": 1}, "{", map[string]any{"host": "nowhere", "cut": true}} {
			if a := b.Do(Request{Method: "POST", URL: b.URLs.Control + "/faults", Body: body}); a.Status < 400 || a.Status > 422 {
				t.Errorf("%v = %d", body, a.Status)
			}
		}
		b.Want(b.Do(Request{Method: "DELETE", URL: b.URLs.Control + "/faults"}), 204, "")
		b.Want(b.Do(Request{Method: "POST", URL: b.URLs.Control + "/keys/rotate"}), 204, "")
		if calls := b.Do(Request{Method: "GET", URL: b.URLs.Control + "/calls?host=login"}); strings.Count(calls.Text, `"status":429`) != 1 {
			t.Errorf("calls = %s", calls.Text)
		}
		if urls := b.Do(Request{Method: "GET", URL: b.URLs.Control + "/urls"}); urls.String("connector") != b.URLs.Connector {
			t.Errorf("urls = %s", urls.Text)
		} else if o, _ := urls.At("organisations").(map[string]any); o["https://store.crm4.dynamics.com"] != b.URLs.Dataverse[simulation.StoreOrganisation] {
			t.Errorf("organisations = %v", o)
		}
	},
	"another program does what an administrator does: chooses a workstream's bot": func(t *testing.T, start Opener) {
		b := start(t, simulation.Connected)
		streams := b.Organisation(simulation.StoreOrganisation)
		streams.Put("msdyn_liveworkstreams", simulation.Workstream, map[string]any{"_msdyn_bot_user_value": nil})
		for _, c := range []struct{ stream, application, code string }{
			{"nowhere", simulation.RelayID, "workstream-not-found"},
			{simulation.Workstream, simulation.BystanderID, "bot-not-found"},
			{simulation.Workstream, "", "bot-not-found"},
			{simulation.Workstream, simulation.RelayID, ""},
		} {
			a := b.Do(Request{Method: "POST", URL: b.URLs.Control + "/assign", Body: map[string]any{"workstream": c.stream, "application_id": c.application}})
			if a.String("code") != c.code || (a.Status == 204) != (c.code == "") {
				t.Errorf("%s of %s = %d %s, want %q", c.application, c.stream, a.Status, a.Text, c.code)
			}
		}
		if got := streams.Get("msdyn_liveworkstreams", simulation.Workstream)["_msdyn_bot_user_value"]; got != simulation.RelayUser {
			t.Errorf("the workstream's bot = %v, want %s", got, simulation.RelayUser)
		}
	},
	"a slow answer takes the time of the fake's clock": func(t *testing.T, start Opener) {
		b := start(t)
		Injected(b, simulation.Fault{Host: simulation.Login, Delay: 60})
		answered := make(chan int, 1)
		go func() {
			a, _ := b.Try(Request{Method: "GET", URL: b.URLs.Login + "/v1/.well-known/openidconfiguration"})
			answered <- a.Status
		}()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for b.Clock.Timers() == 0 {
			select {
			case <-tick.C:
			case status := <-answered:
				t.Fatalf("answered %d at once", status)
			}
		}
		b.Clock.Advance(time.Minute)
		if status := <-answered; status != 200 {
			t.Errorf("status = %d", status)
		}
	},
}
