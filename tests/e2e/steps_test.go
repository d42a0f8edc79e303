package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handoff/domain/geography"
	"handoff/functions/handoff/cli"
	"handoff/functions/handoff/system"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/tables"
)

// asked counts the requests of the fake's hosts other than its own control.
func asked(cloud controlplanetest.Cloud) (n int) {
	for _, c := range cloud.Calls("") {
		if c.Host != simulation.Control {
			n++
		}
	}
	return n
}

// changed counts what was changed in Entra ID, Azure and Dataverse.
func changed(cloud controlplanetest.Cloud) (n int) {
	for _, host := range []string{simulation.Graph, simulation.Azure, simulation.Dataverse} {
		for _, c := range cloud.Calls(host) {
			if c.Method != http.MethodGet && c.Status < http.StatusBadRequest {
				n++
			}
		}
	}
	return n
}

// only returns the clear part of the only fact of a type.
func (w *world) only(typ string) map[string]any {
	w.t.Helper()
	var found []map[string]any
	for _, f := range w.facts() {
		if f.Type == typ {
			found = append(found, f.Clear)
		}
	}
	if len(found) != 1 {
		w.t.Fatalf("%d facts %s, want one; facts %v", len(found), typ, types(w.facts()))
	}
	return found[0]
}

// Nobody at Microsoft's is asked anything before somebody has acknowledged what
// a hand-off may mean for the customers' privacy.
func TestNothingHappensBeforeTheNoticeIsAcknowledged(t *testing.T) {
	t.Parallel()
	w, cloud := withMicrosoft(t)
	for _, notice := range []map[string]string{nil, {"text_version": "2026-11"}, {"accepted_by": "r.bakker"}} {
		p := planAt(cloud)
		p["notice"] = notice
		w.problem(http.StatusUnprocessableEntity, "notice-not-acknowledged", w.admin, "POST", "/v1/connections", p)
	}
	w.settled()
	if n := asked(cloud); n > 0 || len(w.facts()) > 0 {
		t.Fatalf("%d requests, facts %v, before the notice was acknowledged: %v", n, types(w.facts()), cloud.Calls(""))
	}
	w.request("store-bot", planAt(cloud))
	w.ready("store-bot")
	notice, _ := w.only("ConnectionRequested")["notice"].(map[string]any)
	if notice["accepted_by"] != "r.bakker" || notice["text_version"] != "2026-11" || notice["accepted_at"] == nil {
		t.Errorf("notice = %v, want who, when and which text", notice)
	}
}

// Bot, hub and log must lie in one geography, unless somebody answers for it.
func TestDataStaysInItsGeographyUnlessSomebodyAnswersForIt(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		log    geography.Geography
		change func(p map[string]any)
		code   string
	}{
		"the log is elsewhere": {geography.NorthAmerica, func(map[string]any) {}, "regions-differ"},
		"the hub is elsewhere": {geography.Europe, func(p map[string]any) { p["hub"].(map[string]string)["organisation"] = "store-us.crm.dynamics.com" }, "regions-differ"},
		"the bot is elsewhere": {geography.Europe, func(p map[string]any) {
			p["omnichannel"].(map[string]string)["bot_organisation"] = "https://store-us.crm.dynamics.com"
		}, "regions-differ"},
		"what is said is not so":             {geography.Europe, func(p map[string]any) { p["regions"] = map[string]string{"bot": "japan"} }, "region-contradicts-address"},
		"nobody knows where the log is":      {geography.Unknown, func(map[string]any) {}, "region-unknown"},
		"the region is none":                 {geography.Unknown, func(p map[string]any) { p["regions"] = map[string]string{"log": "the moon"} }, "region-unknown"},
		"the hub is in a government's cloud": {geography.Europe, func(p map[string]any) { p["hub"].(map[string]string)["organisation"] = "store.crm9.dynamics.com" }, "national-cloud-unsupported"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w, cloud := withMicrosoft(t, func(s *system.Config) { s.Geography = c.log })
			p := planAt(cloud)
			c.change(p)
			w.problem(http.StatusUnprocessableEntity, c.code, w.admin, "POST", "/v1/connections", p)
			if n := asked(cloud); n > 0 {
				t.Errorf("%d requests all the same", n)
			}
		})
	}
	t.Run("somebody answers for it", func(t *testing.T) {
		t.Parallel()
		w, cloud := withMicrosoft(t, func(s *system.Config) { s.Geography = geography.NorthAmerica })
		p := planAt(cloud)
		p["regions_override"] = map[string]string{"by": "r.bakker"}
		w.problem(http.StatusUnprocessableEntity, "regions-override-incomplete", w.admin, "POST", "/v1/connections", p)
		p["regions_override"] = map[string]string{"by": "r.bakker", "why": "the contract allows it"}
		w.request("store-bot", p)
		w.ready("store-bot")
		if f := w.only("RegionsOverridden"); f["by"] != "r.bakker" || f["why"] != "the contract allows it" {
			t.Errorf("fact = %v, want who answers for it, and why", f)
		}
	})
}

