package httpapi_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handoff/domain/audit"
	"handoff/domain/check"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/listing"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/httpapi"
	"handoff/infra/standardwebhooks"
)

const (
	escalationID = "esc_7zz2m0jx5cq8vb4s9k1d6ehw3r"
	publicURL    = "https://handoff.example"
)

func now() time.Time { return time.Date(2026, 11, 22, 9, 10, 12, 0, time.UTC) }

// principals are the callers of tests, by their tokens.
func principals() map[string]identity.Principal {
	return map[string]identity.Principal{
		"admin":     {ID: "k-admin", Tenant: "default", Role: identity.Admin, Name: "Ann"},
		"bot":       {ID: "k-bot", Tenant: "default", Role: identity.Bot, Connection: "store-bot"},
		"other-bot": {ID: "k-other", Tenant: "default", Role: identity.Bot, Connection: "other-bot"},
		"hub":       {ID: "k-hub", Tenant: "default", Role: identity.Hub, Connection: "store-bot"},
		"auditor":   {ID: "k-auditor", Tenant: "default", Role: identity.Auditor},
		"narrow":    {ID: "k-narrow", Tenant: "default", Role: identity.Auditor, Connection: "store-bot"},
	}
}

func authenticate(_ context.Context, token string) (identity.Principal, error) {
	if p, ok := principals()[token]; ok {
		return p, nil
	}
	return identity.Principal{}, fault.New(fault.Unauthenticated, "key-invalid", "The key is not valid.")
}

func config() httpapi.Config {
	return httpapi.Config{Authenticate: authenticate, WebhookSecrets: noSecrets, Now: now, PublicURL: publicURL + "/", Version: "v0.0.1"}
}

func noSecrets(context.Context, string, string) ([]standardwebhooks.Secret, error) {
	return nil, fault.New(fault.NotFound, "connection-not-found", "There is no such connection.")
}

// serve returns a handler with every operation bound, changed as a test likes.
func serve(change func(a *httpapi.API, c *httpapi.Config)) http.Handler {
	a, c := works(), config()
	if change != nil {
		change(&a, &c)
	}
	return httpapi.New(a, c)
}

// call makes a request as the given caller and holds the answer to the document.
func call(t *testing.T, h http.Handler, caller, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if caller != "" {
		r.Header.Set("Authorization", "Bearer "+caller)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	checkDocumented(t, r, w.Result(), w.Body.Bytes())
	return w
}

// expect demands a status and, of a problem, a code.
func expect(t *testing.T, w *httptest.ResponseRecorder, status int, code string) httpapi.Problem {
	t.Helper()
	var p httpapi.Problem
	if w.Code >= http.StatusBadRequest {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatalf("the answer is no problem: %v", err)
		}
	}
	if w.Code != status || p.Code != code {
		t.Fatalf("answer = %d %q, want %d %q; body %s", w.Code, p.Code, status, code, w.Body)
	}
	return p
}

// works returns operations that all succeed.
func works() httpapi.API {
	a := httpapi.API{Healthy: func(context.Context) error { return nil }, Messages: http.HandlerFunc(takeMessages)}
	bindConnections(&a)
	bindEscalations(&a)
	bindDeliveries(&a)
	bindKeys(&a)
	bindAudit(&a)
	return a
}

// takeMessages answers as the Bot Connector wants it.
func takeMessages(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.PathValue("tenant") != "default" || r.PathValue("connection") != "store-bot" {
		w.WriteHeader(http.StatusUnauthorized)
	}
	_, _ = w.Write([]byte("{}"))
}

