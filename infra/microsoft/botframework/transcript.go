package botframework

import (
	"encoding/json"
	"strconv"
	"strings"

	"handoff/domain/intake"
	"handoff/domain/intake/strictjson"
	"handoff/domain/transcript"
	"handoff/events"
)

// other is an activity of a transcript that is no message.
type other struct {
	Position int             `json:"position"` // among all activities of the transcript, from 0
	Activity json.RawMessage `json:"activity"`
}

// reading is a transcript in the making, from one attachment or several.
type reading struct {
	where    *where
	seen     int // activities
	messages []events.Message
	others   []other
	repeats  int
	url      string
}

// takeTranscript reads every attachment that is a transcript, one after the
// other, and leaves the rest. Hand-offs have been seen with two.
func takeTranscript(a members, h *intake.HandOff, w *where) *reading {
	t := &reading{where: w}
	var rest []json.RawMessage
	attachments := listOf(a["attachments"])
	for i, attachment := range attachments {
		if left := t.attachment(attachment, i, h); left != nil {
			rest = append(rest, left)
		}
	}
	if len(rest) > 0 {
		a["attachments"] = raw(rest)
	} else if kindOf(a["attachments"]) == strictjson.Array {
		delete(a, "attachments")
	}
	t.dropRepeats()
	if len(t.messages) > 0 || t.url != "" {
		h.Context.Transcript = &events.Transcript{Messages: t.messages, URL: t.url}
	}
	return t
}

// attachment reads an attachment and returns what of it has no place, or nil.
func (t *reading) attachment(attachment json.RawMessage, i int, h *intake.HandOff) json.RawMessage {
	fields := objectOf(attachment)
	if !isTranscript(fields) {
		return attachment
	}
	activities, rest, list, ok := content(fields["content"])
	if kindOf(fields["content"]) == strictjson.Null {
		delete(fields, "content")
	}
	if ok {
		for j, activity := range activities {
			o := origin{attachment: i, list: list, index: j}
			if list == "/content" && kindOf(fields["content"]) == strictjson.Text {
				o.index = -1
			}
			t.activity(activity, o, h)
		}
		if delete(fields, "content"); len(rest) > 0 {
			fields["content"] = raw(rest)
		}
	}
	if u := fields.text("contentUrl"); len(activities) == 0 && t.url == "" && intake.IsWebURL(u) {
		t.url, t.where.url = u, i
		delete(fields, "contentUrl")
	}
	delete(fields, "name")
	delete(fields, "contentType")
	if len(fields) == 0 {
		return nil
	}
	return leftover(attachment, fields)
}

// leftover returns an attachment with only those of its fields that were not
// mapped, and with its name and type, without which they would say little.
func leftover(attachment json.RawMessage, unmapped members) json.RawMessage {
	whole := objectOf(attachment)
	for _, name := range []string{"name", "contentType"} {
		if v, ok := whole[name]; ok {
			unmapped[name] = v
		}
	}
	return raw(unmapped)
}

// isTranscript reports whether an attachment is named Transcript, in any case,
// and is JSON, or says nothing of its type.
func isTranscript(fields members) bool {
	if !strings.EqualFold(fields.text("name"), "Transcript") {
		return false
	}
	media, _, _ := strings.Cut(fields.text("contentType"), ";")
	media = strings.TrimSpace(media)
	return media == "" || strings.EqualFold(media, "application/json")
}

// content reads the content of a transcript: {"activities": […]}, a bare list
// (as in transcript files), or a text that holds either, as some .NET bots
// send. It returns the activities, what stands beside them, and the pointer to
// their list.
func content(written json.RawMessage) (activities []json.RawMessage, rest members, list string, ok bool) {
	list = "/content"
	if kindOf(written) == strictjson.Text {
		activities, rest, _, ok = content(unwrap(written))
		return activities, rest, list, ok
	}
	if kindOf(written) == strictjson.Array {
		return listOf(written), nil, list, true
	}
	rest = objectOf(written)
	if kindOf(rest["activities"]) != strictjson.Array {
		return nil, nil, "", false
	}
	activities = listOf(rest["activities"])
	delete(rest, "activities")
	return activities, rest, list + "/activities", true
}

// unwrap returns the object or list inside a text, or nil.
func unwrap(text json.RawMessage) (inner json.RawMessage) {
	err := strictjson.Read([]byte(textOf(text)), func(r *strictjson.Reader) (err error) {
		if k := r.Kind(); k != strictjson.Object && k != strictjson.Array {
			return nil
		}
		inner, err = r.Raw()
		return err
	})
	if err != nil {
		return nil
	}
	return inner
}

// activity adds an activity of the transcript.
func (t *reading) activity(written json.RawMessage, o origin, h *intake.HandOff) {
	position := t.seen
	t.seen++
	fields := objectOf(written)
	typ := fields.text("type")
	if fields == nil || typ != "message" && (typ != "" || fields.text("text") == "") {
		t.others = append(t.others, other{Position: position, Activity: written})
		return
	}
	sender := fields.object("from")
	m := message(fields, t.where.author(fields, sender), sender.text("name"))
	t.messages = append(t.messages, m)
	t.where.messages = append(t.where.messages, o)
	if h.Context.Customer == nil && m.From == events.FromCustomer && sender.text("id") != "" {
		h.Context.Customer = &events.Customer{ID: sender.text("id"), Name: m.Name}
		t.where.customer = o.pointer()
		if o.index >= 0 {
			t.where.customer += "/from"
		}
	}
}

// author tells who wrote a message: by role, else by the id of whom the
// activity relates to, else by the role of whom it was sent to.
func (w *where) author(fields, sender members) string {
	if from, ok := transcript.Role(scalar(sender["role"])); ok {
		return from
	}
	switch id := sender.text("id"); {
	case id != "" && id == w.userID:
		return events.FromCustomer
	case id != "" && id == w.botID:
		return events.FromBot
	}
	switch to, _ := transcript.Role(scalar(fields.object("recipient")["role"])); to {
	case events.FromBot:
		return events.FromCustomer
	case events.FromCustomer:
		return events.FromBot
	}
	return events.FromSystem
}

// dropRepeats leaves out messages that are the very same as an earlier one.
func (t *reading) dropRepeats() {
	repeats := transcript.Repeats(t.messages)
	if t.repeats = len(repeats); t.repeats == 0 {
		return
	}
	messages, origins := t.messages[:0], t.where.messages[:0]
	for i, m := range t.messages {
		if len(repeats) > 0 && repeats[0] == i {
			repeats = repeats[1:]
			continue
		}
		messages, origins = append(messages, m), append(origins, t.where.messages[i])
	}
	t.messages, t.where.messages = messages, origins
}

// message returns the pointer for what follows /transcript/messages.
func (w *where) message(rest string) string {
	number, field, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(w.messages) {
		return "/attachments"
	}
	o := w.messages[i]
	switch {
	case o.index < 0 || field == "":
		return o.pointer()
	case field == "name":
		field = "from/name"
	case strings.HasSuffix(field, "/url"):
		field = strings.TrimSuffix(field, "url") + "contentUrl"
	case strings.HasSuffix(field, "/content_type"):
		field = strings.TrimSuffix(field, "content_type") + "contentType"
	}
	return o.pointer() + "/" + field
}

func index(i int) string { return strictjson.Index(i) }
