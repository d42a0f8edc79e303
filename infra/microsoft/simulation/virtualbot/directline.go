package virtualbot

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"handoff/infra/microsoft/simulation/wire"
)

// maxActivity is the largest activity, in characters (Direct Line: 256K).
const maxActivity = 256 << 10

// DirectLine returns the host of one region.
func (s *Service) DirectLine(region string) http.Handler {
	d := &directLine{s, region}
	return wire.Routes{
		"POST /v3/directline/tokens/generate":               d.generate,
		"POST /v3/directline/tokens/refresh":                d.refresh,
		"POST /v3/directline/conversations":                 d.start,
		"GET /v3/directline/conversations/{id}":             d.reconnect,
		"GET /v3/directline/conversations/{id}/activities":  d.read,
		"POST /v3/directline/conversations/{id}/activities": d.post,
		"POST /v3/directline/conversations/{id}/upload":     d.upload,
		"GET /v3/directline/conversations/{id}/stream":      d.stream,
		"POST /v3/conversations/{id}/activities":            d.answer,
		"POST /v3/conversations/{id}/activities/{aid}":      d.answer,
	}.Handler(Shape)
}

type directLine struct {
	*Service
	region string
}

// enter returns what a request's token or secret lets it into. A secret comes
// back as a token without a conversation. The caller holds mu.
func (d *directLine) enter(r *http.Request) (*token, error) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || text == "" {
		return nil, wire.Refuse(http.StatusUnauthorized, "BadArgument", "Missing token or secret")
	}
	t := d.tokens[text]
	if t == nil {
		b := d.bot(func(b *Bot) bool { return b.Secret != "" && b.Secret == text })
		if b == nil {
			return nil, wire.Refuse(http.StatusForbidden, "BadArgument", "Invalid token or secret")
		}
		t = &token{bot: b, expires: d.Clock.Now().Add(time.Hour)}
	}
	if !d.Clock.Now().Before(t.expires) {
		return nil, wire.Refuse(http.StatusForbidden, "TokenExpired", "Token has expired")
	}
	if t.bot.Region != d.region {
		return nil, wire.Refuse(http.StatusForbidden, "BadArgument", "The token belongs to another data boundary; use the regional address.")
	}
	return t, nil
}

// within returns the conversation of the path, if the request may enter it.
func (d *directLine) within(r *http.Request) (*conversation, *token, error) {
	t, err := d.enter(r)
	if err != nil {
		return nil, nil, err
	}
	c := d.conversations[r.PathValue("id")]
	if c == nil || !c.started {
		return nil, nil, wire.Refuse(http.StatusNotFound, "ConversationNotFound", "Conversation not found")
	}
	if t.bot != c.bot || t.conversation != "" && t.conversation != c.id {
		return nil, nil, wire.Refuse(http.StatusForbidden, "BadArgument", "The token is for another conversation.")
	}
	return c, t, nil
}

func (d *directLine) generate(w http.ResponseWriter, r *http.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.enter(r)
	if err != nil {
		return err
	}
	if t.conversation != "" {
		return wire.Refuse(http.StatusForbidden, "BadArgument", "A token is generated with the secret.")
	}
	made := token{bot: t.bot}
	if r.ContentLength != 0 {
		body, err := wire.Body(w, r)
		if err != nil {
			return err
		}
		if err := (wire.Fields{"user": wire.Members, "trustedOrigins": wire.List}).Check(body); err != nil {
			return err
		}
		made.user = wire.String(wire.Child(body, "user"), "id")
		if made.user != "" && !strings.HasPrefix(made.user, "dl_") {
			return wire.Refuse(http.StatusBadRequest, "BadArgument", "The user id must start with dl_.")
		}
	}
	made.conversation = d.newConversation(t.bot)
	d.hand(w, http.StatusOK, made, nil)
	return nil
}

// hand answers with a new token.
func (d *directLine) hand(w http.ResponseWriter, status int, t token, more wire.Object) {
	answer := wire.Object{"conversationId": t.conversation, "token": d.issue(t, tokenLifetime), "expires_in": int(tokenLifetime / time.Second)}
	maps.Copy(answer, more)
	wire.JSON(w, status, answer)
}

func (d *directLine) refresh(w http.ResponseWriter, r *http.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.enter(r)
	if err != nil {
		return err
	}
	if t.conversation == "" {
		return wire.Refuse(http.StatusForbidden, "BadArgument", "A secret can't be refreshed.")
	}
	d.hand(w, http.StatusOK, *t, nil)
	return nil
}

func (d *directLine) start(w http.ResponseWriter, r *http.Request) error {
	made, status, joined, err := d.begin(r)
	if err != nil {
		return err
	}
	_ = d.deliver(r.Context(), joined) // a bot that is down is noticed by who says something to it
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hand(w, status, made, wire.Object{"streamUrl": d.streamURL(r, made, "")})
	return nil
}

// begin starts the conversation of a request's token, and returns what its bot
// is told of it where it was not started yet.
func (d *directLine) begin(r *http.Request) (made token, status int, joined *delivery, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.enter(r)
	if err != nil {
		return token{}, 0, nil, err
	}
	made = *t
	if made.conversation == "" {
		made.conversation = d.newConversation(t.bot)
	}
	c := d.conversations[made.conversation]
	if c.started {
		return made, http.StatusOK, nil, nil
	}
	c.started = true
	d.order = append(d.order, c.id)
	return made, http.StatusCreated, c.joined(), nil
}