func bindConnections(a *httpapi.API) {
	a.Connect = func(_ context.Context, _ identity.Principal, p connection.Plan) (connection.Connected, error) {
		s := state()
		s.ID = p.Name
		return connection.Connected{State: s, Credentials: &connection.Credentials{
			BotKey: "hk_b", HubKey: "hk_h", WebhookSecret: "whsec_1", EndpointSecrets: map[string]string{"desk": "whsec_2"},
		}}, nil
	}
	a.Connection = func(context.Context, identity.Principal, string) (connection.State, error) { return state(), nil }
	a.Connections = func(context.Context, identity.Principal, listing.ConnectionQuery) ([]listing.Connection, string, error) {
		return []listing.Connection{{ID: "other-bot", Status: "ready"}, {ID: "store-bot", Status: "ready", Open: 2, RequestedAt: now(), Bot: publication.Unpublished}}, "more", nil
	}
	a.Disconnect = func(context.Context, identity.Principal, string, connection.DisconnectPlan) (connection.State, error) {
		s := state()
		s.Status, s.End = connection.Disconnected, &connection.End{Version: 8, Policy: "drain", Deadline: new(now()), Reason: "closed"}
		return s, nil
	}
	a.CheckConnection = func(context.Context, identity.Principal, string) (connection.Checked, error) {
		return connection.Checked{Connection: omnichannel(), Seen: []events.Finding{{Code: "queue-without-people", Detail: "Add one.", Blocking: true}}, HubRules: &connection.HubRules{
			Rules: omnichannel().HubRules, Missing: []string{"refunds"}, Words: []string{"If …"}, Source: "<rule/>",
		}}, nil
	}
	a.BeginCheck = func(_ context.Context, _ identity.Principal, _ string, p check.Plan) (check.Begun, error) {
		return check.Begun{
			ID: "chk_1", Path: "relay", Chat: "eyJ9", Record: "7a1d0f0e-0000-4000-8000-00000000c0de", Say: p.Say, Queue: events.Queue{ID: "test", Name: "Test", HubQueue: "h"},
			OpenedAt: now(), Until: now(), After: 17,
		}, nil
	}
	a.LookCheck = func(context.Context, identity.Principal, string, string) (check.Seen, error) {
		return check.Seen{At: now(), State: "Open", Record: "7a1d", Queue: events.HubQueue{ID: "q", Name: "Test"}, WithBot: true, WithPerson: true}, nil
	}
	a.EndCheck = func(context.Context, identity.Principal, string, string) error { return nil }
	a.SetEndpoint = func(_ context.Context, _ identity.Principal, _ string, p connection.EndpointPlan) (connection.Endpoint, string, error) {
		return connection.Endpoint{ID: p.ID, URL: p.URL, Mode: "thin", Events: p.Events}, "whsec_3", nil
	}
	a.RemoveEndpoint = func(context.Context, identity.Principal, string, string) error { return nil }
	a.RotateApplicationSecret = func(context.Context, identity.Principal, string) (connection.State, error) { return omnichannel(), nil }
	a.RotateSecret = func(context.Context, identity.Principal, string, string) (string, error) { return "whsec_4", nil }
	a.Rules = func(context.Context, identity.Principal, string) ([]byte, string, error) {
		return []byte("version: 1\n"), "sha256:9f", nil
	}
	a.AdoptRules = func(context.Context, identity.Principal, string, []byte, string) (string, error) {
		return "sha256:a0", nil
	}
	a.CheckRules = func(context.Context, []byte) (string, error) { return "sha256:a0", nil }
}

func state() connection.State {
	return connection.State{
		Version: 7, ID: "store-bot", Status: connection.Ready, Session: 1, Bot: events.Bot{ID: "b-1"},
		Hub: events.Hub{Type: "generic", Organisation: "store"}, Regions: &events.Regions{Bot: "eu"},
		Notice:        events.Notice{AcceptedBy: "ann", AcceptedAt: now(), TextVersion: "1"},
		ApplicationID: "app", Held: []connection.Held{{HubType: "generic", Organisation: "store", ApplicationID: "app"}}, Channel: "webhook",
		Endpoints: []connection.Endpoint{{ID: "desk", URL: "https://desk.example", Mode: "full", Disabled: "removed"}},
		Rules:     connection.Rules{Set: "sha256:9f", Name: "store-bot", Version: 2},
		Failure:   &connection.Failure{Step: "channel", Code: "timeout", Detail: "It took too long."},
	}
}

