// Package livechat opens a chat in Omnichannel for Customer Service as the chat
// widget on a page does, and closes it again.
//
// The live chat service has no published reference. What is said here of its
// routes, bodies and headers was read from Microsoft's own open-source clients
// (microsoft/omnichannel-sdk, src/SDK.ts and src/Common; and
// microsoft/omnichannel-chat-sdk, src/OmnichannelChatSDK.ts); what those do not
// show is marked as an assumption. Nothing of it was compared with the real
// service.
//
// A chat is opened in two steps, a token and the start of the session, both
// under a request id that the client makes up and by which the session is known
// from then on. No message is sent here: messages do not go through this service
// but through Azure Communication Services, as their client, with that token.
package livechat

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/rest"
)

// Hosts returns the hosts that the service has (observed in embed codes).
func Hosts() []string { return []string{".omnichannelengagementhub.com"} }

// Widget is a chat widget, as its embed code names it.
type Widget struct {
	URL   string // data-org-url
	OrgID guid.ID
	AppID guid.ID
}

// Options are for making a client. HTTP and Now are required.
type Options struct {
	HTTP *http.Client
	Now  func() time.Time
	// Hosts are those that the service may have; nil means Hosts.
	Hosts []string
}

// Client opens chats. It is safe for concurrent use.
type Client struct {
	hosts   []string
	service rest.Client
}

// New returns a client.
func New(o Options) *Client {
	if o.Hosts == nil {
		o.Hosts = Hosts()
	}
	return &Client{hosts: o.Hosts, service: rest.Client{
		Service: "live-chat", Title: "The hub's live chat", HTTP: o.HTTP, Now: o.Now,
	}}
}

// Chat is an open chat. It is a plain value that anybody may go on with.
type Chat struct {
	Request guid.ID // by which the service knows the session
	// Session is the service's own name for it, sent back with every request;
	// empty where it gave none.
	Session string
	// Thread is where its messages are (ChatId).
	Thread string
}

// channel is the channel of the chat widget (ChannelId.LCW).
const channel = "lcw"

// sessionHeader carries Chat.Session, in answers and requests.
const sessionHeader = "Oc-Sessionid"

// Open opens a chat with context variables, as setContextProvider of the widget
// gives them: a value and whether human agents are shown it (documented; here
// they are not). The faults of a widget that nobody can open a chat with from
// outside are live-chat-sign-in-required and live-chat-outside-hours; the rest
// are those of package rest, with the prefix live-chat. When session init fails,
// the chat is perhaps open all the same: it is returned beside the error, to be
// closed.
func (c *Client) Open(ctx context.Context, w Widget, variables map[string]string) (Chat, error) {
	settings, err := c.config(ctx, w)
	if err != nil {
		return Chat{}, err
	}
	if settings.signIn() {
		return Chat{}, fault.New(fault.Unprocessable, "live-chat-sign-in-required",
			"This chat widget is for customers who have signed in, or keeps one chat for ever; nobody but a customer can open a chat there.")
	}
	id, err := uuid.NewRandomFromReader(rand.Reader)
	if err != nil {
		return Chat{}, fmt.Errorf("make a request id: %w", err)
	}
	chat := Chat{Request: guid.ID(id.String())}
	if err := c.token(ctx, w, settings.version(), &chat); err != nil {
		return Chat{}, err
	}
	return chat, c.begin(ctx, w, chat, variables)
}

// config is what is read of the widget's settings (getChatConfig). Whether their
// values are texts is not certain.
type config struct {
	LiveChatVersion            json.RawMessage
	LiveChatConfigAuthSettings json.RawMessage
	LiveWSAndLiveChatEngJoin   struct {
		Mode json.RawMessage `json:"msdyn_conversationmode"`
	}
}

// persistent is msdyn_conversationmode of chats that go on for ever; those need
// a customer who has signed in (documented: persistent chat).
const persistent = "192350001"

func (c config) signIn() bool {
	settings := string(c.LiveChatConfigAuthSettings)
	return settings != "" && settings != "null" || bare(c.LiveWSAndLiveChatEngJoin.Mode) == persistent
}

// version returns the version of chat tokens: 1 are those of a service before
// Azure Communication Services.
func (c config) version() int {
	if v, err := strconv.Atoi(bare(c.LiveChatVersion)); err == nil && v >= 1 && v <= 3 {
		return v
	}
	return 2 // the vendor's client's
}

// bare returns a value without the quotes of a text.
func bare(v json.RawMessage) string { return strings.Trim(string(v), `"`) }

func (c *Client) config(ctx context.Context, w Widget) (settings config, err error) {
	q := url.Values{"requestId": {uuid.NewString()}}
	_, err = c.call(ctx, w, call{method: http.MethodGet, path: "config", query: q}, &settings)
	return settings, err
}

