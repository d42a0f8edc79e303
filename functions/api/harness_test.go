package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/functions/api"
	"handoff/tests/functiontest"
)

var admin = identity.Principal{ID: "admin-key", Tenant: functiontest.Tenant, Role: identity.Admin}

func hub(connection string) identity.Principal {
	return identity.Principal{ID: "hub-" + connection, Tenant: functiontest.Tenant, Role: identity.Hub, Connection: connection}
}

// around is what the function has around it.
type around struct {
	api.Lists // what a test does not ask for

	made      map[string]bool // secrets and keys
	customers map[string][]events.StreamID
	rows      map[string]listing.Escalation // by the beginning of an id
}

func (a *around) once(name string) string {
	if a.made[name] {
		return ""
	}
	a.made[name] = true
	return "new " + name
}

func (a *around) Ensure(_ context.Context, _, connection, endpoint string) (string, error) {
	return a.once("secret of " + connection + "/" + endpoint), nil
}

func (a *around) Rotate(_ context.Context, _, connection, endpoint string) (string, error) {
	return "rotated " + connection + "/" + endpoint, nil
}

func (a *around) EnsureKey(_ context.Context, _, connection string, role identity.Role) (string, error) {
	return a.once(fmt.Sprintf("%s key of %s", role, connection)), nil
}

func (a *around) Escalation(_ context.Context, _, prefix string) (listing.Escalation, error) {
	if row, ok := a.rows[prefix]; ok {
		return row, nil
	}
	return listing.Escalation{}, fault.New(fault.NotFound, "escalation-not-found", "")
}

func (a *around) ByCustomer(_ context.Context, _, ref string) ([]events.StreamID, error) {
	return a.customers[ref], nil
}

func checkURL(_ context.Context, url string) error {
	if strings.HasPrefix(url, "https://") {
		return nil
	}
	return fault.New(fault.Unprocessable, "endpoint-url-invalid", "Use https.")
}

// setUp returns a bench and the function on it.
func setUp(t *testing.T) (*functiontest.Bench, *api.Handler, *around) {
	t.Helper()
	b := functiontest.New(t)
	a := &around{made: make(map[string]bool), customers: make(map[string][]events.StreamID), rows: make(map[string]listing.Escalation)}
	return b, &api.Handler{
		Ledger: b.Ledger, Keys: b.Keys, Destroyer: b.Keys, Secrets: a, Issuer: a, Rules: b.Rules, Lists: a, CheckURL: checkURL, Now: b.Now,
	}, a
}

func plan(name string) connection.Plan {
	return connection.Plan{
		Name: name, Bot: events.Bot{ID: "b"}, Hub: events.Hub{Type: "generic", Organisation: "desk", ApplicationID: "app"},
		Notice:    connection.NoticePlan{AcceptedBy: "ann", TextVersion: "1"},
		Endpoints: []connection.EndpointPlan{{URL: "https://desk.example/in"}}, Rules: functiontest.Rules,
	}
}

// escalated gives a routed escalation of store-bot.
func escalated(b *functiontest.Bench, more ...events.Fact) events.StreamID {
	b.Helper()
	stream := b.Stream(events.KindConversation, "store-bot", "c")
	raised := b.Raised(1, "Refund")
	raised.Context.LastPhrase = "give me a person"
	routed, err := b.Rules.Decide(b.Context(), b.Stream(events.KindConnection, "store-bot"), rulesOf(b, functiontest.Rules), raised, b.Clock)
	if err != nil {
		b.Fatal(err)
	}
	b.GiveTo(stream, events.KindConversation, "store-bot", append([]events.Fact{raised, routed}, more...)...)
	return stream
}

// rulesOf returns the state of a store-bot that has just adopted rules.
func rulesOf(b *functiontest.Bench, rules string) connection.State {
	b.Helper()
	s := connection.State{}
	for _, f := range functiontest.Ready("store-bot", rules) {
		s = connection.Decider.Evolve(s, f)
	}
	return s
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("error = %v, want %s", err, code)
	}
}
