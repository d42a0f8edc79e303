package apiclient

import (
	"context"
	"net/http"
	"strings"

	"handoff/domain/check"
	"handoff/domain/connection"
	"handoff/domain/listing"
	"handoff/infra/httpapi"
)

// Connect asks for a connection. Credentials in the answer are shown this once.
func (c *Client) Connect(ctx context.Context, p connection.Plan) (connection.Connected, error) {
	return call[connection.Connected](ctx, c, post("/v1/connections", p))
}

// Connection returns one connection.
func (c *Client) Connection(ctx context.Context, id string) (connection.State, error) {
	return call[connection.State](ctx, c, get(at("/v1/connections/%s", id)))
}

// Check looks at a connection's hub and bot as they are now.
func (c *Client) Check(ctx context.Context, id string) (connection.Checked, error) {
	return call[connection.Checked](ctx, c, request{method: http.MethodPost, path: at("/v1/connections/%s/check", id)})
}

// BeginCheck opens a chat in a connection's hub as if a customer had.
func (c *Client) BeginCheck(ctx context.Context, id string, p check.Plan) (check.Begun, error) {
	return call[check.Begun](ctx, c, post(at("/v1/connections/%s/checks", id), p))
}

// LookCheck returns how the hub has the chat of a check.
func (c *Client) LookCheck(ctx context.Context, id, chat string) (check.Seen, error) {
	return call[check.Seen](ctx, c, get(at("/v1/connections/%s/checks/%s", id, chat)))
}

// EndCheck closes the chat of a check.
func (c *Client) EndCheck(ctx context.Context, id, chat string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: at("/v1/connections/%s/checks/%s", id, chat)})
	return err
}

// RotateApplicationSecret renews the secret of a connection's application id.
func (c *Client) RotateApplicationSecret(ctx context.Context, id string) (connection.State, error) {
	return call[connection.State](ctx, c, request{method: http.MethodPost, path: at("/v1/connections/%s/application-secret", id)})
}

// Connections returns a page of connections. Of the query the page counts.
func (c *Client) Connections(ctx context.Context, q listing.ConnectionQuery) (httpapi.Page[listing.Connection], error) {
	return call[httpapi.Page[listing.Connection]](ctx, c, get("/v1/connections").list(q.Page))
}

// Disconnect ends a connection.
func (c *Client) Disconnect(ctx context.Context, id string, p connection.DisconnectPlan) (connection.State, error) {
	body := struct {
		connection.DisconnectPlan

		DrainFor string `json:"drain_for,omitempty"`
	}{DisconnectPlan: p}
	if p.DrainFor != 0 {
		body.DrainFor = p.DrainFor.String()
	}
	return call[connection.State](ctx, c, post(at("/v1/connections/%s/disconnect", id), body))
}

// SetEndpoint adds an endpoint or changes one. The secret of a new one is shown
// this once.
func (c *Client) SetEndpoint(ctx context.Context, id string, p connection.EndpointPlan) (httpapi.EndpointSet, error) {
	return call[httpapi.EndpointSet](ctx, c, with(http.MethodPut, at("/v1/connections/%s/endpoints/%s", id, p.ID), p))
}

// RemoveEndpoint ends deliveries to an endpoint.
func (c *Client) RemoveEndpoint(ctx context.Context, id, endpoint string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: at("/v1/connections/%s/endpoints/%s", id, endpoint)})
	return err
}

// RotateSecret makes a new secret for an endpoint, or with an empty one for the
// bot's webhooks.
func (c *Client) RotateSecret(ctx context.Context, id, endpoint string) (string, error) {
	path := at("/v1/connections/%s/webhook-secret", id)
	if endpoint != "" {
		path = at("/v1/connections/%s/endpoints/%s/secret", id, endpoint)
	}
	s, err := call[httpapi.Secret](ctx, c, request{method: http.MethodPost, path: path})
	return s.Secret, err
}

// Rules returns the source of the rules in force and their hash.
func (c *Client) Rules(ctx context.Context, id string) (source []byte, hash string, err error) {
	body, header, err := c.whole(ctx, get(at("/v1/connections/%s/rules", id)))
	return body, strings.Trim(header.Get("ETag"), `"`), err
}

// AdoptRules puts rules into force, if those in force still have the hash
// ifMatch; an empty one is any.
func (c *Client) AdoptRules(ctx context.Context, id string, source []byte, ifMatch string) (hash string, err error) {
	r := request{method: http.MethodPut, path: at("/v1/connections/%s/rules", id), body: source, media: mediaRules}
	if ifMatch != "" {
		r.header = http.Header{"If-Match": {`"` + ifMatch + `"`}}
	}
	set, err := call[httpapi.RuleSet](ctx, c, r)
	return set.RuleSet, err
}

// CheckRules checks rules and returns their hash.
func (c *Client) CheckRules(ctx context.Context, source []byte) (hash string, err error) {
	set, err := call[httpapi.RuleSet](ctx, c, request{method: http.MethodPost, path: "/v1/rules/check", body: source, media: mediaRules})
	return set.RuleSet, err
}

const mediaRules = "application/yaml"
