package api_test

import (
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/api"
	"handoff/tests/functiontest"
)

func TestConnectingIsOneCommitAndShowsCredentialsOnce(t *testing.T) {
	t.Parallel()
	b, h, _ := setUp(t)
	first, err := h.Connect(t.Context(), admin, plan("store-bot"))
	if err != nil {
		t.Fatal(err)
	}
	if first.Status != connection.Requested || first.Credentials == nil || first.Credentials.EndpointSecrets["desk"] == "" || first.Credentials.BotKey == "" {
		t.Errorf("answer = %+v, want a requested connection with credentials", first)
	}
	stream := b.Stream(events.KindConnection, "store-bot")
	b.Want(stream, "ConnectionRequested", "EndpointSet", "RulesAdopted")
	again, err := h.Connect(t.Context(), admin, plan("store-bot"))
	if err != nil || again.Credentials != nil {
		t.Errorf("connecting again = %+v, %v, want no credentials", again.Credentials, err)
	}
	b.Want(stream, "ConnectionRequested", "EndpointSet", "RulesAdopted")
}

func TestConnectingAgainAppliesWhatChanged(t *testing.T) {
	t.Parallel()
	b, h, _ := setUp(t)
	for _, change := range []func(*connection.Plan){
		func(*connection.Plan) {},
		func(p *connection.Plan) { p.Rules = functiontest.OtherRules },
		func(p *connection.Plan) { p.Rules = "" }, // says nothing of rules
		func(p *connection.Plan) { p.Rules = ""; p.Endpoints[0].Mode = connection.ModeFull },
	} {
		p := plan("store-bot")
		change(&p)
		if _, err := h.Connect(t.Context(), admin, p); err != nil {
			t.Fatal(err)
		}
	}
	b.Want(b.Stream(events.KindConnection, "store-bot"), "ConnectionRequested", "EndpointSet", "RulesAdopted", "RulesAdopted", "EndpointSet")
}

func TestWithoutRulesEverythingGoesToOneQueue(t *testing.T) {
	t.Parallel()
	_, h, _ := setUp(t)
	p := plan("store-bot")
	p.Rules = ""
	if _, err := h.Connect(t.Context(), admin, p); err != nil {
		t.Fatal(err)
	}
	if _, hash, err := h.Ruleset(t.Context(), admin, "store-bot"); err != nil || hash == "" {
		t.Errorf("rules = %q, %v, want the built-in ones", hash, err)
	}
}

func TestAPlanThatIsRefusedLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change        func(*connection.Plan)
		code, pointer string
	}{
		"nobody acknowledged the notice":  {func(p *connection.Plan) { p.Notice.AcceptedBy = "" }, "notice-not-acknowledged", "/notice"},
		"the name can't stand in a URL":   {func(p *connection.Plan) { p.Name = "Store Bot" }, "connection-name-invalid", "/name"},
		"the endpoint may not be reached": {func(p *connection.Plan) { p.Endpoints[0].URL = "http://10.0.0.1/" }, "endpoint-url-invalid", "/endpoints/0/url"},
		"the rules are wrong":             {func(p *connection.Plan) { p.Rules = "version: 1" }, "rules-invalid", "/rules"},
		"the mode is unknown":             {func(p *connection.Plan) { p.Endpoints[0].Mode = "fat" }, "endpoint-mode-invalid", "/endpoints/0/mode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, h, a := setUp(t)
			p := plan("store-bot")
			c.change(&p)
			_, err := h.Connect(t.Context(), admin, p)
			if f := fault.Of(err); f == nil || f.Code != c.code || f.Pointer != c.pointer {
				t.Errorf("error = %v, want %s at %s", err, c.code, c.pointer)
			}
			if b.Count() != 0 || len(a.made) != 0 {
				t.Errorf("it left %d facts and %v behind, want nothing", b.Count(), a.made)
			}
		})
	}
}

func TestDisconnecting(t *testing.T) {
	t.Parallel()
	b, h, _ := setUp(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	b.Give("other-bot", functiontest.Requested("other-bot"))
	_, err := h.Disconnect(t.Context(), admin, "no-bot", connection.DisconnectPlan{})
	wantCode(t, err, "connection-not-found")
	for _, to := range []string{"other-bot", "store-bot", "no-bot"} {
		_, err = h.Disconnect(t.Context(), admin, "store-bot", connection.DisconnectPlan{To: to})
		wantCode(t, err, "move-target-not-ready")
	}
	s, err := h.Disconnect(t.Context(), admin, "store-bot", connection.DisconnectPlan{Reason: "moved away"})
	if err != nil || s.End == nil || !s.End.Deadline.Equal(b.Clock.Add(api.DefaultDrain)) || s.End.Reason != "moved away" {
		t.Errorf("end = %+v, %v, want draining for an hour", s.End, err)
	}
	before := b.Count()
	if _, err := h.Disconnect(t.Context(), admin, "store-bot", connection.DisconnectPlan{DrainFor: time.Minute}); err != nil || b.Count() != before {
		t.Errorf("disconnecting twice appended %d facts (%v), want none", b.Count()-before, err)
	}
}

func TestRulesChangeOnlyIfTheyAreThoseThatWereSeen(t *testing.T) {
	t.Parallel()
	b, h, _ := setUp(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	_, seen, err := h.Ruleset(t.Context(), admin, "store-bot")
	if err != nil {
		t.Fatal(err)
	}
	hash, err := h.AdoptRules(t.Context(), admin, "store-bot", []byte(functiontest.OtherRules), seen)
	if err != nil || hash == seen {
		t.Errorf("adopted %q, %v, want other rules", hash, err)
	}
	_, err = h.AdoptRules(t.Context(), admin, "store-bot", []byte(functiontest.Rules), seen)
	wantCode(t, err, "rules-changed")
	_, err = h.CheckRules(t.Context(), []byte("nonsense"))
	wantCode(t, err, "rules-invalid")
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	b, h, _ := setUp(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	e, secret, err := h.SetEndpoint(t.Context(), admin, "store-bot", connection.EndpointPlan{ID: "archive", URL: "https://archive.example/"})
	if err != nil || e.Mode != connection.ModeThin || secret == "" {
		t.Errorf("set %+v, secret %q, %v, want a thin endpoint with a secret", e, secret, err)
	}
	if err := h.RemoveEndpoint(t.Context(), admin, "store-bot", "archive"); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Connection(t.Context(), admin, "store-bot"); err != nil || s.Endpoints[1].Disabled != "removed" {
		t.Errorf("endpoints = %+v, %v, want archive removed", s.Endpoints, err)
	}
	wantCode(t, h.RemoveEndpoint(t.Context(), admin, "store-bot", "none"), "endpoint-not-found")
	_, err = h.RotateSecret(t.Context(), admin, "store-bot", "none")
	wantCode(t, err, "endpoint-not-found")
	if secret, err = h.RotateSecret(t.Context(), admin, "store-bot", ""); err != nil || secret != "rotated store-bot/" {
		t.Errorf("rotated %q, %v, want the bot's webhook secret", secret, err)
	}
}
