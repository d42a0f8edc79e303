package api_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/functions/api"
	"handoff/tests/functiontest"
)

// hubs knows a hub's form, keeps secrets, and sees what it is told to.
type hubs struct {
	seen    *connection.Inspection
	err     error
	changed []string // what was changed, in order
	secrets map[string]string
}

func (h *hubs) Normal(r connection.Request) (connection.Request, error) {
	if r.Omnichannel != nil && r.Omnichannel.ClientID == "wrong" {
		return r, fault.New(fault.Unprocessable, "id-invalid", "It is none.").At("/omnichannel/client_id")
	}
	return r, nil
}

func (h *hubs) Inspect(_ context.Context, c connection.State) (*connection.Inspection, error) {
	if c.Tenant != functiontest.Tenant {
		return nil, errors.New("no tenant")
	}
	return h.seen, h.err
}

func (h *hubs) EnsureEndpoint(_ context.Context, c connection.State) (*events.MessagingEndpointSet, error) {
	h.changed = append(h.changed, "endpoint of "+c.Tenant)
	return &events.MessagingEndpointSet{AzureBot: "a", Was: "b", Is: "c"}, h.err
}

func (h *hubs) AddRules(_ context.Context, c connection.State) (*events.HubRulesSet, error) {
	h.changed = append(h.changed, "rules of "+c.Tenant)
	if len(c.HubQueues) == 0 {
		return nil, h.err
	}
	return &events.HubRulesSet{Workstream: "w", Rules: []events.HubRule{{Queue: c.HubQueues[0].ID}}}, h.err
}

func (h *hubs) RotateSecret(_ context.Context, c connection.State) (*events.ApplicationSecretRotated, error) {
	return &events.ApplicationSecretRotated{ApplicationID: c.ApplicationID, KeyID: "of " + c.Tenant}, h.err
}

func (h *hubs) PutSecret(_ context.Context, tenant, name string, value []byte) error {
	h.secrets[tenant+" "+name] = string(value)
	return nil
}

func withHubs(t *testing.T) (*functiontest.Bench, *api.Handler, *hubs) {
	t.Helper()
	b, h, _ := setUp(t)
	known := &hubs{secrets: map[string]string{}}
	h.Hubs, h.HubSecrets, h.Geography = known, known, geography.Europe
	return b, h, known
}

func omnichannel(change func(*connection.Plan)) connection.Plan {
	p := connection.Plan{
		Name: "store-bot", Bot: events.Bot{ID: "b"}, Hub: events.Hub{Type: connection.Omnichannel, Organisation: "https://contoso.crm4.dynamics.com"},
		Regions: &events.Regions{Bot: "europe", Hub: "europe"}, Notice: connection.NoticePlan{AcceptedBy: "ann", TextVersion: "1"},
		Omnichannel:  &connection.OmnichannelPlan{OmnichannelSet: events.OmnichannelSet{Path: "relay", Routing: "hub", Directory: "d", ClientID: "c", AzureBot: "a", Queue: "q"}},
		ClientSecret: "first", ApplicationSecret: "second", HealthURL: "https://bot.example/health",
	}
	if change != nil {
		change(&p)
	}
	return p
}

func TestConnectingOmnichannel(t *testing.T) {
	t.Parallel()
	b, h, known := withHubs(t)
	got, err := h.Connect(t.Context(), admin, omnichannel(nil))
	if err != nil {
		t.Fatal(err)
	}
	b.Want(b.Stream(events.KindConnection, "store-bot"), "ConnectionRequested", "OmnichannelSet", "HealthCheckSet", "RulesAdopted")
	if got.Regions.Log != "europe" || got.HealthURL != "https://bot.example/health" {
		t.Errorf("connected = %+v, log in %s", got.State, got.Regions.Log)
	}
	want := map[string]string{"default hub/store-bot/client": "first", "default hub/store-bot/application": "second"}
	if !maps.Equal(known.secrets, want) {
		t.Errorf("secrets = %v, want %v", known.secrets, want)
	}
	before := b.Count()
	if _, err := h.Connect(t.Context(), admin, omnichannel(func(p *connection.Plan) { p.ClientSecret, p.ApplicationSecret = "renewed", "" })); err != nil || b.Count() != before {
		t.Errorf("renewing a secret: %v, %d facts", err, b.Count()-before)
	}
	if known.secrets["default hub/store-bot/client"] != "renewed" || known.secrets["default hub/store-bot/application"] != "second" {
		t.Errorf("secrets = %v", known.secrets)
	}
}

