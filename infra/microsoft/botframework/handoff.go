package botframework

import (
	"strings"

	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/domain/transcript"
	"handoff/events"
)

// extension is what Context.Extensions has under ExtensionKey.
type extension struct {
	Activity members `json:"activity,omitempty"`
	Others   []other `json:"other_activities,omitempty"`
	Repeats  int     `json:"transcript_repeats,omitempty"`
}

// handOff maps an activity that is found at the pointer at. What remains in a
// has no place in the canonical context.
//
// The channel is channelId as written (directline, msteams, lcw): what a
// person would call it is for the rules to say. Who the activity is from
// decides nothing, for SDK bots leave the user there.
func handOff(a members, at string) (intake.HandOff, error) {
	h := intake.HandOff{Format: intake.FormatBotFramework}
	delete(a, "type")
	delete(a, "name")
	a.take("id", &h.RequestID)
	h.Context.RequestID = h.RequestID
	takeTime(a, &h)
	a.take("channelId", &h.Channel)
	takeConversation(a, &h)
	takeVariables(a, &h)
	h.FillFromVariables()
	if h.Context.ConversationID == "" {
		return h, fault.New(fault.Invalid, "conversation-id-missing",
			"A hand-off needs conversation.id: it tells which conversation leaves the bot.").At(at + "/conversation/id")
	}
	if locale := a.text("locale"); h.Language == "" && intake.IsLanguage(locale) {
		h.Language = locale
	}
	w := &where{at: at, customer: "/relatesTo/user"}
	w.people(a, &h)
	t := takeTranscript(a, &h, w)
	h.Locate = w.locate
	if len(a) > 0 || len(t.others) > 0 || t.repeats > 0 {
		h.Context.Extensions = members{ExtensionKey: raw(extension{Activity: a, Others: t.others, Repeats: t.repeats})}
	}
	return h, nil
}

func takeTime(a members, h *intake.HandOff) {
	if at, ok := transcript.Time(scalar(a["timestamp"])); ok {
		h.RaisedAt = at
		delete(a, "timestamp")
	}
}

// takeConversation takes conversation.id and leaves what else is said of the
// conversation.
func takeConversation(a members, h *intake.HandOff) {
	c := a.object("conversation")
	if c == nil {
		return
	}
	c.take("id", &h.Context.ConversationID)
	if delete(a, "conversation"); len(c) > 0 {
		a["conversation"] = raw(c)
	}
}

// takeVariables takes value where it is an object. A value of another kind is
// allowed by the protocol, means nothing to us, and stays.
func takeVariables(a members, h *intake.HandOff) {
	v := a.object("value")
	if v == nil && string(a["value"]) != "null" {
		return
	}
	if delete(a, "value"); len(v) > 0 {
		h.Context.Variables = v
	}
}

// people reads bot and customer from the reference to the conversation, which
// stays where it is.
func (w *where) people(a members, h *intake.HandOff) {
	reference := a.object("relatesTo")
	bot, user := reference.object("bot"), reference.object("user")
	w.botID, w.userID = bot.text("id"), user.text("id")
	if h.Bot.ID == "" {
		h.Bot.ID = w.botID
	}
	if h.Bot.Name == "" {
		h.Bot.Name = bot.text("name")
	}
	if h.Channel == "" {
		h.Channel, w.channelFromReference = reference.text("channelId"), true
	}
	if c := (events.Customer{ID: w.userID, Name: user.text("name")}); c != (events.Customer{}) {
		h.Context.Customer = &c
	}
}

// where knows where in the request each part of a hand-off was found, so that
// a fault can point there.
type where struct {
	at                   string // of the activity
	customer             string
	channelFromReference bool
	botID, userID        string
	messages             []origin
	url                  int // index of the attachment that has the URL
}

// origin is where a message of the transcript was found.
type origin struct {
	attachment int
	list       string // pointer from the attachment to the list of activities
	index      int    // in the list, or -1 if the list is inside a text
}

func (o origin) pointer() string {
	p := "/attachments" + index(o.attachment) + o.list
	if o.index >= 0 {
		p += index(o.index)
	}
	return p
}

// locate turns a pointer in the plain dialect into one in the request.
func (w *where) locate(pointer string) string {
	if rest, ok := strings.CutPrefix(pointer, "/transcript/messages"); ok {
		return w.at + w.message(rest)
	}
	channel := "/channelId"
	if w.channelFromReference {
		channel = "/relatesTo/channelId"
	}
	for _, p := range [...]struct{ plain, own string }{
		{"/variables", "/value"},
		{"/conversation_id", "/conversation/id"},
		{"/request_id", "/id"},
		{"/channel", channel},
		{"/language", "/locale"},
		{"/customer", w.customer},
		{"/bot", "/relatesTo/bot"},
		{"/transcript/url", "/attachments" + index(w.url) + "/contentUrl"},
	} {
		if rest, ok := strings.CutPrefix(pointer, p.plain); ok && (rest == "" || rest[0] == '/') {
			return w.at + p.own + rest
		}
	}
	return w.at + pointer
}