// omnichannel is a connection with everything that only Omnichannel has.
func omnichannel() connection.State {
	s := state()
	s.Hub = events.Hub{Type: connection.Omnichannel, Organisation: "https://contoso.crm4.dynamics.com"}
	s.Omnichannel = &events.OmnichannelSet{Path: "relay", Routing: "handoff", Directory: "contoso.onmicrosoft.com", ClientID: "c", Channel: "MsTeamsChannel", Queue: "q"}
	s.Override = &events.RegionsOverridden{Regions: events.Regions{Bot: "europe"}, By: "ann", Why: "agreed"}
	s.HealthURL, s.Checked, s.TokenTenant = "https://bot.example/health", true, "contoso.onmicrosoft.com"
	s.Findings = []events.Finding{{Code: "bot-name-long", Detail: "Shorten it."}}
	s.Users = []connection.User{{Held: s.Held[0], OrganisationID: "o", ID: "u", By: connection.ByHandoff, Queue: "q", Workstream: "w", Link: "https://contoso.crm4.dynamics.com/main.aspx"}}
	s.Allowed = &events.HubChangesAllowed{By: "ann", AddRules: true}
	s.HubQueues = []events.Queue{{ID: "refunds", Name: "Refunds", HubQueue: "Refunds"}}
	s.HubRules = []events.HubRule{{Queue: "refunds", HubQueue: events.HubQueue{ID: "q", Name: "Refunds"}}}
	s.Messaging = &events.MessagingEndpointSet{AzureBot: "a", Was: "https://old.example", Is: "https://new.example"}
	s.HubVariables, s.Forgotten = []string{"HandoffQueue"}, true
	s.Rotated = &events.ApplicationSecretRotated{ApplicationID: "app", KeyID: "k", Ends: now()}
	s.Publication = connection.Publication{State: publication.Outdated, Code: "last-publish-failed", Detail: "An earlier version answers."}
	return s
}

func bindEscalations(a *httpapi.API) {
	a.Raise = func(context.Context, identity.Principal, string, intake.HandOff, httpapi.Request) (conversation.Answer, error) {
		return conversation.Answer{EscalationID: escalationID, Status: conversation.Routed, Queue: "general", QueueName: "General help", Rule: "refunds"}, nil
	}
	entries := []conversation.Entry{{Version: 1, At: now(), Type: "EscalationRaised", Actor: "k-bot"}, {Version: 2, At: now(), Type: "EscalationAccepted", Message: "I'll take it."}}
	a.Escalation = func(context.Context, identity.Principal, string) (listing.Escalation, []conversation.Entry, error) {
		return row(), entries, nil
	}
	a.Escalations = func(context.Context, identity.Principal, listing.EscalationQuery) ([]listing.Escalation, string, error) {
		return []listing.Escalation{row()}, "", nil
	}
	a.Context = func(context.Context, identity.Principal, string) (conversation.View, error) {
		return view(entries), nil
	}
	a.ContextByLink = func(_ context.Context, token string) (conversation.View, error) {
		if token == "bad" {
			return conversation.View{}, fault.New(fault.NotFound, "link-invalid", "There is no such link.")
		}
		return view(entries), nil
	}
	a.Why = func(context.Context, identity.Principal, string) (httpapi.Why, error) {
		return httpapi.Why{EscalationID: escalationID, Hub: &conversation.HubChoice{Queue: events.HubQueue{ID: "q", Name: "Refunds"}}, Earlier: []audit.Why{{Moved: true, Lines: []string{"a"}}}}, nil
	}
	a.Report = func(_ context.Context, _ identity.Principal, _ string, s conversation.Status, code, _ string) (listing.Escalation, error) {
		e := row()
		e.Status, e.Code = string(s), code
		return e, nil
	}
	a.Erase = func(context.Context, identity.Principal, httpapi.Erasure) (httpapi.Erased, error) {
		return httpapi.Erased{Conversations: 1, Facts: 3}, nil
	}
}

func row() listing.Escalation {
	return listing.Escalation{ID: escalationID, Connection: "store-bot", Number: 1, Status: "routed", Queue: events.Queue{ID: "general"}, RaisedAt: now(), Deadline: now()}
}

func bindDeliveries(a *httpapi.API) {
	d := listing.Delivery{
		ID: "6f1c5a52-0000-8000-8000-00000000000d", Event: escalationID + "@2", EventType: "handoff.escalation.routed.v1",
		Connection: "store-bot", Endpoint: "desk", Status: "parked", Attempts: 3, Code: "timeout", UpdatedAt: now(),
	}
	a.Deliveries = func(context.Context, identity.Principal, listing.DeliveryQuery) ([]listing.Delivery, string, error) {
		return []listing.Delivery{d}, "", nil
	}
	a.Delivery = func(context.Context, identity.Principal, string) (listing.Delivery, []events.Record, error) {
		return d, []events.Record{record(1)}, nil
	}
	a.Resend = func(context.Context, identity.Principal, string) (listing.Delivery, error) { return d, nil }
}

