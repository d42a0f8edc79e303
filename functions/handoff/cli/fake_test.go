package cli_test

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"handoff/domain/audit"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/functions/auditreplay"
	"handoff/infra/httpapi"
)

// fake is a server's operations: over a real log where history is read, by
// heart elsewhere.
type fake struct {
	past *auditreplay.Handler

	mu          sync.Mutex
	connections map[string]connection.State
	raised      map[string]bool // by conversation
	rules       string
}

func newFake(past *auditreplay.Handler) *fake {
	ready := connection.State{
		Version: 6, ID: "store-bot", Status: connection.Ready, Session: 1, Bot: events.Bot{Name: "Ella"}, Hub: events.Hub{Type: "generic", Organisation: "store"},
		Notice: events.Notice{AcceptedBy: "ann@store.example", AcceptedAt: today(), TextVersion: "1"}, ApplicationID: "app-1", Channel: "webhook",
		Endpoints: []connection.Endpoint{{ID: "desk", URL: "https://desk.example/in", Mode: "full"}, {ID: "old", URL: "https://old.example", Mode: "thin", Disabled: "endpoint-gone"}},
		Rules:     connection.Rules{Set: "sha256:9f86d081884c7d659a2feaa0c55ad015", Name: "store-bot", Version: 2},
	}
	return &fake{past: past, connections: map[string]connection.State{"store-bot": ready}, raised: make(map[string]bool), rules: "version: 1\n# \x1b[31mred\n"}
}

func (f *fake) handler() http.Handler {
	a := httpapi.API{Healthy: func(context.Context) error { return nil }}
	f.bindConnections(&a)
	f.bindEscalations(&a)
	f.bindRest(&a)
	return httpapi.New(a, httpapi.Config{Authenticate: authenticate, Now: time.Now, PublicURL: "https://handoff.example", Version: "v9"})
}

func authenticate(_ context.Context, token string) (identity.Principal, error) {
	if role, err := identity.ParseRole(token); err == nil {
		return identity.Principal{ID: "k-" + token, Tenant: "default", Role: role}, nil
	}
	return identity.Principal{}, fault.New(fault.Unauthenticated, "key-invalid", "The key is not valid.")
}

func (f *fake) bindConnections(a *httpapi.API) {
	a.Connect = f.connect
	a.Connection = f.connection
	a.Connections = func(context.Context, identity.Principal, listing.ConnectionQuery) ([]listing.Connection, string, error) {
		return []listing.Connection{{ID: "store-bot", Status: "ready", HubType: "generic", Organisation: "store", Open: 1, RequestedAt: today()}}, "", nil
	}
	a.Disconnect = func(ctx context.Context, by identity.Principal, id string, p connection.DisconnectPlan) (connection.State, error) {
		s, err := f.connection(ctx, by, id)
		s.Status, s.End = connection.Disconnected, &connection.End{Policy: events.PolicyMove, Target: p.To, Reason: p.Reason}
		if p.To == "" {
			s.End.Policy, s.End.Deadline = events.PolicyDrain, new(today().Add(max(p.DrainFor, time.Hour)))
		}
		return s, err
	}
	a.CheckConnection = f.check
	a.RotateApplicationSecret = f.connection
	a.SetEndpoint = func(_ context.Context, _ identity.Principal, _ string, p connection.EndpointPlan) (connection.Endpoint, string, error) {
		if strings.Contains(p.URL, "10.0.0.1") {
			return connection.Endpoint{}, "", fault.New(fault.Unprocessable, "endpoint-address-refused", "The address 10.0.0.1 is not reachable for webhooks.").At("/url")
		}
		return connection.Endpoint{ID: p.ID, URL: p.URL, Mode: p.Mode, Events: p.Events}, "whsec_new", nil
	}
	a.RemoveEndpoint = func(context.Context, identity.Principal, string, string) error { return nil }
	a.RotateSecret = func(_ context.Context, _ identity.Principal, _, endpoint string) (string, error) {
		return "whsec_for_" + endpoint, nil
	}
	a.Rules = func(context.Context, identity.Principal, string) ([]byte, string, error) {
		return []byte(f.rules), "sha256:9f86d081884c7d659a2feaa0c55ad015", nil
	}
	a.AdoptRules = func(_ context.Context, _ identity.Principal, _ string, _ []byte, ifMatch string) (string, error) {
		if ifMatch != "" && ifMatch != "sha256:9f86d081884c7d659a2feaa0c55ad015" {
			return "", fault.New(fault.Conflict, "rules-changed", "Somebody else changed the rules. Look at them again, then adopt yours.")
		}
		return "sha256:a0", nil
	}
}

