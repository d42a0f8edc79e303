package provider_test

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/reservation"
	"handoff/events"
	"handoff/functions/appregistered"
	"handoff/functions/channelenabled"
	"handoff/functions/connectionrequested"
	"handoff/functions/disconnected"
	"handoff/infra/eventlog"
	"handoff/infra/healthcheck"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/provider"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/providers"
	"handoff/tests/functiontest"
)

// vault keeps secrets in memory.
type vault struct {
	mu   sync.Mutex
	rows map[string]string
}

func (v *vault) Secret(_ context.Context, tenant, name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, ok := v.rows[tenant+" "+name]
	if !ok {
		return nil, fault.New(fault.NotFound, "secret-not-found", "There is none.")
	}
	return []byte(s), nil
}

func (v *vault) PutSecret(_ context.Context, tenant, name string, value []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rows[tenant+" "+name] = string(value)
	return nil
}

func (v *vault) DeleteSecret(_ context.Context, tenant, name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.rows[tenant+" "+name]; !ok {
		return fault.New(fault.NotFound, "secret-not-found", "There is none.")
	}
	delete(v.rows, tenant+" "+name)
	return nil
}

// put puts the secrets of the connection into the store.
func (v *vault) put() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rows = map[string]string{
		functiontest.Tenant + " hub/store-bot/client":      simulation.InstallerSecret,
		functiontest.Tenant + " hub/store-bot/application": simulation.RelaySecret,
	}
}

// world is a fake of Microsoft's cloud and a log, and between them the functions
// of connecting.
type world struct {
	*functiontest.Bench
	controlplanetest.Cloud
	hub   *providers.Providers
	hosts provider.Hosts
	vault *vault
}

// organisation is that of the example, by the address that people know.
const organisation = "https://store.crm4.dynamics.com"

// messages is where Handoff takes messages, before tenant and connection.
const messages = "https://handoff.example/v1/messages/"

func newWorld(t *testing.T, change ...func(*simulation.Config)) *world {
	t.Helper()
	w := &world{Bench: functiontest.New(t), Cloud: controlplanetest.StartCloud(t, time.Now, change...)}
	w.vault = new(vault)
	w.vault.put()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	w.hosts = provider.Hosts{
		Login: w.URLs.Login, Graph: w.URLs.Graph + "/v1.0", Azure: w.URLs.Azure, Discovery: w.URLs.Discovery, Organisation: func(o string) string {
			return map[string]string{
				organisation:                          w.URLs.Dataverse[simulation.StoreOrganisation],
				"https://store-old.crm4.dynamics.com": w.URLs.Dataverse[simulation.ClosedOrganisation],
				"https://store-us.crm.dynamics.com":   w.URLs.Dataverse[simulation.AmericanOrganisation],
			}[o]
		},
		DirectLine: []string{"127.0.0.1"}, TokenEndpoints: []string{"127.0.0.1"}, DirectLineBase: w.URLs.DirectLineEurope,
	}
	client := &http.Client{Transport: transport}
	w.hub = providers.New(provider.Options{
		HTTP: client, Now: time.Now, Secrets: w.vault, Hosts: w.hosts,
		Messages: func(tenant, connection string) string { return messages + tenant + "/" + connection },
	}, healthcheck.Checker{Client: client})
	return w
}

// tokenEndpoint is that of the example's bot. In requests it is the fake's.
const tokenEndpoint = "https://default1.e.environment.api.powerplatform.com/powervirtualagents/botsbyschema/" + simulation.StoreBotSchema +
	"/directline/token?api-version=2022-03-01-preview"