// token gets a chat token; of its answer only the thread is of use here. The
// vendor's client asks up to ten times where the service has none yet, 10 s
// apart; a check may fail sooner.
func (c *Client) token(ctx context.Context, w Widget, version int, chat *Chat) error {
	path := [...]string{1: "getchattoken", 2: "v2/getchattoken", 3: "v3/getchattoken"}[version]
	var got struct{ ChatId string } //nolint:revive // as the service spells it
	header, err := c.call(ctx, w, call{method: http.MethodGet, path: path, request: chat.Request}, &got)
	if err != nil {
		return err
	}
	if got.ChatId == "" {
		return c.service.Fault(fault.Unavailable, "answer-invalid", "gave no token for a chat.")
	}
	chat.Thread, chat.Session = got.ChatId, header.Get(sessionHeader)
	return nil
}

// begin starts the session (sessionInit). From then on there is a conversation.
func (c *Client) begin(ctx context.Context, w Widget, chat Chat, variables map[string]string) error {
	data := make(map[string]any, len(variables))
	for name, v := range variables {
		data[name] = map[string]any{"value": v, "isDisplayable": false}
	}
	body, err := json.Marshal(map[string]any{
		"locale": "en-us", "chatId": chat.Thread, "isProactiveChat": false, "customContextData": data,
	})
	if err != nil {
		return fmt.Errorf("write the context of a chat: %w", err)
	}
	_, err = c.call(ctx, w, call{method: http.MethodPost, path: "sessioninit", request: chat.Request, session: chat.Session, body: body}, nil)
	return err
}

// Details is how the service has a conversation.
type Details struct {
	// State is Open, Active, Waiting, WrapUp or Closed (LiveWorkItemState);
	// empty: it knows none.
	State string
	// Conversation is taken for the id of the hub's record (assumption; the
	// vendor's client asks for surveys with it).
	Conversation guid.ID
}

// Details returns how the service has a chat (getLWIDetails).
func (c *Client) Details(ctx context.Context, w Widget, chat Chat) (Details, error) {
	var got struct{ State, ConversationId string } //nolint:revive // as the service spells it
	_, err := c.call(ctx, w, call{method: http.MethodGet, path: "getliveworkitemdetails", request: chat.Request, session: chat.Session}, &got)
	id, _ := guid.Parse(got.ConversationId)
	return Details{State: got.State, Conversation: id}, err
}

// Close ends a chat as a customer does (sessionClose). One that is over, or that
// never was, is no error.
func (c *Client) Close(ctx context.Context, w Widget, chat Chat) error {
	body, err := json.Marshal(map[string]string{"chatId": chat.Thread})
	if err != nil {
		return fmt.Errorf("write the end of a chat: %w", err)
	}
	_, err = c.call(ctx, w, call{method: http.MethodPost, path: "sessionclose", request: chat.Request, session: chat.Session, body: body}, nil)
	if fault.Is(err, "live-chat-not-found") {
		return nil
	}
	return err
}

// call is one request about a widget.
type call struct {
	method, path string
	request      guid.ID // of a chat, or none
	session      string
	query        url.Values
	body         []byte
}

// call makes a request and reads its answer, if there is one and something to
// read it into. The vendor's client makes each request again under the same
// request id, so that it does no harm.
func (c *Client) call(ctx context.Context, w Widget, r call, into any) (http.Header, error) {
	base, err := rest.Trusted(w.URL, c.hosts)
	if err != nil {
		return nil, err
	}
	parts := []string{"livechatconnector", r.path, string(w.OrgID), string(w.AppID)}
	if r.request != "" {
		parts = append(parts, string(r.request))
	}
	address, err := url.JoinPath(base, parts...)
	if err != nil {
		return nil, fmt.Errorf("address the live chat: %w", err)
	}
	q := url.Values{"channelId": {channel}}
	for name, values := range r.query {
		q[name] = slices.Clone(values)
	}
	header := http.Header{}
	if r.session != "" {
		header.Set(sessionHeader, r.session)
	}
	a, err := c.service.Do(ctx, rest.Request{Method: r.method, URL: address + "?" + q.Encode(), Header: header, Body: r.body, Repeatable: true})
	if err != nil {
		return nil, explain(err)
	}
	if into == nil || len(a.Body) == 0 {
		return a.Header, nil
	}
	if json.Unmarshal(a.Body, into) != nil { // without the cause, which may repeat a token
		return nil, c.service.Fault(fault.Unavailable, "answer-invalid", "answered with something that can't be read.")
	}
	return a.Header, nil
}

// The service's own codes of errors, which are in a header.
const (
	errorHeader  = "errorcode"
	noWidget     = "701"
	outsideHours = "705"
)

func explain(err error) error {
	refused := rest.RefusalOf(err)
	if refused == nil {
		return err
	}
	switch refused.Header.Get(errorHeader) {
	case outsideHours:
		return fault.New(fault.Conflict, "live-chat-outside-hours", "The chat widget is closed: it is outside of its operating hours. Check again when it is open.").Because(err)
	case noWidget:
		return fault.New(fault.NotFound, "live-chat-widget-not-found", "The hub has no such chat widget any more. Copy its embed code anew.").Because(err)
	}
	return err
}