// connect makes a connection that takes a step whenever it is asked for; one
// called stuck fails for good, one called slow does not get on.
func (f *fake) connect(_ context.Context, _ identity.Principal, p connection.Plan) (connection.Connected, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := connection.State{ID: p.Name, Status: connection.Requested, Hub: p.Hub, Notice: events.Notice{AcceptedBy: p.Notice.AcceptedBy, TextVersion: p.Notice.TextVersion}}
	secrets := make(map[string]string)
	for _, e := range p.Endpoints {
		if strings.Contains(e.URL, "taken") {
			return connection.Connected{}, fault.New(fault.Conflict, "connection-exists", "Connection \"taken\" exists and ties another bot or hub.")
		}
		id := e.ID
		if id == "" {
			id = "desk"
		}
		secrets[id] = "whsec_endpoint"
	}
	if p.Omnichannel != nil {
		if p.ClientSecret == "" {
			return connection.Connected{}, fault.New(fault.Unprocessable, "client-secret-missing", "The secret of the application is not in the secret store.")
		}
		s = inOmnichannel(s, p)
	}
	f.connections[p.Name] = s
	return connection.Connected{State: s, Credentials: &connection.Credentials{BotKey: "hk_bot", HubKey: "hk_hub", WebhookSecret: "whsec_bot", EndpointSecrets: secrets}}, nil
}

func (f *fake) connection(_ context.Context, _ identity.Principal, id string) (connection.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.connections[id]
	if !ok {
		return s, fault.Newf(fault.NotFound, "connection-not-found", "There is no connection %q.", id)
	}
	order := []connection.Status{connection.Requested, connection.AppRegistered, connection.ChannelEnabled, connection.Ready}
	at := slices.Index(order, s.Status)
	switch {
	case id == "stuck":
		s.Failure = &connection.Failure{Step: "application", Code: "app-id-taken", Detail: "The application id app-1 is reserved by another connection.", Permanent: true}
	case id == "slow":
		s.Failure = &connection.Failure{Step: "channel", Code: "timeout", Detail: "It took too long."}
	case at >= 0 && at < len(order)-1:
		s.Status = order[at+1]
	}
	f.connections[id] = s
	return s, nil
}

func (f *fake) bindEscalations(a *httpapi.API) {
	a.Raise = f.raise
	entries := []conversation.Entry{
		{Version: 1, At: today(), Type: "EscalationRaised", Actor: "k-bot"},
		{Version: 2, At: today(), Type: "EscalationRouted", Actor: "function:x"},
		{Version: 3, At: today(), Type: "EscalationAccepted", Actor: "k-hub", Message: "I'll take it.\x1b[2J"},
	}
	a.Escalation = func(_ context.Context, _ identity.Principal, id string) (listing.Escalation, []conversation.Entry, error) {
		if !strings.HasPrefix(escalationID(), id) {
			return listing.Escalation{}, nil, fault.Newf(fault.NotFound, "escalation-not-found", "There is no escalation %q.", id)
		}
		return row("accepted"), entries, nil
	}
	a.Escalations = func(_ context.Context, _ identity.Principal, q listing.EscalationQuery) ([]listing.Escalation, string, error) {
		if q.Queue != "" {
			return nil, "", nil
		}
		return []listing.Escalation{row("routed"), row("completed")}, "abc", nil
	}
	a.Why = f.why
	a.Report = func(_ context.Context, _ identity.Principal, _ string, s conversation.Status, code, _ string) (listing.Escalation, error) {
		e := row(string(s))
		e.Code = code
		return e, nil
	}
	a.Erase = func(_ context.Context, _ identity.Principal, e httpapi.Erasure) (httpapi.Erased, error) {
		if e.CustomerID == "nobody" {
			return httpapi.Erased{}, fault.New(fault.NotFound, "customer-not-found", "No conversation with this customer is known.")
		}
		return httpapi.Erased{Conversations: 1, Facts: 3}, nil
	}
}

