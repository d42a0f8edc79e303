package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/microsoft/simulation"
)

// A bot gets into the hub step by step, each a fact; taking all steps again
// changes nothing anywhere.
func TestTheRelayIsConnected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(plan(nil))
	s := w.ready()
	w.Want(w.stream(), "ConnectionRequested", "OmnichannelSet", "RulesAdopted", "PrerequisitesChecked", "BotPublished",
		"AppRegistered", "MessagingEndpointSet", "ChannelEnabled", "ApplicationUserEnabled", "ConnectionReady")
	if got := codes(s, true); !slices.Equal(got, []string{"hub-rules-ignore-handoff", "known-limitations"}) && !slices.Equal(got, []string{"known-limitations"}) {
		t.Errorf("findings = %v", got)
	}
	if s.ApplicationID != simulation.RelayID || s.TokenTenant != simulation.TenantDomain || s.Channel != "MsTeamsChannel" || s.Publication.State != publication.Published {
		t.Errorf("application %s of %s, channel %s, bot %s", s.ApplicationID, s.TokenTenant, s.Channel, s.Publication.State)
	}
	u, ok := s.User()
	if !ok || u.OrganisationID != simulation.StoreOrganisation || u.By != connection.ByHandoff || u.Queue != simulation.BotQueue || u.Workstream != simulation.Workstream || !strings.HasPrefix(u.Link, organisation+"/main.aspx?") {
		t.Errorf("user = %+v", u)
	}
	org := w.Organisation(simulation.StoreOrganisation)
	if !slices.Contains(org.Linked("queuemembership_association", simulation.BotQueue), u.ID) || !slices.Contains(org.Linked("systemuserroles_association", u.ID), simulation.OmnichannelAgentRole) {
		t.Error("the user lacks its queue or its role")
	}
	if got := w.holder(simulation.RelayID); got != "store-bot" {
		t.Errorf("the application id is reserved for %q", got)
	}
	w.noSecrets()
	before, facts := w.changes(), w.Count()
	if err := w.steps(); err != nil || w.Count() != facts || len(w.changes()) != len(before) {
		t.Errorf("once more: %v, %d facts, changes %v", err, w.Count()-facts, w.changes()[len(before):])
	}
}

// Whatever answer is lost on the way, the step is tried again and the outcome is
// the same: one user, one channel, no second anything.
func TestStepsBearLostAnswers(t *testing.T) {
	t.Parallel()
	for sentence, f := range map[string]simulation.Fault{
		"the channel is turned on and nobody hears": {Host: simulation.Azure, Route: "PUT *", Lose: true},
		"the user is made and nobody hears":         {Host: simulation.Dataverse, Route: "POST */systemusers", Lose: true},
		"the role is given and nobody hears":        {Host: simulation.Dataverse, Route: "POST */systemuserroles_association/$ref", Lose: true},
		"the queue has the user and nobody hears":   {Host: simulation.Dataverse, Route: "POST */queuemembership_association/$ref", Lose: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.inject(f)
			if err := w.request(plan(nil)); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if w.steps() == nil {
					break
				}
			}
			w.ready()
			users := w.Organisation(simulation.StoreOrganisation).All("systemusers", "applicationid", simulation.RelayID)
			if len(users) != 1 {
				t.Errorf("there are %d users, want 1", len(users))
			}
		})
	}
}

func TestAnApplicationIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	delete(w.vault.rows, "default hub/store-bot/application")
	w.connect(plan(func(r *connection.Request) { r.Omnichannel.AzureBot = "" }))
	s := w.state()
	if s.Failure == nil || s.Failure.Code != "azure-bot-missing" || !strings.Contains(s.Failure.Detail, s.ApplicationID) || s.ApplicationID == "" {
		t.Fatalf("failure = %+v of application %q, want that an Azure Bot has to be made for it", s.Failure, s.ApplicationID)
	}
	var registered *events.AppRegistered
	for o, err := range w.Ledger.ReadOpen(t.Context(), w.stream()) {
		if f, ok := o.Fact.(*events.AppRegistered); ok && err == nil {
			registered = f
		}
	}
	if registered == nil || !registered.Created {
		t.Errorf("registered %+v, want that it was created", registered)
	}
	if w.vault.rows["default hub/store-bot/application"] == "" {
		t.Error("its secret is not in the store")
	}
	w.noSecrets()
	before := len(w.changes())
	w.connect(plan(func(r *connection.Request) { r.Omnichannel.AzureBot = ""; r.Omnichannel.Routing = "hub" }))
	if again := w.state(); again.ApplicationID != s.ApplicationID || len(w.changes()) != before {
		t.Errorf("connected again it is %s, changes %v; want the same one", again.ApplicationID, w.changes()[before:])
	}
	w.connect(plan(func(r *connection.Request) {
		r.Omnichannel.AzureBot, r.Fact.Hub.ApplicationID = "", simulation.BystanderID
	}))
	if s := w.state(); s.Held[len(s.Held)-1].ApplicationID != simulation.BystanderID || w.holder(simulation.BystanderID) != "store-bot" {
		t.Errorf("held = %+v, want the one that was wished for as the newest", s.Held)
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		channel   string
		on        []string
		alreadyOn bool
	}{
		"Teams is off":                   {"teams", []string{"WebChatChannel"}, false},
		"Teams is on":                    {"teams", []string{"MsTeamsChannel"}, true},
		"the organisation uses its own":  {"Omnichannel", nil, false},
		"the organisation's own is on":   {"omnichannel", []string{"Omnichannel"}, true},
		"Teams is on, not what is asked": {"omnichannel", []string{"MsTeamsChannel"}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(config *simulation.Config) { config.Bots[0].Channels = c.on })
			w.connect(plan(func(r *connection.Request) { r.Omnichannel.Channel = c.channel }))
			w.ready()
			var enabled *events.ChannelEnabled
			for o := range w.Ledger.ReadOpen(t.Context(), w.stream()) {
				if f, ok := o.Fact.(*events.ChannelEnabled); ok {
					enabled = f
				}
			}
			if enabled == nil || enabled.AlreadyOn != c.alreadyOn || !strings.EqualFold(strings.TrimPrefix(strings.ToLower(enabled.Channel), "ms"), strings.TrimPrefix(strings.ToLower(w.state().Omnichannel.Channel), "ms")) {
				t.Errorf("enabled = %+v, want already on = %t", enabled, c.alreadyOn)
			}
			puts := 0
			for _, change := range w.changes() {
				if strings.HasPrefix(change, http.MethodPut) {
					puts++
				}
			}
			if want := map[bool]int{true: 0, false: 1}[c.alreadyOn]; puts != want {
				t.Errorf("%d PUTs, want %d", puts, want)
			}
		})
	}
}

func TestAnotherChangeAtTheSameTimeIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inject(simulation.Fault{Host: simulation.Azure, Route: "PUT *", Status: http.StatusConflict, Code: "Conflict"})
	if err := w.request(plan(nil)); err != nil {
		t.Fatal(err)
	}
	if err := w.steps(); !fault.Is(err, "azure-bot-busy") {
		t.Errorf("error = %v, so that it is not tried again", err)
	}
	if err := w.steps(); err != nil {
		t.Error(err)
	}
	w.ready()
}

// A disconnect disables the user and keeps it; a reconnect enables it; a replay
// of the facts says the same as the state that was carried.
func TestDisconnectAndReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(plan(nil))
	first, _ := w.ready().User()
	w.disconnect()
	if u := w.store(); u["isdisabled"] != true || u["systemuserid"] != first.ID {
		t.Errorf("user = %v, want it disabled and there", u)
	}
	if f, _ := latest[*events.ApplicationUserDisabled](w); f == nil || f.User != first.ID {
		t.Errorf("disabled = %+v", f)
	}
	if got := w.holder(simulation.RelayID); got != "" {
		t.Errorf("the application id is reserved for %q still", got)
	}
	before := w.Count()
	if err := w.steps(); err != nil || w.Count() != before {
		t.Errorf("disconnected twice: %v, %d more facts", err, w.Count()-before)
	}
	w.vault.put() // they were forgotten
	w.connect(plan(nil))
	again, _ := w.ready().User()
	if u := w.store(); u["isdisabled"] != false || again.ID != first.ID {
		t.Errorf("user = %v after the reconnect, want %s, enabled", u, first.ID)
	}
	var facts []events.Fact
	for o, err := range w.Ledger.ReadOpen(t.Context(), w.stream()) {
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, o.Fact)
	}
	replayed := connection.Decider.Fold(connection.State{}, facts...)
	if live := w.ready(); replayed.Status != live.Status || replayed.Session != 2 || len(replayed.Users) != 1 {
		t.Errorf("replay = %+v", replayed)
	}
}

func TestAUserThatSomebodyDeletedIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(plan(nil))
	u, _ := w.ready().User()
	w.Organisation(simulation.StoreOrganisation).Remove("systemusers", u.ID)
	w.disconnect()
	if f, _ := latest[*events.ApplicationUserDisabled](w); f == nil || !f.Gone {
		t.Errorf("disabled = %+v, want that the user is gone", f)
	}
}

// Beside a native connection Handoff looks and changes nothing, not even at the
// end.
func TestAdvice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	advice := plan(func(r *connection.Request) {
		r.Omnichannel.Path, r.Omnichannel.AzureBot, r.Omnichannel.Queue = events.PathAdvise, "", ""
		r.Fact.Hub.ApplicationID = simulation.RelayID
	})
	w.connect(advice)
	if s := w.state(); s.Failure == nil || s.Failure.Code != "native-connection-missing" || !strings.Contains(s.Failure.Detail, "https://web.powerva.microsoft.com") {
		t.Fatalf("failure = %+v, want that a person has to connect it", s.Failure)
	}
	w.Organisation(simulation.StoreOrganisation).Add("systemusers", map[string]any{
		"applicationid": simulation.RelayID, "isdisabled": false, "accessmode": 4.0, "msdyn_agenttype": 192350001.0,
	})
	w.connect(advice)
	s := w.ready()
	if u, ok := s.User(); !ok || u.By != connection.ByPerson || s.Channel != "MsTeamsChannel" {
		t.Errorf("user = %+v, channel %s", u, s.Channel)
	}
	w.disconnect()
	if u := w.store(); u["isdisabled"] != false {
		t.Error("the native connection was cut")
	}
	if got := w.changes(); len(got) != 0 {
		t.Errorf("changes = %v, want none", got)
	}
}

// Tokens of a bot that serves many tenants come from the tenant of all bots.
func TestAMultiTenantBot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(config *simulation.Config) {
		config.Bots[0].MultiTenant = true
		for i := range config.Tenants[0].Applications {
			config.Tenants[0].Applications[i].Audience = "AzureADMultipleOrgs"
		}
	})
	w.connect(plan(nil))
	if s := w.ready(); s.TokenTenant != "botframework.com" {
		t.Errorf("its tokens come from %q", s.TokenTenant)
	}
}

// A state that says so does not make the server call itself.
func TestNoOrganisationIsOnThisMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(plan(nil))
	s := w.ready()
	s.Omnichannel = new(*s.Omnichannel)
	s.Omnichannel.BotOrganisation = "http://127.0.0.1:1"
	if _, err := w.hub.PublishState(t.Context(), s); !fault.Is(err, "organisation-url-invalid") {
		t.Errorf("err = %v", err)
	}
}

func TestPublishState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(plan(func(r *connection.Request) { r.Fact.Bot.ID, r.Omnichannel.BotSchema = "", simulation.StoreBotSchema }))
	s := w.ready()
	if got, err := w.hub.PublishState(t.Context(), s); err != nil || got.State != publication.Published {
		t.Errorf("by its schema name: %+v, %v", got, err)
	}
	w.inject(simulation.Fault{Host: simulation.Dataverse, Status: http.StatusTooManyRequests, RetryAfter: 60, Times: -1})
	got, err := w.hub.PublishState(t.Context(), s)
	if f := fault.Of(err); got.State != publication.Unknown || f == nil || f.RetryAfter == 0 {
		t.Errorf("throttled: %+v, %v", got, err)
	}
	w.ClearFaults()
	s.Omnichannel = new(*s.Omnichannel)
	s.Omnichannel.BotSchema = "cr1_other"
	w2 := newWorld(t)
	if got, err := w2.hub.PublishState(t.Context(), s); err != nil || got.State != publication.Deleted {
		t.Errorf("gone: %+v, %v", got, err)
	}
}