func TestAnApplicationIDIsMadeOrReusedAndUniqueInItsOrganisation(t *testing.T) {
	t.Parallel()
	t.Run("one is made where there is none", func(t *testing.T) {
		t.Parallel()
		w, cloud := withMicrosoft(t)
		p := planAt(cloud)
		delete(p["omnichannel"].(map[string]string), "azure_bot")
		delete(p, "application_secret")
		w.request("store-bot", p)
		c := w.stuck("store-bot", "azure-bot-missing")
		f := w.only("AppRegistered")
		if f["created"] != true || f["application_id"] != c.ApplicationID || !strings.Contains(c.Failure.Detail, c.ApplicationID) {
			t.Errorf("registered %v, connection %+v; want it made, and what to do with it", f, c)
		}
	})
	t.Run("that of the Azure Bot is reused", func(t *testing.T) {
		t.Parallel()
		w, cloud := withMicrosoft(t)
		w.request("store-bot", planAt(cloud))
		w.ready("store-bot")
		if f := w.only("AppRegistered"); f["created"] == true || f["application_id"] != simulation.RelayID {
			t.Errorf("registered %v, want the Azure Bot's, which was there", f)
		}
	})
	t.Run("another tenant can't have it in the same organisation", func(t *testing.T) {
		t.Parallel()
		w, cloud := withMicrosoft(t)
		if err := cloud.Inject(simulation.Fault{Host: simulation.Azure, Route: "PUT *", Status: http.StatusConflict, Times: -1}); err != nil {
			t.Fatal(err)
		}
		w.request("store-bot", planAt(cloud))
		w.stuck("store-bot", "azure-bot-busy") // so that it has no user yet that would be seen
		before := changed(cloud)
		other, theirs := w.tenant("acme"), planAt(cloud)
		theirs["name"] = "their-bot"
		theirs["omnichannel"] = greedy(theirs["omnichannel"].(map[string]string))
		other.request("their-bot", theirs)
		c := other.stuck("their-bot", "application-id-taken")
		if n := changed(cloud); n != before {
			t.Errorf("%d changes before the conflict was found", n-before)
		}
		if strings.Contains(c.Failure.Detail, "store-bot") || strings.Contains(c.Failure.Detail, "default") {
			t.Errorf("the other tenant is told of: %s", c.Failure.Detail)
		}
		cloud.ClearFaults() // and its Azure Bot posts where it did
		w.advance(10 * time.Minute)
		w.ready("store-bot")
	})
}

// greedy returns settings that let Handoff change what others have set.
func greedy(settings map[string]string) map[string]any {
	all := map[string]any{"take_over_endpoint": true}
	for name, value := range settings {
		all[name] = value
	}
	return all
}

// The Teams channel of the Azure Bot is turned on only if it is off.
func TestTheTeamsChannelIsTurnedOnIfItIsOff(t *testing.T) {
	t.Parallel()
	const route = "*/channels/MsTeamsChannel"
	off := map[string]any{"properties": map[string]any{"channelName": "MsTeamsChannel", "properties": map[string]any{"isEnabled": false}}}
	for sentence, c := range map[string]struct {
		on     []string
		fault  *simulation.Fault
		puts   int
		wasOn  bool
		latest int // status of the last PUT
	}{
		"it is on already":           {on: []string{"MsTeamsChannel"}, wasOn: true},
		"the bot has none: 404":      {puts: 1, latest: http.StatusCreated},
		"it is disabled":             {on: []string{"MsTeamsChannel"}, fault: &simulation.Fault{Host: simulation.Azure, Route: "GET " + route, Set: off}, puts: 1, latest: http.StatusOK},
		"somebody changes it: 409":   {fault: &simulation.Fault{Host: simulation.Azure, Route: "PUT " + route, Status: http.StatusConflict, Code: "Conflict"}, puts: 2, latest: http.StatusCreated},
		"its answer was lost midway": {fault: &simulation.Fault{Host: simulation.Azure, Route: "PUT " + route, Lose: true}, puts: 2, latest: http.StatusOK},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w, cloud := withMicrosoftAs(t, func(s *simulation.Config) { s.Bots[0].Channels = c.on })
			if c.fault != nil {
				if err := cloud.Inject(*c.fault); err != nil {
					t.Fatal(err)
				}
			}
			w.request("store-bot", planAt(cloud))
			w.eventually("it is ready", func() bool {
				w.advance(time.Second) // what is tried again is tried later
				return w.connection("store-bot").Status == "ready"
			})
			puts, latest := 0, 0
			for _, call := range cloud.Calls(simulation.Azure) {
				if call.Method == http.MethodPut {
					puts, latest = puts+1, call.Status
				}
			}
			f := w.only("ChannelEnabled")
			if puts != c.puts || latest != c.latest || f["channel"] != "MsTeamsChannel" {
				t.Errorf("%d PUTs, the last answered %d, fact %v; want %d and %d", puts, latest, f, c.puts, c.latest)
			}
			if was, _ := f["already_on"].(bool); was != c.wasOn && c.fault == nil {
				t.Errorf("fact = %v, want already on: %t", f, c.wasOn)
			}
		})
	}
}

