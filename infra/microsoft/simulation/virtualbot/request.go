package virtualbot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"time"

	"handoff/infra/microsoft/simulation/wire"
)

// Request is the node "Send HTTP request" with the error handling "Continue on
// error": a bot that gets no answer, or one that is an error, goes on without
// what it wanted to save (documented: Make HTTP requests).
type Request struct {
	URL string
	// Key is sent as Authorization: Bearer.
	Key string
	// Body is sent as JSON. A text "{Name}" in it stands for that variable.
	Body wire.Object
	// Save names variables by the member of the answer that they take.
	Save map[string]string
	// Status is the variable that takes the status of an answer that is an
	// error: the node's "status code variable". Without an answer it is 0.
	Status string
	// Timeout is how long the bot waits; 0 means 30 s, the node's default.
	Timeout time.Duration
}

const (
	requestTimeout = 30 * time.Second
	maxAnswer      = 1 << 20 // bytes that a bot reads
)

var reference = regexp.MustCompile(`^\{([A-Za-z_]\w*)\}$`)

// filled returns a value of a body with references replaced by what is known.
func filled(v any, known wire.Object) any {
	switch v := v.(type) {
	case string:
		if m := reference.FindStringSubmatch(v); m != nil {
			return known[m[1]]
		}
	case wire.Object:
		all := make(wire.Object, len(v))
		for name, member := range v {
			all[name] = filled(member, known)
		}
		return all
	}
	return v
}

// ask makes a request while the bot says nothing, and then does what follows.
func (c *conversation) ask(r Request) {
	c.busy = true
	body, ctx := filled(r.Body, c.known()), c.service.ctx
	c.service.wg.Go(func() {
		status, answer := r.send(ctx, body)
		c.service.mu.Lock()
		defer c.service.mu.Unlock()
		if status < http.StatusOK || status >= http.StatusMultipleChoices {
			answer = nil
			c.remember(r.Status, float64(status))
		}
		for member, variable := range r.Save {
			if v, ok := answer[member]; ok {
				c.remember(variable, v)
			}
		}
		c.goOn()
	})
}

func (c *conversation) remember(variable string, v any) {
	if variable != "" {
		c.variables[variable] = v
	}
}

// send returns status 0 where no answer came in time that is a JSON object.
func (r Request) send(ctx context.Context, body any) (status int, answer wire.Object) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.Timeout, requestTimeout))
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(raw))
	if err != nil {
		return 0, nil
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+r.Key)
	resp, err := http.DefaultClient.Do(q) //nolint:gosec // the address stands in the script of the fake bot
	if err != nil {
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return 0, nil
	}
	return resp.StatusCode, answer
}
