package apiclient

import (
	"context"
	"net/http"
	"strings"

	"handoff/domain/conversation"
	"handoff/domain/listing"
	"handoff/infra/httpapi"
)

// RaiseRaw hands a conversation over with a body in the plain dialect, as it
// is. The key, if any, makes it the same request when it is sent again.
func (c *Client) RaiseRaw(ctx context.Context, connection string, body []byte, key string) (httpapi.Raised, error) {
	return call[httpapi.Raised](ctx, c, raw(at("/v1/connections/%s/escalations", connection), body, key))
}

// Activities is what became of Bot Framework activities: what was raised, or
// if there was nothing to raise how many were passed over.
type Activities struct {
	httpapi.RaisedSet
	httpapi.Ignored
}

// RaiseActivities hands over with Bot Framework activities, as they are.
func (c *Client) RaiseActivities(ctx context.Context, connection string, body []byte, key string) (Activities, error) {
	return call[Activities](ctx, c, raw(at("/v1/connections/%s/activities", connection), body, key))
}

func raw(path string, body []byte, key string) request {
	r := request{method: http.MethodPost, path: path, body: body, media: "application/json"}
	if key != "" {
		r.header = http.Header{"Idempotency-Key": {`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`}}
	}
	return r
}

// Escalation returns one escalation by its id or the beginning of it.
func (c *Client) Escalation(ctx context.Context, id string) (httpapi.EscalationDetail, error) {
	return call[httpapi.EscalationDetail](ctx, c, get(at("/v1/escalations/%s", id)))
}

// Escalations returns a page of escalations. Tenant and customer of the query
// do not count.
func (c *Client) Escalations(ctx context.Context, q listing.EscalationQuery) (httpapi.Page[listing.Escalation], error) {
	r := get("/v1/escalations").list(q.Page, "connection", q.Connection, "status", q.Status, "queue", q.Queue, "id", q.IDPrefix)
	return call[httpapi.Page[listing.Escalation]](ctx, c, r)
}

// Status returns where an escalation stands.
func (c *Client) Status(ctx context.Context, id string) (listing.Escalation, error) {
	return call[listing.Escalation](ctx, c, get(at("/v1/escalations/%s/status", id)))
}

// Report says what became of an escalation.
func (c *Client) Report(ctx context.Context, id string, status conversation.Status, code, message string) (listing.Escalation, error) {
	body := map[string]string{"state": string(status), "code": code, "message": message}
	return call[listing.Escalation](ctx, c, post(at("/v1/escalations/%s/status", id), body))
}

// Why returns why an escalation went where it went.
func (c *Client) Why(ctx context.Context, id string) (httpapi.Why, error) {
	return call[httpapi.Why](ctx, c, get(at("/v1/escalations/%s/why", id)))
}

// Context returns what the bot said of an escalation.
func (c *Client) Context(ctx context.Context, id string) (httpapi.EscalationContext, error) {
	return call[httpapi.EscalationContext](ctx, c, get(at("/v1/escalations/%s/context", id)))
}

// Erase erases one conversation, or all of one customer's.
func (c *Client) Erase(ctx context.Context, e httpapi.Erasure) (httpapi.Erased, error) {
	r := post("/v1/erasures", e)
	r.slow = true
	return call[httpapi.Erased](ctx, c, r)
}

// Deliveries returns a page of deliveries. The tenant of the query does not
// count.
func (c *Client) Deliveries(ctx context.Context, q listing.DeliveryQuery) (httpapi.Page[listing.Delivery], error) {
	r := get("/v1/deliveries").list(q.Page, "connection", q.Connection, "status", q.Status, "escalation", q.Escalation)
	return call[httpapi.Page[listing.Delivery]](ctx, c, r)
}

// Delivery returns one delivery with the facts about it.
func (c *Client) Delivery(ctx context.Context, id string) (httpapi.DeliveryDetail, error) {
	return call[httpapi.DeliveryDetail](ctx, c, get(at("/v1/deliveries/%s", id)))
}

// Resend sends a delivery once more.
func (c *Client) Resend(ctx context.Context, id string) (listing.Delivery, error) {
	return call[listing.Delivery](ctx, c, request{method: http.MethodPost, path: at("/v1/deliveries/%s/resend", id)})
}
