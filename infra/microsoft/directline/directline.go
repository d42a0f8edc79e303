// Package directline talks to a Power Virtual Agents (Copilot Studio) bot as
// its customers do: over Direct Line 3.0 (Microsoft, "Direct Line API 3.0"
// reference and the swagger directline-3.0.json; documented), with a token from
// the bot's own token endpoint.
//
// A conversation is a State, a plain value that survives a restart: who holds
// it can go on anywhere. Every method takes a State and returns the next one,
// also beside an error; whoever stores it last wins, so a conversation has one
// holder at a time. Direct Line hands activities over at least once; what is
// returned here comes once for as long as the State remembers its ids.
//
// Await polls within a bound, for a function that must end; Stream listens for
// as long as a machine runs.
package directline

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/rest"
)

// DefaultBase is Direct Line where no region is named (documented).
const DefaultBase = "https://directline.botframework.com"

// MaxActivity is how many characters an activity may have (documented: 256K).
const MaxActivity = 256 << 10

// Times of the protocol.
const (
	lifetime    = 30 * time.Minute // of a token that does not say it (documented: expires_in 1800)
	early       = 5 * time.Minute  // before its end a token is refreshed
	minInterval = time.Second      // between two looks (documented: clients not below a second)
)

// Hosts returns the hosts that Direct Line has, in all regions (documented:
// europe. and india. before the first; new ones may follow).
func Hosts() []string { return []string{"directline.botframework.com", ".directline.botframework.com"} }

// Options are for making a client. HTTP and Now are required.
type Options struct {
	HTTP *http.Client
	Now  func() time.Time
	// Hosts are those of Direct Line that get tokens; nil means Hosts.
	Hosts []string
	// TokenHosts are those that token endpoints may have; nil means TokenHosts.
	TokenHosts []string
	// Upgrader opens WebSockets for Stream; nil means HTTP's transport. It must
	// hand over the connection of a 101 answer as net/http's does.
	Upgrader http.RoundTripper
	// Interval is the time between two looks of Await, and at least a second.
	Interval time.Duration
}

// Client talks to bots. It is safe for concurrent use.
type Client struct {
	o       Options
	service rest.Client
}

// New returns a client.
func New(o Options) *Client {
	if o.Hosts == nil {
		o.Hosts = Hosts()
	}
	if o.TokenHosts == nil {
		o.TokenHosts = TokenHosts()
	}
	if o.Upgrader == nil {
		o.Upgrader = o.HTTP.Transport
	}
	o.Interval = max(o.Interval, minInterval)
	return &Client{o: o, service: rest.Client{Service: "direct-line", Title: "The bot's Direct Line", HTTP: o.HTTP, Now: o.Now}}
}

// granted is what tokens and conversations are answered with.
type granted struct {
	ConversationID string
	Token          string
	ExpiresIn      int64 `json:"expires_in"`
	StreamURL      string
}

// expires returns the end of the token. A lifetime of more than a day is taken
// for a mistake.
func (g granted) expires(now time.Time) time.Time {
	if g.ExpiresIn <= 0 || g.ExpiresIn > 24*3600 {
		return now.Add(lifetime)
	}
	return now.Add(time.Duration(g.ExpiresIn) * time.Second)
}

// call makes a request and reads its answer, if there is something to read it
// into.
func (c *Client) call(ctx context.Context, r rest.Request, into any) error {
	a, err := c.service.Do(ctx, r)
	if err != nil {
		return explain(err)
	}
	if into == nil || len(a.Body) == 0 {
		return nil
	}
	if json.Unmarshal(a.Body, into) != nil { // without the cause, which may repeat a token
		return c.service.Fault(fault.Unavailable, "answer-invalid", "answered with something that can't be read.")
	}
	return nil
}

// begin starts the conversation of a token.
func (c *Client) begin(ctx context.Context, base, token, userID string) (State, error) {
	var g granted
	now := c.o.Now()
	err := c.call(ctx, rest.Request{Method: http.MethodPost, URL: base + "/v3/directline/conversations", Bearer: token, Body: []byte("{}"), Repeatable: true}, &g)
	if err != nil {
		return State{}, err
	}
	if g.ConversationID == "" {
		return State{}, c.service.Fault(fault.Unavailable, "answer-invalid", "began a conversation without an id.")
	}
	if g.Token == "" {
		g.Token = token
	}
	return State{Base: base, ConversationID: g.ConversationID, Token: g.Token, Expires: g.expires(now), UserID: userID}, nil
}

