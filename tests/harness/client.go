package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"handoff/domain/audit"
	"handoff/domain/connection"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/clientfile"
	"handoff/infra/httpapi"
)

// Client calls a site with one key. It is safe for concurrent use.
type Client struct {
	URL  string
	Key  string
	HTTP *http.Client // nil: http.DefaultClient
}

// Admin returns a client with the administrator's key. On the first start the
// key is there a moment after the program answers.
func (s *Site) Admin(ctx context.Context) (Client, error) {
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	var known clientfile.Client
	err := Poll(ctx, func() (ok bool, err error) {
		known, err = clientfile.Read(clientfile.Path(s.KeyFile))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return Client{}, fmt.Errorf("find the administrator's key: %w", err)
	}
	return Client{URL: s.URL, Key: known.APIKey}, nil
}

// Do sends a request and returns the status and the body of the answer.
func (c Client) Do(ctx context.Context, method, path string, header http.Header, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.client().Do(req)
	if err != nil {
		return 0, nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, answer, err
}

func (c Client) client() *http.Client {
	if c.HTTP == nil {
		return http.DefaultClient
	}
	return c.HTTP
}

// Call sends in as JSON, if it is not nil, and reads the answer into out.
func (c Client) Call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	status, answer, err := c.Do(ctx, method, path, nil, body)
	if err == nil && status >= http.StatusMultipleChoices {
		err = fmt.Errorf("answered %d: %s", status, answer)
	}
	if err == nil {
		err = json.Unmarshal(answer, out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// Connect makes a connection of the generic kind and waits until it is ready.
func (c Client) Connect(ctx context.Context, name string, endpoints ...connection.EndpointPlan) (connection.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	plan := connection.Plan{
		Name: name, Bot: events.Bot{ID: name, Name: "Bot of the test"},
		Hub:       events.Hub{Type: "generic", Organisation: "test", ApplicationID: name},
		Notice:    connection.NoticePlan{AcceptedBy: "test", TextVersion: "1"},
		Endpoints: endpoints,
	}
	var made connection.Connected
	if err := c.Call(ctx, http.MethodPost, "/v1/connections", plan, &made); err != nil {
		return connection.Credentials{}, err
	}
	if made.Credentials == nil {
		return connection.Credentials{}, fmt.Errorf("connect %s: there are no credentials in the answer", name)
	}
	state := made.State
	err := Poll(ctx, func() (bool, error) {
		err := c.Call(ctx, http.MethodGet, "/v1/connections/"+name, nil, &state)
		if f := state.Failure; err == nil && f != nil && f.Permanent {
			err = fmt.Errorf("step %s: %s: %s", f.Step, f.Code, f.Detail)
		}
		return state.Status == connection.Ready, err
	})
	if err != nil {
		return connection.Credentials{}, fmt.Errorf("connect %s, which is %s: %w", name, state.Status, err)
	}
	return *made.Credentials, nil
}

// Facts yields all facts after a position as they are stored, those of all pages.
func (c Client) Facts(ctx context.Context, after int64) iter.Seq2[httpapi.StoredFact, error] {
	return func(yield func(httpapi.StoredFact, error) bool) {
		for path := fmt.Sprintf("/v1/facts?after=%d", after); path != ""; {
			resp, err := c.get(ctx, path)
			if err != nil {
				yield(httpapi.StoredFact{}, fmt.Errorf("read facts: %w", err))
				return
			}
			path = Next(resp.Header)
			more := factsIn(resp.Body, yield)
			_ = resp.Body.Close()
			if !more {
				return
			}
		}
	}
}

func (c Client) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	return c.client().Do(req)
}

// Next returns path and query of the page that an answer says comes next (RFC
// 8288), empty if it says of none.
func Next(header http.Header) string {
	for _, link := range header.Values("Link") {
		target, rel, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if u, err := url.Parse(target); err == nil && strings.Contains(rel, `rel="next"`) {
			return u.RequestURI()
		}
	}
	return ""
}

// factsIn yields the facts of one page and reports whether there may be more.
func factsIn(body io.Reader, yield func(httpapi.StoredFact, error) bool) bool {
	lines := json.NewDecoder(bufio.NewReaderSize(body, 1<<16))
	for {
		var line struct {
			httpapi.StoredFact

			Error *httpapi.Problem `json:"error"`
			Code  string           `json:"code"` // of a problem in place of facts
		}
		err := lines.Decode(&line)
		if err == io.EOF { //nolint:errorlint // json.Decoder returns it bare
			return true
		}
		if err == nil && (line.Error != nil || line.Code != "") {
			err = fmt.Errorf("the answer is a problem: %s %+v", line.Code, line.Error)
		}
		if err != nil {
			err = fmt.Errorf("read facts: %w", err)
		}
		if !yield(line.StoredFact, err) || err != nil {
			return false
		}
	}
}

// Verify has the log verified.
func (c Client) Verify(ctx context.Context) (v audit.Verified, err error) {
	err = c.Call(ctx, http.MethodGet, "/v1/verify", nil, &v)
	return v, err
}

// Settled waits until no delivery is pending.
func (c Client) Settled(ctx context.Context) error {
	err := Poll(ctx, func() (bool, error) {
		var page httpapi.Page[listing.Delivery]
		err := c.Call(ctx, http.MethodGet, "/v1/deliveries?status=pending&limit=1", nil, &page)
		return len(page.Items) == 0, err
	})
	if err != nil {
		return fmt.Errorf("wait for deliveries: %w", err)
	}
	return nil
}

// Poll asks again and again, until the answer is yes.
func Poll(ctx context.Context, ask func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
