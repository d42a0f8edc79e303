package hub

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// attachment is a file that a bot left.
type attachment struct {
	name, kind string
	body       []byte
}

// Region is the first part of the Connector's paths: service URLs have one.
const Region = "/emea"

// Connector returns the host that bots answer to.
func (h *Hub) Connector() http.Handler {
	const conversation = Region + "/v3/conversations/{cid}"
	return wire.Routes{
		"POST " + Region + "/v3/conversations":                h.create,
		"POST " + conversation + "/activities":                h.within(send(http.StatusCreated)),
		"POST " + conversation + "/activities/{aid}":          h.within(send(http.StatusOK)),
		"PUT " + conversation + "/activities/{aid}":           h.within(update),
		"DELETE " + conversation + "/activities/{aid}":        h.within(remove),
		"POST " + conversation + "/activities/history":        h.within(history),
		"GET " + conversation + "/members":                    h.within(members),
		"GET " + conversation + "/members/{mid}":              h.within(member),
		"GET " + conversation + "/pagedmembers":               h.within(pagedMembers),
		"GET " + conversation + "/activities/{aid}/members":   h.within(members),
		"POST " + conversation + "/attachments":               h.within(attach),
		"GET " + Region + "/v3/attachments/{id}":              h.attachmentInfo,
		"GET " + Region + "/v3/attachments/{id}/views/{view}": h.attachmentView,
	}.Handler(Shape)
}

// ask is a request of a bot about a conversation that it is in.
type ask struct {
	http.ResponseWriter
	*http.Request
	*conversation
}

