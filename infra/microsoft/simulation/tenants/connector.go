package tenants

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"handoff/infra/microsoft/simulation/signing"
	"handoff/infra/microsoft/simulation/wire"
)

// Endpoint is where a bot takes activities, and the application that it runs as.
type Endpoint struct{ Application, URL string }

// Post sends an activity to a bot as the Bot Connector does, with a token for
// the bot and for the service URL of the activity, wrong in the given way. It
// returns the status that the bot answers with.
func (d *Directory) Post(ctx context.Context, client *http.Client, to Endpoint, a wire.Object, f signing.Forgery) (int, error) {
	now := d.Clock.Now()
	header, err := d.bots.Header(f, signing.Claims{
		"iss": BotFramework, "aud": to.Application, "serviceurl": a["serviceUrl"],
		"nbf": now.Add(-time.Minute).Unix(), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}, now)
	if err != nil {
		return 0, fmt.Errorf("sign: %w", err)
	}
	body, err := json.Marshal(a)
	if err != nil {
		return 0, fmt.Errorf("write the activity: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("address the bot: %w", err)
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("ask the bot: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, wire.MaxBody))
	return answer.StatusCode, nil
}
