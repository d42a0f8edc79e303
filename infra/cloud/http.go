package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/httpapi"
	"handoff/infra/keyring"
	"handoff/infra/lambdahttp"
	"handoff/infra/standardwebhooks"
	"handoff/infra/vault"
)

// What an answer with facts may have. As base64 it is smaller than what Lambda
// carries, and the time leaves some for what is under way when it is over.
const (
	factsBytes = 4_000_000
	factsTime  = 15 * time.Second
)

// OnHTTP answers an HTTP API of API Gateway, or the URL of a function.
func OnHTTP(h http.Handler) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var e lambdaevents.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(payload, &e); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		return json.Marshal(lambdahttp.Serve(ctx, h, e))
	}
}

// API serves operations over HTTP. Callers prove who they are with what is in
// keys. It is healthy if log can be read, which costs half a read unit.
//
// Links in answers begin with HANDOFF_PUBLIC_URL, or where that is not set with
// the address at which the request arrived.
func (c *Cloud) API(a httpapi.API, keys *keyring.Keyring, log eventlog.Log) http.Handler {
	a.Healthy = func(ctx context.Context) error {
		_, err := log.Load(ctx, events.StreamID{}) // of a stream that nobody has
		return err
	}
	secrets := vault.New(keys)
	return Traced(httpapi.New(a, httpapi.Config{
		Authenticate: keys.APIKeys().Authenticate,
		WebhookSecrets: func(ctx context.Context, tenant, connection string) ([]standardwebhooks.Secret, error) {
			return secrets.Secrets(ctx, tenant, connection, "")
		},
		Now: c.Now, Log: c.Log, MaxBody: c.Settings.MaxBody, PublicURL: c.Settings.PublicURL, URLOf: lambdahttp.BaseURL,
		FactsBytes: factsBytes, FactsTime: factsTime, Version: c.Version,
	}))
}