// within lets the conversation's own bot in, as long as no human agent has
// accepted and the conversation is not closed.
func (h *Hub) within(f func(ask) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		caller, err := h.Directory.Authenticate(r, tenants.BotFramework)
		if err != nil {
			return err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		i := slices.IndexFunc(h.conversations, func(c *conversation) bool { return c.thread == r.PathValue("cid") })
		if i < 0 {
			return wire.Refuse(http.StatusNotFound, "ConversationNotFound", "Conversation not found.")
		}
		c := h.conversations[i]
		switch {
		case c.bot == nil || !strings.EqualFold(c.bot.application, caller.Application):
			return wire.Refuse(http.StatusForbidden, "Forbidden", "The bot is not authorized for this conversation.")
		case c.left():
			return wire.Refuse(http.StatusForbidden, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
		}
		return f(ask{w, r, c})
	}
}

// create refuses: Omnichannel begins conversations by itself.
func (h *Hub) create(_ http.ResponseWriter, r *http.Request) error {
	if _, err := h.Directory.Authenticate(r, tenants.BotFramework); err != nil {
		return err
	}
	return wire.Refuse(http.StatusBadRequest, "BadArgument", "Bots can't begin conversations on this channel.")
}

// activityOf reads an activity and holds it to what is required of one.
func activityOf(q ask) (wire.Object, error) {
	a, err := wire.Body(q.ResponseWriter, q.Request)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(a)
	kinds := []string{
		"message", "contactRelationUpdate", "conversationUpdate", "typing", "endOfConversation", "event", "invoke", "invokeResponse", "deleteUserData",
		"messageUpdate", "messageDelete", "installationUpdate", "messageReaction", "suggestion", "trace", "handoff", "command", "commandResult",
	}
	fields := wire.Fields{
		"type": wire.Text, "text": wire.Text, "channelData": wire.Members, "attachments": wire.List, "entities": wire.List, "from": wire.Members,
		"recipient": wire.Members, "conversation": wire.Members, "replyToId": wire.Text, "name": wire.Text,
	}
	known := wire.Object{}
	for name := range fields {
		known[name] = a[name] // unknown fields are accepted (activity specification, A2005)
	}
	data := wire.Child(a, "channelData")
	switch {
	case err != nil:
		return nil, err
	case wire.String(a, "type") == "" || !slices.Contains(kinds, wire.String(a, "type")):
		return nil, wire.Refuse(http.StatusBadRequest, "MissingProperty", "The activity has no 'type' that is known.")
	case len(raw) > MaxMessage:
		return nil, wire.Refuse(http.StatusRequestEntityTooLarge, "MessageSizeTooBig", "The message is larger than 28 KB.")
	case data["tags"] != nil && wire.KindOf(data["tags"]) != wire.Text, data["deliveryMode"] != nil && wire.KindOf(data["deliveryMode"]) != wire.Text:
		return nil, wire.Refuse(http.StatusBadRequest, "BadSyntax", "channelData.tags and channelData.deliveryMode are texts.")
	case a["type"] == "message" && wire.String(a, "text") == "" && a["attachments"] == nil && data["tags"] == nil:
		return nil, wire.Refuse(http.StatusBadRequest, "BadArgument", "The message says nothing.")
	case a["type"] == "event" && wire.String(a, "name") == "":
		return nil, wire.Refuse(http.StatusBadRequest, "MissingProperty", "The event has no 'name'.")
	}
	return a, wire.Coded(fields.Check(known), "BadSyntax")
}

func send(status int) func(ask) error {
	return func(q ask) error {
		a, err := activityOf(q)
		if err != nil {
			return err
		}
		wire.JSON(q.ResponseWriter, status, wire.Object{"id": q.heard(a)})
		return nil
	}
}

// own returns the message of the path, if the bot has said it.
func own(q ask) (int, error) {
	i := slices.IndexFunc(q.messages, func(m Message) bool { return m.ID == q.PathValue("aid") && m.From == Bot })
	if i < 0 {
		return 0, wire.Refuse(http.StatusNotFound, "ActivityNotFoundInConversation", "The bot has not sent that activity.")
	}
	return i, nil
}

func update(q ask) error {
	i, err := own(q)
	if err != nil {
		return err
	}
	a, err := activityOf(q)
	if err != nil {
		return err
	}
	q.messages[i].Text = wire.String(a, "text")
	q.hub.notify()
	wire.JSON(q.ResponseWriter, http.StatusOK, wire.Object{"id": q.messages[i].ID})
	return nil
}

func remove(q ask) error {
	i, err := own(q)
	if err != nil {
		return err
	}
	q.messages[i].Text, q.messages[i].Attachments = "", nil
	q.hub.notify()
	q.WriteHeader(http.StatusOK)
	return nil
}

// history takes a transcript, for which this channel has no place.
func history(q ask) error {
	body, err := wire.Body(q.ResponseWriter, q.Request)
	if err != nil {
		return err
	}
	if err := (wire.Fields{"activities": wire.List}).Check(body, "activities"); err != nil {
		return err
	}
	q.problem("a history of activities does not travel on this channel")
	wire.JSON(q.ResponseWriter, http.StatusOK, wire.Object{"id": uuid.NewString()})
	return nil
}

func (c *conversation) members() []any {
	return []any{
		wire.Object{"id": "8:acs:" + c.db.ID + "_" + c.id, "name": c.customer, "role": "user"},
		wire.Object{"id": "28:" + c.bot.application, "name": c.bot.name, "role": "bot"},
	}
}

func members(q ask) error {
	wire.JSON(q.ResponseWriter, http.StatusOK, q.members())
	return nil
}

func pagedMembers(q ask) error {
	wire.JSON(q.ResponseWriter, http.StatusOK, wire.Object{"members": q.members()})
	return nil
}

func member(q ask) error {
	for _, m := range q.members() {
		if o, ok := m.(wire.Object); ok && o["id"] == q.PathValue("mid") {
			wire.JSON(q.ResponseWriter, http.StatusOK, o)
			return nil
		}
	}
	return wire.Refuse(http.StatusNotFound, "MemberNotFoundInConversation", "There is no such member.")
}

func attach(q ask) error {
	body, err := wire.Body(q.ResponseWriter, q.Request)
	if err != nil {
		return err
	}
	fields := wire.Fields{"type": wire.Text, "name": wire.Text, "originalBase64": wire.Text, "thumbnailBase64": wire.Text}
	if err := fields.Check(body, "type", "name", "originalBase64"); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(wire.String(body, "originalBase64"))
	if err != nil {
		return wire.Refuse(http.StatusBadRequest, "BadSyntax", "originalBase64 is not base64.")
	}
	id := uuid.NewString()
	q.hub.attachments[id] = attachment{wire.String(body, "name"), wire.String(body, "type"), raw}
	wire.JSON(q.ResponseWriter, http.StatusCreated, wire.Object{"id": id})
	return nil
}

func (h *Hub) attachment(r *http.Request) (attachment, error) {
	if _, err := h.Directory.Authenticate(r, tenants.BotFramework); err != nil {
		return attachment{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	a, ok := h.attachments[r.PathValue("id")]
	if !ok {
		return a, wire.Refuse(http.StatusNotFound, "NotFound", "There is no such attachment.")
	}
	return a, nil
}

func (h *Hub) attachmentInfo(w http.ResponseWriter, r *http.Request) error {
	a, err := h.attachment(r)
	if err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, wire.Object{"name": a.name, "type": a.kind, "views": []any{wire.Object{"viewId": "original", "size": len(a.body)}}})
	return nil
}

func (h *Hub) attachmentView(w http.ResponseWriter, r *http.Request) error {
	a, err := h.attachment(r)
	if err != nil {
		return err
	}
	if r.PathValue("view") != "original" {
		return wire.Refuse(http.StatusNotFound, "NotFound", "There is no such view.")
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(a.body)
	return nil
}

// Shape writes a refusal as the Connector does.
func Shape(w http.ResponseWriter, _ *http.Request, f *wire.Error) {
	code := f.Code
	if code == "" {
		code = map[int]string{
			http.StatusUnauthorized: "Unauthorized", http.StatusForbidden: "Forbidden", http.StatusNotFound: "NotFound",
			http.StatusTooManyRequests: "TooManyRequests", http.StatusInternalServerError: "ServiceError", http.StatusServiceUnavailable: "ServiceError",
		}[f.Status]
	}
	if code == "" {
		code = "BadArgument"
	}
	w.Header().Set("X-Correlating-OperationId", uuid.NewString())
	wire.JSON(w, f.Status, wire.Object{"error": wire.Object{"code": code, "message": cmp.Or(f.Message, http.StatusText(f.Status))}})
}