// streamURL returns an address that opens the conversation's stream within a
// minute.
func (d *directLine) streamURL(r *http.Request, t token, watermark string) string {
	q := url.Values{"t": {d.issue(t, streamLifetime)}}
	if watermark != "" {
		q.Set("watermark", watermark)
	}
	return "ws://" + r.Host + "/v3/directline/conversations/" + t.conversation + "/stream?" + q.Encode()
}

func (d *directLine) reconnect(w http.ResponseWriter, r *http.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, t, err := d.within(r)
	if err != nil {
		return err
	}
	watermark := r.URL.Query().Get("watermark")
	if _, err := c.since(watermark); err != nil {
		return err
	}
	if watermark == "" { // what was said before is not replayed (documented)
		watermark = strconv.Itoa(len(c.activities))
	}
	made := *t
	made.conversation = c.id
	d.hand(w, http.StatusOK, made, wire.Object{"streamUrl": d.streamURL(r, made, watermark)})
	return nil
}

// since reads a watermark: how many activities the client has.
func (c *conversation) since(watermark string) (int, error) {
	if watermark == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(watermark)
	if err != nil || n < 0 || n > len(c.activities) {
		return 0, wire.Refuse(http.StatusBadRequest, "BadArgument", "Invalid watermark.")
	}
	return n, nil
}

// set returns the activities after the first n as an ActivitySet.
func (c *conversation) set(n int) wire.Object {
	all := append([]wire.Object{}, c.activities[n:]...)
	if c.service.repeats && len(all) > 0 {
		all = slices.Concat(all, c.activities[:n], all)
	}
	return wire.Object{"activities": all, "watermark": strconv.Itoa(len(c.activities))}
}

func (d *directLine) read(w http.ResponseWriter, r *http.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, _, err := d.within(r)
	if err != nil {
		return err
	}
	n, err := c.since(r.URL.Query().Get("watermark"))
	if err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, c.set(n))
	return nil
}

func (d *directLine) post(w http.ResponseWriter, r *http.Request) error {
	id, out, err := d.take(w, r)
	if err != nil {
		return err
	}
	if err := d.deliver(r.Context(), out); err != nil {
		return err
	}
	wire.JSON(w, http.StatusOK, wire.Object{"id": id})
	return nil
}

// take takes what a user says, and returns what its bot is told.
func (d *directLine) take(w http.ResponseWriter, r *http.Request) (id string, out *delivery, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, t, err := d.within(r)
	if err != nil {
		return "", nil, err
	}
	body, err := wire.Body(w, r)
	if err != nil {
		return "", nil, err
	}
	if err := check(body, t); err != nil {
		return "", nil, err
	}
	if t.user != "" { // which is who speaks, whoever the client says that it is (documented: enhanced authentication)
		wire.Child(body, "from")["id"] = t.user
	}
	id = c.hear(body)
	return id, c.told(c.heard), nil
}

// check refuses an activity that Direct Line would.
func check(a wire.Object, t *token) error {
	from := wire.Child(a, "from")
	kinds := []string{
		"message", "contactRelationUpdate", "conversationUpdate", "typing", "endOfConversation", "event", "invoke", "deleteUserData",
		"messageUpdate", "messageDelete", "installationUpdate", "messageReaction", "suggestion", "trace", "handoff", "command", "commandResult",
	}
	raw, err := json.Marshal(a)
	switch {
	case err != nil:
		return err
	case wire.String(a, "type") == "":
		return wire.Refuse(http.StatusBadRequest, "MissingProperty", "The activity has no 'type'.")
	case !slices.Contains(kinds, wire.String(a, "type")):
		return wire.Refuse(http.StatusBadRequest, "BadArgument", "Unknown activity type.")
	case wire.String(from, "id") == "":
		return wire.Refuse(http.StatusBadRequest, "MissingProperty", "The activity has no 'from' field, or no 'from.id'.")
	case t.user == "" && strings.HasPrefix(wire.String(from, "id"), "dl_"):
		return wire.Refuse(http.StatusForbidden, "BadArgument", "A user id that begins with dl_ must be in the token.")
	case a["type"] == "event" && wire.String(a, "name") == "":
		return wire.Refuse(http.StatusBadRequest, "MissingProperty", "The event has no 'name'.")
	case len(utf16.Encode([]rune(string(raw)))) > maxActivity:
		// The contract lists no 413 (Direct Line API 3.0, HTTP status codes).
		return wire.Refuse(http.StatusBadRequest, "MessageSizeTooBig", "The activity is larger than 256K characters.")
	}
	return nil
}

// upload takes files; the bot takes no notice of them.
func (d *directLine) upload(w http.ResponseWriter, r *http.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, _, err := d.within(r)
	if err != nil {
		return err
	}
	user := r.URL.Query().Get("userId")
	if user == "" {
		return wire.Refuse(http.StatusBadRequest, "MissingProperty", "The parameter userId is required.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, wire.MaxBody)
	if err := r.ParseMultipartForm(wire.MaxBody); err != nil { //nolint:gosec // the body is limited above
		return wire.Refuse(http.StatusBadRequest, "BadArgument", "The body is not multipart/form-data.")
	}
	attachments := []any{}
	for _, files := range r.MultipartForm.File {
		for _, f := range files {
			attachments = append(attachments, wire.Object{
				"contentType": f.Header.Get("Content-Type"), "name": f.Filename, "contentUrl": wire.Base(r) + "/attachments/" + url.PathEscape(f.Filename),
			})
		}
	}
	id := c.add(wire.Object{"type": "message", "from": wire.Object{"id": user}, "attachments": attachments})
	wire.JSON(w, http.StatusOK, wire.Object{"id": id})
	return nil
}
