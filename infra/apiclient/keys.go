package apiclient

import (
	"context"
	"net/http"

	"handoff/infra/httpapi"
)

// Keys returns all keys, without their secrets.
func (c *Client) Keys(ctx context.Context) ([]httpapi.Key, error) {
	p, err := call[httpapi.Page[httpapi.Key]](ctx, c, get("/v1/keys"))
	return p.Items, err
}

// IssueKey makes a key, which is shown this once.
func (c *Client) IssueKey(ctx context.Context, k httpapi.NewKey) (httpapi.IssuedKey, error) {
	body := struct {
		httpapi.NewKey

		ValidFor string `json:"valid_for,omitempty"`
	}{NewKey: k}
	if k.ValidFor != 0 {
		body.ValidFor = k.ValidFor.String()
	}
	return call[httpapi.IssuedKey](ctx, c, post("/v1/keys", body))
}

// RevokeKey makes a key worthless.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodDelete, path: at("/v1/keys/%s", id)})
	return err
}