func TestTheEnvironmentOfTheHub(t *testing.T) {
	t.Parallel()
	at := func(organisation string) func(map[string]any) {
		return func(p map[string]any) { p["hub"].(map[string]string)["organisation"] = organisation }
	}
	t.Run("it is chosen by its address, as somebody pastes it, and confirmed by asking who we are", func(t *testing.T) {
		t.Parallel()
		w, cloud := withMicrosoft(t)
		p := planAt(cloud)
		at(" https://STORE.crm4.dynamics.com/main.aspx?appid=1#top ")(p)
		w.request("store-bot", p)
		w.ready("store-bot")
		if f := w.only("ApplicationUserEnabled"); f["organisation_id"] != simulation.StoreOrganisation || f["organisation"] != simulation.StoreURL {
			t.Errorf("fact = %v, want the organisation's id, which WhoAmI said", f)
		}
		if !strings.Contains(cloud.Calls(simulation.Dataverse)[0].Path, "WhoAmI") {
			t.Errorf("first was asked %v", cloud.Calls(simulation.Dataverse)[0])
		}
	})
	for sentence, c := range map[string]struct{ organisation, code string }{
		"it is disabled":            {"store-old.crm4.dynamics.com", "environment-disabled"},
		"we are no user there":      {"somebody-elses.crm4.dynamics.com", ""},
		"it has no such workstream": {"store.crm4.dynamics.com", "dataverse-not-found"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w, cloud := withMicrosoft(t)
			p := planAt(cloud)
			at(c.organisation)(p)
			if c.code == "dataverse-not-found" {
				p["omnichannel"].(map[string]string)["workstream"] = simulation.Ana
			}
			w.request("store-bot", p)
			w.eventually("it fails", func() bool {
				f := w.connection("store-bot").Failure
				return f != nil && (c.code == "" || f.Code == c.code || strings.Contains(f.Detail, c.code))
			})
			if n := changed(cloud); n > 0 {
				t.Errorf("%d changes before that was found out", n)
			}
		})
	}
}

// A customer is handed over from the hub's own widget only.
func TestTheEmbedCodeIsTheHubs(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	genuine := simulation.Snippet()
	attributes := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(genuine, "<script v2 "), "></script>"))
	turned := ""
	for _, a := range attributes {
		turned = a + "\n " + turned
	}
	for sentence, c := range map[string]struct {
		code    string
		refused string
	}{
		"as the hub gives it":                          {genuine, ""},
		"in another order, each on a line of its own":  {"<script v2\n" + turned + "></script>", ""},
		"with single quotes, in capitals, in its page": {"<body><SCRIPT async " + strings.ReplaceAll(strings.Join(attributes, " "), `"`, `'`) + "></SCRIPT></body>", ""},
		"the bot's own":                                {`<iframe src="https://web.powerva.microsoft.com/webchat/bots/` + simulation.StoreBot + `" frameborder="0"></iframe>`, "embed-code-of-bot"},
		"none at all":                                  {"<p>hello</p>", "embed-code-not-found"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "widget.html")
			if err := os.WriteFile(file, []byte(c.code), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errs := s.handoff("check", "store-bot", "--embed-code", file)
			if refused := code != cli.ExitOK; refused != (c.refused != "") || !strings.Contains(errs, c.refused) {
				t.Errorf("exit code %d, out %s\nerrors %s", code, out, errs)
			}
		})
	}
}