func row(status string) listing.Escalation {
	return listing.Escalation{
		ID: escalationID(), Connection: "store-bot", Number: 1, Status: status, Queue: events.Queue{ID: "refunds-nl", Name: "Refunds (Dutch)"},
		Rule: "refunds in Dutch", Priority: 60, Reason: "customer_asked", Topic: "Refund \x1b[31m\u202e", Language: "nl-NL", Channel: "web", RaisedAt: today(), Deadline: today().Add(24 * time.Hour),
	}
}

func (f *fake) raise(_ context.Context, _ identity.Principal, id string, h intake.HandOff, _ httpapi.Request) (conversation.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch id {
	case "closed":
		return conversation.Answer{}, fault.New(fault.Conflict, "connection-disconnected", `Connection "closed" is disconnected and takes no escalations.`)
	case "crash":
		panic("boom")
	}
	a := conversation.Answer{EscalationID: escalationID(), Status: conversation.Routed, Queue: "refunds-nl", QueueName: "Refunds (Dutch)", Rule: "refunds in Dutch"}
	if h.Topic == "" {
		a.Queue, a.QueueName, a.Rule = "general", "General help", ""
	}
	a.Duplicate = f.raised[h.Context.ConversationID]
	f.raised[h.Context.ConversationID] = true
	return a, nil
}

func (f *fake) why(_ context.Context, _ identity.Principal, id string) (audit.Why, error) {
	if id == "esc_early" {
		return audit.Why{}, fault.New(fault.Conflict, "not-routed-yet", "The escalation is not routed yet. Ask again in a moment.")
	}
	return audit.Why{
		Hub:          &conversation.HubChoice{At: today(), Queue: events.HubQueue{ID: "q-1", Name: "General" + "\x07"}},
		EscalationID: escalationID(), Queue: events.Queue{ID: "refunds-nl"}, Rule: "refunds in Dutch", RuleSet: "sha256:9f86d081884c7d659a2feaa0c55ad015", Connection: "store-bot", Version: 7,
		DecidedAt: today(), Evaluator: "rules v1", TimeZones: "2025c",
		Sentence: `It went to Refunds (Dutch) (refunds-nl) because of rule "refunds in Dutch": yes: topic is Refund, language starts with nl.`,
		Lines:    []string{`rule "big refunds": no, because order_total is 380` + "\x07" + `, needs at least 500`, `rule "refunds in Dutch": yes: topic is Refund, language starts with nl`, `rule "bot kept failing": not asked, because an earlier rule had matched`},
	}, nil
}

func (f *fake) bindRest(a *httpapi.API) {
	d := listing.Delivery{
		ID: deliveryID(), Event: escalationID() + "@2", EventType: "handoff.escalation.routed.v1", Connection: "store-bot", Endpoint: "desk", Status: "parked", Attempts: 3,
		Code: "server-error", HTTPStatus: 503, UpdatedAt: today(),
	}
	a.Deliveries = func(context.Context, identity.Principal, listing.DeliveryQuery) ([]listing.Delivery, string, error) {
		return []listing.Delivery{d}, "", nil
	}
	a.Delivery = func(ctx context.Context, _ identity.Principal, _ string) (listing.Delivery, []events.Record, error) {
		var all []events.Record
		for r, err := range f.past.Ledger.Log().Read(ctx, streamID(3), 1) {
			if err != nil {
				return d, nil, err
			}
			all = append(all, r)
		}
		return d, all, nil
	}
	a.Resend = func(context.Context, identity.Principal, string) (listing.Delivery, error) { return d, nil }
	k := identity.APIKey{Principal: identity.Principal{ID: "mfrggzdf", Role: identity.Bot, Connection: "store-bot"}, Created: today()}
	a.Keys = func(context.Context, identity.Principal) ([]identity.APIKey, error) { return []identity.APIKey{k}, nil }
	a.IssueKey = func(_ context.Context, _ identity.Principal, n identity.NewKey) (identity.APIKey, string, error) {
		return identity.APIKey{Principal: identity.Principal{ID: "mfrggzdf", Role: n.Role, Connection: n.Connection, Name: n.Name}, Created: today()}, "hk_mfrggzdf_secret", nil
	}
	a.RevokeKey = func(context.Context, identity.Principal, string) error { return nil }
	a.History = func(ctx context.Context, by identity.Principal, id string, after int64) iter.Seq2[events.Record, error] {
		return f.past.History(ctx, by, id, after)
	}
	a.StateAt = f.past.StateAt
	a.Verify = func(ctx context.Context, by identity.Principal, against string) (httpapi.Verified, error) {
		return f.past.Verify(ctx, by, against, nil)
	}
}
