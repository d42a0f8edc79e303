// Package connector sends activities to a channel of the Bot Framework: it is
// the bot's voice in a conversation (Microsoft, "Bot Connector REST API
// reference"; the swagger botframework-channel.json; documented).
//
// It promises that our token goes only to a service URL whose host is on a
// list, that an id never leaves its place in a path, and that an activity over
// the hub's limit is refused before it is sent. Sending is at least once: the
// API has no key by which a channel would recognise a repeat, and an answer
// that was lost is asked for again, for a customer who gets a line twice is
// better off than one who never gets it. The ids that the channel gives are
// returned, so that a later look at the conversation recognises our own words.
package connector

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/rest"
)

// MaxMessage is how many bytes a message to Omnichannel may have, metadata and
// tags included (documented: 28 KB in every messaging channel). What is larger
// the hub drops.
const MaxMessage = 28 << 10

// maxHistory is for a whole transcript. No limit is documented; it keeps a
// mistake from becoming a flood.
const maxHistory = 4 << 20

// Hosts returns the hosts of service URLs to which a bot's token may go; one
// that begins with a dot means all below it. The first is documented for Teams;
// Omnichannel's conversations were seen at the second; the last is for bots at
// Direct Line and web chat (read from the SDK).
func Hosts() []string {
	return []string{"smba.trafficmanager.net", "botapi.skype.com", ".botframework.com"}
}

// Tokens is where a client has its bearer tokens from, for the scope
// https://api.botframework.com/.default.
type Tokens interface {
	// Token returns a token that is good for some minutes still.
	Token(ctx context.Context) (string, error)
	// Renew returns another token than the one that was rejected.
	Renew(ctx context.Context, rejected string) (string, error)
}

// Options are for making a client. HTTP, Tokens and Now are required.
type Options struct {
	HTTP   *http.Client
	Tokens Tokens
	Now    func() time.Time
	// Hosts may get our token; nil means Hosts.
	Hosts []string
	// MaxMessage is in bytes; 0 means the constant.
	MaxMessage int
	// Timeout is for a call with all its repeats; 0 means 30 s.
	Timeout time.Duration
}

// Client sends activities. It is safe for concurrent use.
type Client struct {
	o       Options
	service rest.Client
}

// New returns a client.
func New(o Options) *Client {
	if o.Hosts == nil {
		o.Hosts = Hosts()
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = MaxMessage
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return &Client{o: o, service: rest.Client{Service: "connector", Title: "The Bot Connector", HTTP: o.HTTP, Now: o.Now}}
}

// Conversation is where a bot speaks. It is a plain value that may be stored.
type Conversation struct {
	// ServiceURL must be the one of an authenticated activity: see package
	// botauth.
	ServiceURL string `json:"service_url"`
	ID         string `json:"id"`
}

// Send says something and returns the id that the channel gave it, which is
// empty where a channel gives none.
//
// Its faults are activity-too-large, conversation-id-invalid and
// service-url-refused before anything is sent; then those of package rest, with
// connector before them.
func (c *Client) Send(ctx context.Context, to Conversation, a activity.Activity) (id string, err error) {
	return c.write(ctx, to, http.MethodPost, "", a)
}

// Reply is Send in answer to an activity of that id.
func (c *Client) Reply(ctx context.Context, to Conversation, answered string, a activity.Activity) (id string, err error) {
	if err := checkID(answered); err != nil {
		return "", err
	}
	return c.write(ctx, to, http.MethodPost, "/"+url.PathEscape(answered), a.With("replyToId", answered))
}

// Update replaces an activity that was sent.
func (c *Client) Update(ctx context.Context, to Conversation, id string, a activity.Activity) error {
	if err := checkID(id); err != nil {
		return err
	}
	_, err := c.write(ctx, to, http.MethodPut, "/"+url.PathEscape(id), a.With("id", id))
	return err
}

// History adds what was said elsewhere to a conversation (POST …/history).
// Whether Omnichannel shows it is not verified.
func (c *Client) History(ctx context.Context, to Conversation, activities []activity.Activity) error {
	body := activity.Marshal(map[string]any{"activities": activities})
	if len(body) > maxHistory {
		return fault.Newf(fault.TooLarge, "activity-too-large", "The transcript has %d bytes and may have %d.", len(body), maxHistory)
	}
	_, err := c.call(ctx, to, http.MethodPost, "/history", body)
	return err
}

func (c *Client) write(ctx context.Context, to Conversation, method, path string, a activity.Activity) (id string, err error) {
	body := a.With("conversation", map[string]string{"id": to.ID}).JSON()
	if len(body) > c.o.MaxMessage {
		return "", fault.Newf(fault.TooLarge, "activity-too-large",
			"The message has %d bytes with everything that goes with it, and the hub takes %d. Shorten the text, or leave variables out.", len(body), c.o.MaxMessage)
	}
	answer, err := c.call(ctx, to, method, path, body)
	if err != nil || len(answer.Body) == 0 {
		return "", err
	}
	// A message that was taken is not sent again because its id can't be read.
	resource, err := activity.Parse(answer.Body)
	if err != nil {
		return "", nil //nolint:nilerr // the reason stands above
	}
	return resource.ID(), nil
}

// call makes a request for a conversation. A token that is refused is renewed
// once.
func (c *Client) call(ctx context.Context, to Conversation, method, path string, body []byte) (rest.Answer, error) {
	if err := checkID(to.ID); err != nil {
		return rest.Answer{}, err
	}
	base, err := rest.Trusted(to.ServiceURL, c.o.Hosts)
	if err != nil {
		return rest.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	token, err := c.o.Tokens.Token(ctx)
	if err != nil {
		return rest.Answer{}, fmt.Errorf("token for the Bot Connector: %w", err)
	}
	r := rest.Request{
		Method: method, URL: base + "/v3/conversations/" + url.PathEscape(to.ID) + "/activities" + path,
		Bearer: token, Body: body, Repeatable: true,
	}
	answer, err := c.service.Do(ctx, r)
	if refused := rest.RefusalOf(err); refused == nil || refused.Status != http.StatusUnauthorized {
		return answer, err
	}
	if r.Bearer, err = c.o.Tokens.Renew(ctx, token); err != nil {
		return rest.Answer{}, fmt.Errorf("another token for the Bot Connector: %w", err)
	}
	return c.service.Do(ctx, r)
}

// checkID refuses what would be another path. Everything else is escaped: ids
// contain ; | : and @.
func checkID(id string) error {
	if id == "" || id == "." || id == ".." {
		return fault.New(fault.Invalid, "conversation-id-invalid", "The id of a conversation or an activity can't be empty or consist of dots.")
	}
	return nil
}