// What the hub's window can't do is said when a bot is connected, and of this
// bot when it applies.
func TestKnownLimitationsAreSaid(t *testing.T) {
	t.Parallel()
	w, cloud := withMicrosoft(t)
	w.request("store-bot", planAt(cloud))
	w.ready("store-bot")
	codes := func() (all []string) {
		var checked struct{ Seen []struct{ Code string } }
		w.must(http.StatusOK, &checked, w.admin, "POST", "/v1/connections/store-bot/check", nil)
		for _, f := range checked.Seen {
			all = append(all, f.Code)
		}
		return all
	}
	if got := strings.Join(codes(), " "); !strings.Contains(got, "known-limitations") || strings.Contains(got, "bot-signs-in") {
		t.Errorf("found %s", got)
	}
	cloud.Organisation(simulation.StoreOrganisation).Put("bots", simulation.StoreBot, tables.Row{"authenticationmode": 3.0, "name": strings.Repeat("bot ", 12)})
	if got := strings.Join(codes(), " "); !strings.Contains(got, "bot-signs-in") || !strings.Contains(got, "bot-name-long") {
		t.Errorf("found %s, want what applies to this bot", got)
	}
}

// A disconnect in the middle of conversations: the customer who is with a person
// stays there, the one who is with the bot may go on, and is left to the hub's own rules, the
// bot's user is disabled, and everything that happened is kept.
func TestADisconnectKeepsHistoryAndAReconnectGoesOn(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	with, left := s.visit("R. Bakker"), s.visit("Somebody")
	s.reads(left, greeting)
	s.reads(with, greeting)
	s.say(with, "refund please")
	s.reads(with, "I can help with a refund. What is your order number?")
	s.say(with, "A-1234")
	s.reads(with, "Thank you. I'll connect you with somebody who can do that.", "The conversation is being transferred.")
	ana, offer := s.taken(simulation.Ana, with)
	id, _ := offer.Context["HandoffEscalationId"].(string)
	s.status(id, "accepted")

	users := s.Organisation(simulation.StoreOrganisation).All("systemusers", "applicationid", simulation.RelayID)
	user, _ := users[0]["systemuserid"].(string)
	disabled := func() bool {
		return s.Organisation(simulation.StoreOrganisation).Get("systemusers", user)["isdisabled"] == true
	}
	for range 2 { // the second time says nothing new
		s.must(http.StatusOK, nil, s.admin, "POST", "/v1/connections/store-bot/disconnect", map[string]string{"reason": "moving"})
	}
	s.eventually("the user is disabled", disabled)
	if n := s.count("Disconnected"); n != 1 {
		t.Errorf("it is disconnected %d times", n)
	}
	s.say(left, "open today?")
	s.reads(left, "We are open from nine to six.")
	s.say(left, "talk to a person")
	s.reads(left, "I'll transfer you to a colleague.", "The conversation is being transferred.")
	if v := s.seen(left); v.QueueName != "Default messaging queue" || v.Context["HandoffEscalationId"] != nil {
		t.Errorf("the customer of the bot is in %s with %v, want the hub's fallback", v.QueueName, v.Context)
	}
	if err := ana.Say(with.ID(), "Yes. I'll send your money back."); err != nil {
		t.Fatal(err)
	}
	s.reads(with, "Ana de Wit has joined the conversation.", "Yes. I'll send your money back.")
	if err := ana.End(with.ID()); err != nil {
		t.Fatal(err)
	}
	s.status(id, "completed")
	if s.Organisation(simulation.StoreOrganisation).Get("msdyn_ocliveworkitems", with.ID()) == nil || len(s.seen(with).Messages) < 8 {
		t.Error("the hub has lost the conversation")
	}

	s.request("store-bot", planAt(s.Cloud))
	s.ready("store-bot")
	if now := s.Organisation(simulation.StoreOrganisation).All("systemusers", "applicationid", simulation.RelayID); disabled() || len(now) != 1 {
		t.Errorf("users = %v, want the same one, enabled", now)
	}
	s.reads(s.visit("R. Bakker"), greeting)
	if e := s.escalation(id); e.Status != "completed" || e.Rule != "refunds" {
		t.Errorf("the escalation from before is %+v", e)
	}
	if past, live := s.past("store-bot", time.Now()), s.live("store-bot"); past.Connection.Session != 2 || past.Connection.Session != live.Connection.Session {
		t.Errorf("a replay says session %d, live is %d", past.Connection.Session, live.Connection.Session)
	}
	s.whole()
}