func bindKeys(a *httpapi.API) {
	k := identity.APIKey{Principal: identity.Principal{ID: "mfrggzdf", Role: identity.Bot, Connection: "store-bot"}, Created: now()}
	a.Keys = func(context.Context, identity.Principal) ([]identity.APIKey, error) { return []identity.APIKey{k}, nil }
	a.IssueKey = func(_ context.Context, _ identity.Principal, n identity.NewKey) (identity.APIKey, string, error) {
		k := k
		k.Expires = n.Expires
		return k, "hk_mfrggzdf_secret", nil
	}
	a.RevokeKey = func(context.Context, identity.Principal, string) error { return nil }
}

func bindAudit(a *httpapi.API) {
	a.History = func(_ context.Context, _ identity.Principal, _ string, after int64) iter.Seq2[events.Record, error] {
		return history(after, 3, nil)
	}
	a.Facts = func(_ context.Context, _ identity.Principal, after int64) iter.Seq2[events.Record, error] {
		return history(after, 3, nil)
	}
	a.StateAt = func(_ context.Context, _ identity.Principal, _ string, at time.Time) (httpapi.Past, error) {
		return httpapi.Past{
			At: at, Position: 9, Facts: 4, Connection: state(), Open: 1, Queues: map[string]int{"general": 1},
			Escalations: []httpapi.PastEscalation{{ID: escalationID, Escalation: conversation.Escalation{Number: 1, Status: conversation.Raised, RaisedAt: at}}},
		}, nil
	}
	a.Verify = func(context.Context, identity.Principal, string) (httpapi.Verified, error) {
		return httpapi.Verified{Facts: 3, Streams: 1, Position: 3, Head: "head", Against: "broken", Problems: []httpapi.Breach{{Code: "gap", Detail: "2 is missing.", Position: 2}}}, nil
	}
}

// history yields facts up to the last one, and then an error if there is one.
func history(after, last int64, err error) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for p := after + 1; p <= last; p++ {
			if !yield(record(p), nil) {
				return
			}
		}
		if err != nil {
			yield(events.Record{}, err)
		}
	}
}

// record returns the fact at a position, its hash right for one without a
// fact before it.
func record(position int64) events.Record {
	r := events.Record{
		Header: events.Header{
			Stream: uuid.MustParse("6f1c5a52-0000-8000-8000-00000000000d"), Version: int(position), Kind: events.KindConversation,
			Type: "EscalationRaised", Schema: 1, Tenant: "default", Connection: "store-bot", Time: now().UnixNano() + 7,
			Commit: "c-1", Causation: "x", Correlation: "y", Actor: "k-bot", Key: "k.0", Trace: "00-1",
		},
		Clear: []byte(`{"topic":"R\u0026D \u003cb\u003e é 日本"}`), Sealed: []byte{0, 1, 2, 255}, Position: position,
	}
	r.SealedSum = events.SumSealed(r.Sealed)
	r.Hash = events.Chain(events.Hash{}, &r)
	return r
}

type (
	escalationQuery = listing.EscalationQuery
	rows            = []listing.Escalation
)

func onlySecret(s standardwebhooks.Secret) func(context.Context, string, string) ([]standardwebhooks.Secret, error) {
	return func(context.Context, string, string) ([]standardwebhooks.Secret, error) {
		return []standardwebhooks.Secret{s}, nil
	}
}

// view is an escalation with everything that the bot knew.
func view(entries []conversation.Entry) conversation.View {
	at := now()
	return conversation.View{
		ID:         escalationID,
		Escalation: conversation.Escalation{Number: 1, Status: conversation.Routed, Queue: events.Queue{ID: "general"}},
		Raised:     events.EscalationRaised{RaisedAt: at, Topic: "Refund"}, Timeline: entries,
		Context: &events.Context{
			ConversationID: "Kx81c", Customer: &events.Customer{ID: "c-881", Verified: true},
			Variables:  map[string]json.RawMessage{"order_total": json.RawMessage(`380.0`)},
			Transcript: &events.Transcript{Messages: []events.Message{{At: &at, From: events.FromCustomer, Text: "Hello"}}},
		},
	}
}
