package providers_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/healthcheck"
	"handoff/infra/microsoft/provider"
	"handoff/infra/providers"
)

func known() *providers.Providers {
	return providers.New(provider.Options{HTTP: &http.Client{}, Now: time.Now}, healthcheck.Checker{Client: &http.Client{}})
}

// A generic desk is asked what it was asked before there were other hubs.
func TestAGenericDeskKnowsNoUsers(t *testing.T) {
	t.Parallel()
	p, ctx := known(), t.Context()
	desk := connection.State{Hub: events.Hub{Type: "generic", Organisation: "Desk", ApplicationID: "App"}, Endpoints: []connection.Endpoint{{ID: "desk"}}}
	if seen, err := p.Inspect(ctx, desk); seen != nil || err != nil {
		t.Errorf("seen = %+v, %v", seen, err)
	}
	if id, created, err := p.EnsureApplication(ctx, desk); id != "app" || created || err != nil {
		t.Errorf("application = %q, %t, %v", id, created, err)
	}
	if on, err := p.EnsureChannel(ctx, desk); on.Channel != "webhook" || err != nil {
		t.Errorf("channel = %+v, %v", on, err)
	}
	if f, err := p.EnableUser(ctx, desk); f != nil || err != nil {
		t.Errorf("user = %+v, %v", f, err)
	}
	if err := p.CheckReady(ctx, desk); err != nil {
		t.Error(err)
	}
	desk.Endpoints = nil
	if err := p.CheckReady(ctx, desk); !fault.Is(err, "endpoint-missing") {
		t.Errorf("without an endpoint: %v", err)
	}
	if seen, err := p.PublishState(ctx, desk); seen.State != publication.Unknown || err != nil {
		t.Errorf("published = %+v, %v", seen, err)
	}
}

func TestAnUnknownHubIsRefused(t *testing.T) {
	t.Parallel()
	p, ctx := known(), t.Context()
	other := connection.State{Hub: events.Hub{Type: "other"}}
	_, _, application := p.EnsureApplication(ctx, other)
	_, channel := p.EnsureChannel(ctx, other)
	for what, err := range map[string]error{"application": application, "channel": channel, "ready": p.CheckReady(ctx, other)} {
		if !fault.Is(err, "hub-type-unknown") || !fault.KindOf(err).Permanent() {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Omnichannel's provider is asked for its hubs: it misses their settings.
func TestOmnichannelIsAsked(t *testing.T) {
	t.Parallel()
	p, ctx := known(), t.Context()
	hub := connection.State{Hub: events.Hub{Type: connection.Omnichannel}}
	_, inspect := p.Inspect(ctx, hub)
	_, enable := p.EnableUser(ctx, hub)
	_, disable := p.DisableUser(ctx, connection.State{}, connection.User{Held: connection.Held{HubType: connection.Omnichannel}})
	_, published := p.PublishState(ctx, hub)
	for what, err := range map[string]error{"inspect": inspect, "enable": enable, "disable": disable, "published": published} {
		if !fault.Is(err, "omnichannel-incomplete") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestABotOfAnotherMakerIsAskedItself(t *testing.T) {
	t.Parallel()
	bot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer bot.Close()
	for _, hub := range []string{"generic", connection.Omnichannel} {
		c := connection.State{Hub: events.Hub{Type: hub}, HealthURL: bot.URL}
		if seen, err := known().PublishState(t.Context(), c); seen.State != publication.Published || err != nil {
			t.Errorf("%s: published = %+v, %v", hub, seen, err)
		}
	}
}
