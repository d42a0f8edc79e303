package intake

import (
	"encoding/json"
	"fmt"

	"handoff/domain/intake/strictjson"
	"handoff/events"
)

const (
	limitExceeded = "limit-exceeded"
	fieldInvalid  = "field-invalid"
)

func (c *check) message(m *events.Message, i int) {
	if len(m.ID) > MaxMessageID || len(m.Name) > MaxMessageName || len(m.Text) > MaxMessageText {
		at := "/transcript/messages" + strictjson.Index(i)
		c.text(m.ID, MaxMessageID, at, "/id")
		c.text(m.Name, MaxMessageName, at, "/name")
		c.text(m.Text, MaxMessageText, at, "/text")
	}
	switch m.From {
	case events.FromCustomer, events.FromBot, events.FromHumanAgent, events.FromSystem:
	default:
		c.add(fieldInvalid, "A message is from customer, bot, human_agent or system.",
			"/transcript/messages", strictjson.Index(i), "/from")
	}
	if len(m.Attachments) > 0 {
		c.attachments(m.Attachments, "/transcript/messages"+strictjson.Index(i)+"/attachments")
	}
}

func (c *check) attachments(list []events.Attachment, at string) {
	c.count(len(list), MaxAttachments, at)
	for i, a := range list {
		n := strictjson.Index(i)
		c.text(a.URL, MaxURL, at, n, "/url")
		c.text(a.ContentType, MaxContentType, at, n, "/content_type")
		c.text(a.Name, MaxAttachmentName, at, n, "/name")
		if a.Bytes < 0 {
			c.add(fieldInvalid, "A size in bytes is 0 or more.", at, n, "/bytes")
		}
	}
}

func tooMany(n, limit int, of string) string {
	return fmt.Sprintf("Has %d %s; at most %d are allowed.", n, of, limit)
}

// longestText returns the bytes of the longest text in a value, names included.
func longestText(value json.RawMessage) int {
	longest := 0
	err := strictjson.Read(value, func(r *strictjson.Reader) error { return measure(r, &longest) })
	if err != nil {
		return len(value) // no JSON, so take all of it for a text
	}
	return longest
}

func measure(r *strictjson.Reader, longest *int) error {
	switch r.Kind() {
	case strictjson.Object:
		return r.Object(func(name string) error {
			*longest = max(*longest, len(name))
			return measure(r, longest)
		})
	case strictjson.Array:
		return r.Array(func(int) error { return measure(r, longest) })
	case strictjson.Text:
		var s string
		err := r.Text(&s)
		*longest = max(*longest, len(s))
		return err
	default:
		_, err := r.Raw()
		return err
	}
}
