package apiclient_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"handoff/domain/check"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/apiclient"
	"handoff/infra/httpapi"
)

const key = "hk_of-the-administrator"

// connect returns a client of a real server with these operations.
func connect(t *testing.T, api httpapi.API) *apiclient.Client {
	t.Helper()
	return open(t, httpapi.New(api, httpapi.Config{
		Now: time.Now, Version: "v1.2.3",
		Authenticate: func(_ context.Context, token string) (identity.Principal, error) {
			if token != key {
				return identity.Principal{}, fault.New(fault.Unauthenticated, "key-invalid", "The key is not valid.")
			}
			return identity.Principal{ID: "k-1", Tenant: "default", Role: identity.Admin}, nil
		},
	}))
}

func open(t *testing.T, h http.Handler) *apiclient.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := apiclient.New(srv.URL+"/", key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// same demands that what was got is what is wanted.
func same(t *testing.T, what string, got, want any, err error) {
	t.Helper()
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s = %+v (%v), want %+v", what, got, err, want)
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	state := connection.State{ID: "store-bot", Version: 3, Status: connection.Ready}
	plan := connection.Plan{
		Name: "store-bot", Hub: events.Hub{Type: "generic", Organisation: "store"}, Endpoints: []connection.EndpointPlan{{ID: "desk", URL: "https://a.example"}},
		ClientSecret: "a secret that has to arrive", // though it is printed as a word
	}
	seen := connection.Checked{Connection: state, Seen: []events.Finding{{Code: "a", Detail: "Do it.", Blocking: true}}}
	checking, begun := check.Plan{Say: "help", Queue: "test", ToPeople: true}, check.Begun{ID: "chk_1", Chat: "chat", After: 17}
	leave := connection.DisconnectPlan{Reason: "closed", DrainFor: 90 * time.Minute}
	c := connect(t, httpapi.API{
		Connect: func(_ context.Context, _ identity.Principal, p connection.Plan) (connection.Connected, error) {
			same(t, "plan", p, plan, nil)
			return connection.Connected{State: state, Credentials: &connection.Credentials{BotKey: "hk_b"}}, nil
		},
		Connection: func(_ context.Context, _ identity.Principal, id string) (connection.State, error) {
			same(t, "id", id, "store-bot", nil)
			return state, nil
		},
		Connections: func(_ context.Context, _ identity.Principal, q listing.ConnectionQuery) ([]listing.Connection, string, error) {
			same(t, "page", q.Page, listing.Page{Cursor: "a b", Limit: 7}, nil)
			return []listing.Connection{{ID: "store-bot"}}, "more", nil
		},
		Disconnect: func(_ context.Context, _ identity.Principal, _ string, p connection.DisconnectPlan) (connection.State, error) {
			same(t, "plan", p, leave, nil)
			return state, nil
		},
		CheckConnection: func(_ context.Context, _ identity.Principal, id string) (connection.Checked, error) {
			same(t, "id", id, "store-bot", nil)
			return seen, nil
		},
		BeginCheck: func(_ context.Context, _ identity.Principal, id string, p check.Plan) (check.Begun, error) {
			same(t, "plan of "+id, p, checking, nil)
			return begun, nil
		},
		LookCheck: func(_ context.Context, _ identity.Principal, id, chat string) (check.Seen, error) {
			return check.Seen{Record: id + " " + chat}, nil
		},
		EndCheck: func(_ context.Context, _ identity.Principal, id, chat string) error {
			same(t, "chat", id+" "+chat, "store-bot a/b", nil)
			return nil
		},
	})
	done, err := c.Connect(ctx, plan)
	same(t, "connected", done, connection.Connected{State: state, Credentials: &connection.Credentials{BotKey: "hk_b"}}, err)
	got, err := c.Connection(ctx, "store-bot")
	same(t, "connection", got, state, err)
	page, err := c.Connections(ctx, listing.ConnectionQuery{Page: listing.Page{Cursor: "a b", Limit: 7}})
	same(t, "connections", page, httpapi.Page[listing.Connection]{Items: []listing.Connection{{ID: "store-bot"}}, Next: "more"}, err)
	got, err = c.Disconnect(ctx, "store-bot", leave)
	same(t, "disconnected", got, state, err)
	checked, err := c.Check(ctx, "store-bot")
	same(t, "checked", checked, seen, err)
	began, err := c.BeginCheck(ctx, "store-bot", checking)
	same(t, "begun", began, begun, err)
	looked, err := c.LookCheck(ctx, "store-bot", "chat")
	same(t, "looked", looked.Record, "store-bot chat", err)
	same(t, "ended", struct{}{}, struct{}{}, c.EndCheck(ctx, "store-bot", "a/b"))
}

func TestEndpointsAndRules(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := connect(t, httpapi.API{
		SetEndpoint: func(_ context.Context, _ identity.Principal, _ string, p connection.EndpointPlan) (connection.Endpoint, string, error) {
			return connection.Endpoint{ID: p.ID, URL: p.URL, Mode: p.Mode}, "whsec_1", nil
		},
		RemoveEndpoint: func(_ context.Context, _ identity.Principal, id, endpoint string) error {
			same(t, "removed", id+"/"+endpoint, "store-bot/desk", nil)
			return nil
		},
		RotateSecret: func(_ context.Context, _ identity.Principal, id, endpoint string) (string, error) {
			return "whsec_" + endpoint, nil
		},
		Rules: func(context.Context, identity.Principal, string) ([]byte, string, error) {
			return []byte("version: 1\n"), "sha256:9f", nil
		},
		AdoptRules: func(_ context.Context, _ identity.Principal, _ string, source []byte, match string) (string, error) {
			return "sha256:" + string(source) + match, nil
		},
		CheckRules: func(_ context.Context, source []byte) (string, error) { return "sha256:" + string(source), nil },
	})
	e, err := c.SetEndpoint(ctx, "store-bot", connection.EndpointPlan{ID: "desk", URL: "https://a.example", Mode: "full"})
	same(t, "endpoint", e, httpapi.EndpointSet{Endpoint: connection.Endpoint{ID: "desk", URL: "https://a.example", Mode: "full"}, Secret: "whsec_1"}, err)
	same(t, "removal", c.RemoveEndpoint(ctx, "store-bot", "desk"), error(nil), nil)
	for endpoint, want := range map[string]string{"desk": "whsec_desk", "": "whsec_"} {
		got, err := c.RotateSecret(ctx, "store-bot", endpoint)
		same(t, "secret", got, want, err)
	}
	source, hash, err := c.Rules(ctx, "store-bot")
	same(t, "rules", string(source)+hash, "version: 1\nsha256:9f", err)
	hash, err = c.AdoptRules(ctx, "store-bot", []byte("a"), "sha256:9f")
	same(t, "adopted", hash, "sha256:asha256:9f", err)
	hash, err = c.AdoptRules(ctx, "store-bot", []byte("a"), "")
	same(t, "adopted", hash, "sha256:a", err)
	hash, err = c.CheckRules(ctx, []byte("b"))
	same(t, "checked", hash, "sha256:b", err)
}

func TestRaising(t *testing.T) {
	t.Parallel()
	var got []httpapi.Request
	c := connect(t, httpapi.API{Raise: func(_ context.Context, _ identity.Principal, _ string, h intake.HandOff, r httpapi.Request) (conversation.Answer, error) {
		got = append(got, r)
		return conversation.Answer{EscalationID: "esc_1", Status: conversation.Routed, Queue: h.Context.ConversationID}, nil
	}})
	raised := httpapi.Raised{
		Answer:    conversation.Answer{EscalationID: "esc_1", Status: conversation.Routed, Queue: "a"},
		StatusURL: "/v1/escalations/esc_1/status", WhyURL: "/v1/escalations/esc_1/why",
	}
	one, err := c.RaiseRaw(t.Context(), "store-bot", []byte(`{"conversation_id":"a"}`), `k "\`)
	same(t, "raised", one, raised, err)
	set, err := c.RaiseActivities(t.Context(), "store-bot", []byte(`{"type":"event","name":"handoff.initiate","conversation":{"id":"a"}}`), "")
	same(t, "raised", set.Escalations, []httpapi.Raised{raised}, err)
	set, err = c.RaiseActivities(t.Context(), "store-bot", []byte(`{"type":"message"}`), "")
	same(t, "ignored", set.Ignored.Ignored, 1, err)
	same(t, "requests", got, []httpapi.Request{{Key: `k "\`, Strict: true}, {}}, nil)
}

func TestEscalations(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	row := listing.Escalation{ID: "esc_1", Status: "routed"}
	c := connect(t, httpapi.API{
		Escalation: func(context.Context, identity.Principal, string) (listing.Escalation, []conversation.Entry, error) {
			return row, []conversation.Entry{{Version: 1}}, nil
		},
		Escalations: func(_ context.Context, _ identity.Principal, q listing.EscalationQuery) ([]listing.Escalation, string, error) {
			same(t, "query", q, listing.EscalationQuery{Tenant: "default", Connection: "store-bot", Status: "open", Queue: "q", IDPrefix: "esc_"}, nil)
			return []listing.Escalation{row}, "", nil
		},
		Report: func(_ context.Context, _ identity.Principal, id string, s conversation.Status, code, message string) (listing.Escalation, error) {
			same(t, "report", id+string(s)+code+message, "esc_1completedsolvedbye", nil)
			return row, nil
		},
		Why: func(context.Context, identity.Principal, string) (httpapi.Why, error) {
			return httpapi.Why{Sentence: "so", Lines: []string{"a"}}, nil
		},
		Context: func(context.Context, identity.Principal, string) (conversation.View, error) {
			return conversation.View{Context: &events.Context{ConversationID: "Kx81c"}}, nil
		},
		Erase: func(_ context.Context, _ identity.Principal, e httpapi.Erasure) (httpapi.Erased, error) {
			same(t, "erasure", e, httpapi.Erasure{CustomerEmail: "r@mail.example", Reason: "asked"}, nil)
			return httpapi.Erased{Conversations: 1, Facts: 2}, nil
		},
	})
	e, err := c.Escalation(ctx, "esc_1")
	same(t, "escalation", e, httpapi.EscalationDetail{Escalation: row, Timeline: []conversation.Entry{{Version: 1}}}, err)
	page, err := c.Escalations(ctx, listing.EscalationQuery{Connection: "store-bot", Status: "open", Queue: "q", IDPrefix: "esc_"})
	same(t, "escalations", page.Items, []listing.Escalation{row}, err)
	got, err := c.Status(ctx, "esc_1")
	same(t, "status", got, row, err)
	got, err = c.Report(ctx, "esc_1", conversation.Completed, "solved", "bye")
	same(t, "report", got, row, err)
	why, err := c.Why(ctx, "esc_1")
	same(t, "why", why.Sentence, "so", err)
	view, err := c.Context(ctx, "esc_1")
	same(t, "context", view.ConversationID, "Kx81c", err)
	gone, err := c.Erase(ctx, httpapi.Erasure{CustomerEmail: "r@mail.example", Reason: "asked"})
	same(t, "erased", gone, httpapi.Erased{Conversations: 1, Facts: 2}, err)
}

func TestDeliveriesKeysAndServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := listing.Delivery{ID: "d-1", Status: "parked"}
	k := identity.APIKey{Principal: identity.Principal{ID: "k-2", Role: identity.Hub}}
	c := connect(t, httpapi.API{
		Healthy: func(context.Context) error { return nil },
		Deliveries: func(_ context.Context, _ identity.Principal, q listing.DeliveryQuery) ([]listing.Delivery, string, error) {
			same(t, "query", q, listing.DeliveryQuery{Tenant: "default", Connection: "c", Status: "parked", Escalation: "esc_1"}, nil)
			return []listing.Delivery{d}, "", nil
		},
		Delivery: func(context.Context, identity.Principal, string) (listing.Delivery, []events.Record, error) {
			return d, nil, nil
		},
		Resend: func(context.Context, identity.Principal, string) (listing.Delivery, error) { return d, nil },
		Keys:   func(context.Context, identity.Principal) ([]identity.APIKey, error) { return []identity.APIKey{k}, nil },
		IssueKey: func(_ context.Context, _ identity.Principal, n identity.NewKey) (identity.APIKey, string, error) {
			same(t, "span", time.Until(n.Expires).Round(time.Minute), time.Hour, nil)
			n.Expires = time.Time{}
			same(t, "new key", n, identity.NewKey{Tenant: "default", Role: identity.Hub, Connection: "c", Name: "Desk"}, nil)
			return k, "hk_new", nil
		},
		RevokeKey: func(context.Context, identity.Principal, string) error { return nil },
	})
	page, err := c.Deliveries(ctx, listing.DeliveryQuery{Connection: "c", Status: "parked", Escalation: "esc_1"})
	same(t, "deliveries", page.Items, []listing.Delivery{d}, err)
	one, err := c.Delivery(ctx, "d-1")
	same(t, "delivery", one, httpapi.DeliveryDetail{Delivery: d, Facts: []httpapi.StoredFact{}}, err)
	again, err := c.Resend(ctx, "d-1")
	same(t, "resent", again, d, err)
	keys, err := c.Keys(ctx)
	same(t, "keys", keys, []httpapi.Key{{ID: "k-2", Role: "hub"}}, err)
	issued, err := c.IssueKey(ctx, httpapi.NewKey{Role: "hub", Connection: "c", Name: "Desk", ValidFor: time.Hour})
	same(t, "issued", issued, httpapi.IssuedKey{Key: keys[0], Token: "hk_new"}, err)
	same(t, "revoked", c.RevokeKey(ctx, "k-2"), error(nil), nil)
	same(t, "healthy", c.Healthy(ctx), error(nil), nil)
	version, err := c.Version(ctx)
	same(t, "version", version, "v1.2.3", err)
	me, err := c.WhoAmI(ctx)
	same(t, "caller", me, httpapi.Caller{ID: "k-1", Tenant: "default", Role: identity.Admin}, err)
}