func TestWhatIsRefusedLeavesNoSecret(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		change        func(*connection.Plan)
		code, pointer string
	}{
		"an id in another form":      {func(p *connection.Plan) { p.Omnichannel.ClientID = "wrong" }, "id-invalid", "/omnichannel/client_id"},
		"another region of the log":  {func(p *connection.Plan) { p.Regions.Log = "us" }, "region-contradicts-server", "/regions/log"},
		"regions that differ":        {func(p *connection.Plan) { p.Regions.Hub = "canada" }, "regions-differ", "/regions"},
		"a health URL not to be had": {func(p *connection.Plan) { p.HealthURL = "http://bot.example" }, "endpoint-url-invalid", "/health_url"},
		"another bot of that name":   {func(p *connection.Plan) { p.Bot.ID = "other" }, "connection-exists", ""},
		"a secret of no use":         {func(p *connection.Plan) { p.Omnichannel, p.Hub.Type, p.Name = nil, "generic", "desk-bot" }, "hub-secret-unexpected", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, h, known := withHubs(t)
			if _, err := h.Connect(t.Context(), admin, omnichannel(func(p *connection.Plan) { p.ClientSecret, p.ApplicationSecret = "", "" })); err != nil {
				t.Fatal(err)
			}
			_, err := h.Connect(t.Context(), admin, omnichannel(c.change))
			if f := fault.Of(err); f == nil || f.Code != c.code || c.pointer != "" && f.Pointer != c.pointer {
				t.Errorf("err = %v, want %s at %s", err, c.code, c.pointer)
			}
			if len(known.secrets) > 0 {
				t.Errorf("secrets = %v, want none", known.secrets)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	b, h, known := withHubs(t)
	if _, err := h.Connect(t.Context(), admin, omnichannel(nil)); err != nil {
		t.Fatal(err)
	}
	known.seen = &connection.Inspection{
		Findings: []events.Finding{{Code: "a", Detail: "Do it."}}, Bot: publication.Finding{State: publication.Unpublished, Reason: "inactive"},
	}
	got, err := h.Check(t.Context(), admin, "store-bot")
	if err != nil || len(got.Seen) != 1 || got.Connection.Publication.State != publication.Unpublished {
		t.Errorf("checked = %+v, %v", got, err)
	}
	if f, _ := b.Last(b.Stream(events.KindConnection, "store-bot")).(*events.BotUnpublished); f == nil {
		t.Error("what was seen of the bot is not recorded")
	}
	known.err = fault.New(fault.Unavailable, "dataverse-throttled", "Later.")
	if _, err := h.Check(t.Context(), admin, "store-bot"); !fault.Is(err, "dataverse-throttled") {
		t.Errorf("err = %v", err)
	}
	known.seen, known.err = nil, nil
	if got, err := h.Check(t.Context(), admin, "store-bot"); err != nil || got.Seen == nil || len(got.Seen) != 0 {
		t.Errorf("nothing to look at: %+v, %v", got.Seen, err)
	}
	if _, err := h.Check(t.Context(), admin, "no-bot"); !fault.Is(err, "connection-not-found") {
		t.Errorf("err = %v", err)
	}
	if _, err := h.Disconnect(t.Context(), admin, "store-bot", connection.DisconnectPlan{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Check(t.Context(), admin, "store-bot"); !fault.Is(err, "connection-disconnected") {
		t.Errorf("err = %v", err)
	}
}

// What is allowed of a connection that is ready is done at once: it takes
// escalations all the while.
func TestChangesAtTheHub(t *testing.T) {
	t.Parallel()
	b, h, known := withHubs(t)
	allow := omnichannel(func(p *connection.Plan) {
		p.Omnichannel.AddHubRules, p.Omnichannel.TakeOverEndpoint = true, true
		p.Rules = "version: 1\nfallback: refunds\nqueues:\n  - {id: refunds, name: Refunds, hub_queue: Refunds}\n"
	})
	if _, err := h.Connect(t.Context(), admin, allow); err != nil || len(known.changed) > 0 {
		t.Fatalf("changed %v before the steps were taken, %v", known.changed, err)
	}
	stream := b.Stream(events.KindConnection, "store-bot")
	b.Want(stream, "ConnectionRequested", "OmnichannelSet", "HealthCheckSet", "HubChangesAllowed", "RulesAdopted", "HubQueuesNamed")
	b.Give("store-bot", &events.AppRegistered{ApplicationID: "app-1"}, &events.ChannelEnabled{}, &events.ConnectionReady{})
	got, err := h.Connect(t.Context(), admin, allow)
	if err != nil || !slices.Equal(known.changed, []string{"endpoint of default", "rules of default"}) || len(got.HubRules) != 1 || got.Messaging.Is != "c" || got.Status != connection.Ready {
		t.Errorf("changed %v, state %+v, %v", known.changed, got.State, err)
	}
	known.err = fault.New(fault.Unprocessable, "hub-rules-unreadable", "By hand.")
	if _, err := h.Connect(t.Context(), admin, allow); !fault.Is(err, "hub-rules-unreadable") {
		t.Errorf("err = %v", err)
	}
	known.changed, known.err = nil, nil
	if _, err := h.Connect(t.Context(), admin, omnichannel(nil)); err != nil || len(known.changed) > 0 {
		t.Errorf("without leave: changed %v, %v", known.changed, err)
	}
	if _, err := h.AdoptRules(t.Context(), admin, "store-bot", []byte("version: 1\nfallback: a\nqueues:\n  - {id: a, hub_queue: b}\n"), ""); err != nil {
		t.Fatal(err)
	}
	if f, _ := b.Last(stream).(*events.HubQueuesNamed); f == nil || len(f.Queues) != 1 || f.Queues[0].HubQueue != "b" {
		t.Errorf("last fact = %+v, want the queues of the new rules", b.Last(stream))
	}
}

func TestRotateApplicationSecret(t *testing.T) {
	t.Parallel()
	b, h, known := withHubs(t)
	if _, err := h.Connect(t.Context(), admin, omnichannel(nil)); err != nil {
		t.Fatal(err)
	}
	b.Give("store-bot", &events.AppRegistered{ApplicationID: "app-1"})
	if _, err := h.RotateApplicationSecret(t.Context(), admin, "store-bot"); err != nil {
		t.Fatal(err)
	}
	if f, _ := b.Last(b.Stream(events.KindConnection, "store-bot")).(*events.ApplicationSecretRotated); f == nil || f.ApplicationID != "app-1" || f.KeyID != "of default" {
		t.Errorf("fact = %+v", f)
	}
	known.err = fault.New(fault.Unprocessable, "graph-permission-missing", "Grant it.")
	for id, code := range map[string]string{"store-bot": "graph-permission-missing", "no-bot": "connection-not-found"} {
		if _, err := h.RotateApplicationSecret(t.Context(), admin, id); !fault.Is(err, code) {
			t.Errorf("%s: %v, want %s", id, err, code)
		}
	}
	h.Hubs = nil
	if _, err := h.RotateApplicationSecret(t.Context(), admin, "store-bot"); !fault.Is(err, "application-secret-unused") {
		t.Errorf("err = %v", err)
	}
	if _, err := h.Disconnect(t.Context(), admin, "store-bot", connection.DisconnectPlan{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.RotateApplicationSecret(t.Context(), admin, "store-bot"); !fault.Is(err, "connection-disconnected") {
		t.Errorf("err = %v", err)
	}
}
