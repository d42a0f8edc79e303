package intake

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"handoff/domain/fault"
	"handoff/domain/intake/strictjson"
	"handoff/events"
)

// maxProblems bounds how many findings one answer lists.
const maxProblems = 20

// Check holds the hand-off to every limit. It returns nil or a *fault.Error of
// kind Unprocessable with code limit-exceeded or field-invalid that points at
// the first finding and, if there are more, lists them (up to 20). No text of
// the hand-off is repeated in it. An empty conversation id passes: whether
// something else stands for it is the caller's business.
func (h *HandOff) Check() error {
	c := &check{h: h}
	c.clear()
	c.raisedAt()
	c.context(&h.Context)
	c.customer(h.Context.Customer)
	c.variables(h.Context.Variables)
	c.changes(h.Context.VariableChanges)
	c.transcript(h.Context.Transcript)
	c.wishes(h.Context.Wishes)
	return c.result()
}

// raisedAt keeps times to those that 64 bits of nanoseconds can tell.
func (c *check) raisedAt() {
	at := c.h.RaisedAt
	if !at.IsZero() && (at.Year() < minYear || at.Year() > maxYear) {
		c.add(fieldInvalid, "A hand-off is raised between the years 1970 and 2200.", "/raised_at")
	}
}

// Years in which a hand-off may be raised.
const (
	minYear = 1970
	maxYear = 2200
)

// check gathers findings. Pointers are built only where there is one.
type check struct {
	h     *HandOff
	found []*fault.Error
}

func (c *check) result() error {
	if len(c.found) == 0 {
		return nil
	}
	f := c.found[0]
	if len(c.found) > 1 {
		for _, p := range c.found {
			f.Problems = append(f.Problems, fault.Problem{Pointer: p.Pointer, Rule: p.Code, Detail: p.Detail})
		}
	}
	return f
}

func (c *check) add(code, detail string, path ...string) {
	if len(c.found) < maxProblems {
		pointer := c.h.locate(strings.Join(path, ""))
		c.found = append(c.found, fault.New(fault.Unprocessable, code, detail).At(pointer))
	}
}

// text holds a text to a number of characters.
func (c *check) text(s string, limit int, path ...string) {
	if len(s) <= limit { // fewer bytes than characters there can't be
		return
	}
	if n := utf8.RuneCountInString(s); n > limit {
		c.add(limitExceeded, tooMany(n, limit, "characters"), path...)
	}
}

func (c *check) count(n, limit int, path ...string) {
	if n > limit {
		c.add(limitExceeded, tooMany(n, limit, "elements"), path...)
	}
}

func (c *check) texts(list []string, most, limit int, path string) {
	c.count(len(list), most, path)
	for i, s := range list {
		if len(s) > limit {
			c.text(s, limit, path, strictjson.Index(i))
		}
	}
}

func (c *check) clear() {
	h := c.h
	if h.Reason != "" && !slices.Contains(Reasons(), h.Reason) {
		c.add(fieldInvalid, "A reason is one of "+strings.Join(Reasons(), ", ")+".", "/reason")
	}
	c.text(h.RequestID, MaxRequestID, "/request_id")
	c.text(h.Topic, MaxTopic, "/topic")
	c.text(h.Channel, MaxChannel, "/channel")
	c.text(h.Bot.ID, MaxBotID, "/bot/id")
	c.text(h.Bot.Name, MaxBotName, "/bot/name")
	c.text(h.Bot.Version, MaxBotVersion, "/bot/version")
	c.text(h.Language, MaxLanguage, "/language")
	if h.Language != "" && utf8.RuneCountInString(h.Language) <= MaxLanguage && !IsLanguage(h.Language) {
		c.add(fieldInvalid, "A language is a BCP 47 tag, such as nl or nl-NL.", "/language")
	}
}

func (c *check) context(x *events.Context) {
	c.text(x.ConversationID, MaxConversationID, "/conversation_id")
	c.texts(x.Topics, MaxTopics, MaxTopic, "/topics")
	c.text(x.LastPhrase, MaxPhrase, "/last_phrase")
	c.texts(x.Phrases, MaxPhrases, MaxPhrase, "/phrases")
	c.text(x.MessageToAgent, MaxNote, "/message_to_agent")
	c.text(x.Summary, MaxNote, "/summary")
}

func (c *check) customer(p *events.Customer) {
	if p == nil {
		return
	}
	c.text(p.ID, MaxCustomerID, "/customer/id")
	c.text(p.Name, MaxCustomerName, "/customer/name")
	c.text(p.Email, MaxEmail, "/customer/email")
	c.text(p.Phone, MaxPhone, "/customer/phone")
	c.text(p.PageURL, MaxURL, "/customer/page_url")
	c.text(p.TimeZone, MaxTimeZone, "/customer/time_zone")
}

func (c *check) variables(vars map[string]json.RawMessage) {
	c.count(len(vars), MaxVariables, "/variables")
	var wrong []string
	for name, value := range vars {
		if name == "" || len(name) > MaxVariableName || len(value) > MaxVariableText {
			wrong = append(wrong, name)
		}
	}
	slices.Sort(wrong) // or the same request would get another answer each time
	for _, name := range wrong {
		c.variableName(name, "/variables", strictjson.Segment(name))
		c.variableText(vars[name], "/variables", strictjson.Segment(name))
	}
}

func (c *check) variableName(name string, path ...string) {
	if name == "" {
		c.add(fieldInvalid, "A variable has a name of at least one character.", path...)
	}
	c.text(name, MaxVariableName, path...)
}

// variableText holds every text inside a value to its limit. A value that is
// not longer than the limit as JSON has none that is.
func (c *check) variableText(value json.RawMessage, path ...string) {
	if len(value) <= MaxVariableText {
		return
	}
	if n := longestText(value); n > MaxVariableText {
		c.add(limitExceeded, tooMany(n, MaxVariableText, "bytes in one text"), path...)
	}
}

func (c *check) changes(list []events.VariableChange) {
	c.count(len(list), MaxVariableChanges, "/variable_changes")
	for i, v := range list {
		if v.Name == "" || len(v.Name)+len(v.Topic)+len(v.Value) > MaxVariableName {
			at := "/variable_changes" + strictjson.Index(i)
			c.variableName(v.Name, at, "/name")
			c.text(v.Topic, MaxTopic, at, "/topic")
			c.variableText(v.Value, at, "/value")
		}
	}
}

func (c *check) wishes(w *events.Wishes) {
	if w == nil {
		return
	}
	c.text(w.Queue, MaxWishedQueue, "/wishes/queue")
	c.texts(w.Skills, MaxWishedSkills, MaxWishedSkill, "/wishes/skills")
	if w.Priority != nil && (*w.Priority < 0 || *w.Priority > MaxPriority) {
		c.add(limitExceeded, "A priority is from 0 to 100.", "/wishes/priority")
	}
}

func (c *check) transcript(t *events.Transcript) {
	if t == nil {
		return
	}
	c.text(t.URL, MaxURL, "/transcript/url")
	if t.URL != "" && !IsWebURL(t.URL) {
		c.add(fieldInvalid, "A transcript's address is an absolute https or http URL.", "/transcript/url")
	}
	c.count(len(t.Messages), MaxMessages, "/transcript/messages")
	for i := range t.Messages {
		c.message(&t.Messages[i], i)
	}
}

// IsWebURL reports whether s is an absolute https or http URL.
func IsWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
}