// plan is a request for a relay, as an administrator might paste it together.
func plan(change func(*connection.Request)) connection.Request {
	r := connection.Plan{
		Name: "store-bot", Bot: events.Bot{ID: "{" + strings.ToUpper(simulation.StoreBot) + "}", Name: "Store bot"},
		Hub:     events.Hub{Type: connection.Omnichannel, Organisation: "store.crm4.dynamics.com/main.aspx?appid=1"},
		Regions: &events.Regions{Log: "eu"},
		Notice:  connection.NoticePlan{AcceptedBy: "ann", TextVersion: "1"},
		Omnichannel: &connection.OmnichannelPlan{OmnichannelSet: events.OmnichannelSet{
			Path: events.PathRelay, Routing: events.RoutingHandoff, Directory: simulation.TenantDomain, ClientID: " " + simulation.InstallerID,
			AzureBot: "/subscriptions/" + simulation.SubscriptionID + "/resourcegroups/" + simulation.ResourceGroup + "/providers/Microsoft.BotService/botServices/" + simulation.BotName,
			Channel:  "teams", Queue: "Store bot", Workstream: simulation.Workstream, TokenEndpoint: tokenEndpoint,
		}},
	}.Request(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	r.Rules = functiontest.Adopted(functiontest.Rules)
	if change != nil {
		change(&r)
	}
	return r
}

// request puts a request into the log, as the API does.
func (w *world) request(r connection.Request) error {
	w.Helper()
	if r.Omnichannel != nil {
		r.Omnichannel.TokenEndpoint = strings.Replace(r.Omnichannel.TokenEndpoint, "https://default1.e.environment.api.powerplatform.com", w.URLs.PowerPlatform, 1)
	}
	r, err := w.hub.Normal(r)
	if err != nil {
		return err
	}
	s, err := eventlog.State(w.Context(), w.Ledger, connection.Decider, w.stream())
	if err != nil {
		w.Fatal(err)
	}
	facts, err := connection.Decider.Decide(s.State, r)
	if err == nil && len(facts) > 0 {
		w.Give("store-bot", facts...)
	}
	return err
}

func (w *world) stream() events.StreamID { return w.Stream(events.KindConnection, "store-bot") }

// told is what a function is told of a connection's fact.
func (w *world) told() events.Notification {
	return events.Notification{ID: "1", Stream: w.stream(), Kind: events.KindConnection, Tenant: functiontest.Tenant, Connection: "store-bot"}
}

// steps has every function of connecting told, each as often as it likes.
func (w *world) steps() error {
	w.Helper()
	requested := &connectionrequested.Handler{Ledger: w.Ledger, Applications: w.hub, Inspector: w.hub, Streams: w.Keys}
	for _, handle := range []func(context.Context, events.Notification) error{
		requested.Handle,
		(&appregistered.Handler{Ledger: w.Ledger, Channels: w.hub}).Handle,
		(&channelenabled.Handler{Ledger: w.Ledger, Hub: w.hub, Users: w.hub}).Handle,
		(&disconnected.Handler{Ledger: w.Ledger, Escalations: nobody{}, Applications: requested, Users: w.hub}).Handle,
	} {
		if err := handle(w.Context(), w.told()); err != nil {
			return err
		}
	}
	return nil
}

// connect requests and takes all steps.
func (w *world) connect(r connection.Request) {
	w.Helper()
	if err := w.request(r); err != nil {
		w.Fatal(err)
	}
	if err := w.steps(); err != nil {
		w.Fatal(err)
	}
}

// disconnect leaves nothing that may still finish.
func (w *world) disconnect() {
	w.Helper()
	w.Give("store-bot", &events.Disconnected{Policy: events.PolicyMove, Target: "other-bot"})
	if err := w.steps(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) state() connection.State {
	w.Helper()
	r, err := eventlog.State(w.Context(), w.Ledger, connection.Decider, w.stream())
	if err != nil {
		w.Fatal(err)
	}
	r.State.Tenant = functiontest.Tenant
	return r.State
}

// latest returns the last fact of a type, and how many there are.
func latest[F events.Fact](w *world) (last F, n int) {
	w.Helper()
	for o, err := range w.Ledger.ReadOpen(w.Context(), w.stream()) {
		if err != nil {
			w.Fatal(err)
		}
		if f, ok := o.Fact.(F); ok {
			last, n = f, n+1
		}
	}
	return last, n
}

// ready fails the test unless the connection is.
func (w *world) ready() connection.State {
	w.Helper()
	s := w.state()
	if s.Status != connection.Ready {
		w.Fatalf("the connection is %s, failure %+v, findings %+v; facts %v", s.Status, s.Failure, s.Findings, w.Types(w.stream()))
	}
	return s
}

// codes returns those of what was found, the blocking ones alone or all.
func codes(s connection.State, all bool) (found []string) {
	for _, f := range s.Findings {
		if all || f.Blocking {
			found = append(found, f.Code)
		}
	}
	return found
}

// changes returns what was asked of the cloud that is no mere look, tokens aside.
func (w *world) changes() (all []string) {
	for _, c := range w.Calls("") {
		if c.Method != http.MethodGet && c.Host != simulation.Login {
			all = append(all, c.Method+" "+c.Path)
		}
	}
	return all
}

// holder says who holds an application id.
func (w *world) holder(application string) string {
	w.Helper()
	stream := w.Keys.SystemStreamID(events.KindReservation, connection.Omnichannel, organisation, application)
	r, err := eventlog.State(w.Context(), w.Ledger, reservation.Decider, stream)
	if err != nil {
		w.Fatal(err)
	}
	return r.State.Connection
}

// inject adds faults to the cloud's script.
func (w *world) inject(faults ...simulation.Fault) {
	w.Helper()
	for _, f := range faults {
		if err := w.Inject(f); err != nil {
			w.Fatal(err)
		}
	}
}

// store is the example's organisation.
func (w *world) store() map[string]any {
	w.Helper()
	for _, u := range w.Organisation(simulation.StoreOrganisation).All("systemusers", "applicationid", simulation.RelayID) {
		return maps.Clone(u)
	}
	return nil
}

// nobody has escalations open.
type nobody struct{}

func (nobody) Open(context.Context, string, string, int64) iter.Seq2[events.StreamID, error] {
	return func(func(events.StreamID, error) bool) {}
}

// secrets fails the test if one of the cloud's secrets stands in the log.
func (w *world) noSecrets() {
	w.Helper()
	for r, err := range w.Log.ReadAll(w.Context(), 0) {
		if err != nil {
			w.Fatal(err)
		}
		for _, secret := range slices.Collect(maps.Values(w.vault.rows)) {
			if strings.Contains(string(r.Clear), secret) || strings.Contains(string(r.Sealed), secret) {
				w.Errorf("%s holds a secret", r.Type)
			}
		}
	}
}