// Refresh returns the state with another token. One that has expired can't be
// refreshed: that is direct-line-token-expired, and the conversation is lost.
func (c *Client) Refresh(ctx context.Context, s State) (State, error) {
	base, err := rest.Trusted(s.Base, c.o.Hosts)
	if err != nil {
		return s, err
	}
	var g granted
	now := c.o.Now()
	err = c.call(ctx, rest.Request{Method: http.MethodPost, URL: base + "/v3/directline/tokens/refresh", Bearer: s.Token, Repeatable: true}, &g)
	switch {
	case err != nil:
		return s, err
	case g.Token == "":
		return s, c.service.Fault(fault.Unavailable, "answer-invalid", "refreshed a token and gave none.")
	}
	s.Token, s.Expires = g.Token, g.expires(now)
	return s, nil
}

// fresh refreshes a token that ends soon.
func (c *Client) fresh(ctx context.Context, s State) (State, error) {
	if c.o.Now().Before(s.Expires.Add(-early)) {
		return s, nil
	}
	return c.Refresh(ctx, s)
}

// Post says something as the customer and returns the id that it gets. An
// activity without a sender gets the state's user.
//
// A fault bot-failed (502) means that the bot was asked and failed: it may have
// acted, so nothing is posted again here. direct-line-rate-limited says when to
// come back.
func (c *Client) Post(ctx context.Context, s State, a activity.Activity) (next State, id string, err error) {
	if a.From() == "" {
		a = a.With("from", map[string]string{"id": s.UserID})
	}
	body := a.JSON()
	if n := utf8.RuneCount(body); n > MaxActivity {
		return s, "", fault.Newf(fault.TooLarge, "activity-too-large", "The activity has %d characters, and Direct Line takes %d.", n, MaxActivity)
	}
	if s, err = c.fresh(ctx, s); err != nil {
		return s, "", err
	}
	address, err := c.conversation(s, "/activities", "")
	if err != nil {
		return s, "", err
	}
	var posted struct{ ID string }
	err = c.call(ctx, rest.Request{Method: http.MethodPost, URL: address, Bearer: s.Token, Body: body}, &posted)
	return s, posted.ID, err
}

// conversation returns an address below the conversation, with a watermark if
// there is one.
func (c *Client) conversation(s State, path, watermark string) (string, error) {
	base, err := rest.Trusted(s.Base, c.o.Hosts)
	if err != nil {
		return "", err
	}
	if s.ConversationID == "" || s.ConversationID == "." || s.ConversationID == ".." {
		return "", fault.New(fault.Invalid, "conversation-id-invalid", "The id of a conversation can't be empty or consist of dots.")
	}
	address := base + "/v3/directline/conversations/" + url.PathEscape(s.ConversationID) + path
	if watermark != "" {
		address += "?" + url.Values{"watermark": {watermark}}.Encode()
	}
	return address, nil
}

// explain gives what Direct Line and the bot say names of their own.
func explain(err error) error {
	r := rest.RefusalOf(err)
	switch {
	case r == nil:
		return err
	case r.Code == "TokenExpired":
		return fault.New(fault.Gone, "direct-line-token-expired",
			"The conversation with the bot can't be gone on with: its token has expired. Begin another one.").Because(r)
	case r.Code == "LatestPublishedVersionNotFound":
		return fault.New(fault.Unprocessable, "bot-not-published", "The bot was never published. Publish it, and try again.").Because(r)
	case r.Status == http.StatusBadGateway:
		return fault.New(fault.Unavailable, "bot-failed", "The bot was asked and failed, or refused what was said.").Because(r)
	case r.Status == http.StatusForbidden:
		return fault.New(fault.Unprocessable, "direct-line-forbidden",
			"Direct Line does not permit this with the bot's token. Does the token belong to another region?").Because(r)
	}
	return err
}
