package botframework

import (
	"encoding/json"
	"strings"

	"handoff/domain/intake/strictjson"
	"handoff/domain/transcript"
	"handoff/events"
)

// message maps a message activity. A time that can't be read stays as it is.
func message(fields members, from, name string) events.Message {
	m := events.Message{From: from, Name: name}
	fields.take("id", &m.ID)
	fields.take("text", &m.Text)
	if at, text, ok := transcript.Written(scalar(fields["timestamp"])); ok {
		m.At, m.AtText = &at, text
		delete(fields, "timestamp")
	}
	if fields.text("type") == "message" {
		delete(fields, "type")
	}
	m.Attachments = takeAttachments(fields)
	if len(fields) > 0 {
		m.Extensions = fields
	}
	return m
}

// takeAttachments takes a message's attachments, all or, if one of them is no
// object, none.
func takeAttachments(fields members) []events.Attachment {
	var taken []events.Attachment
	for _, written := range listOf(fields["attachments"]) {
		a := objectOf(written)
		if a == nil {
			return nil
		}
		taken = append(taken, attachment(a))
	}
	if kindOf(fields["attachments"]) == strictjson.Array {
		delete(fields, "attachments")
	}
	return taken
}

// attachment maps an attachment. A card travels as content; so does a file in
// a data URL (RFC 2397), which is no reference and may be of any length.
func attachment(fields members) events.Attachment {
	var a events.Attachment
	fields.take("contentType", &a.ContentType)
	fields.take("name", &a.Name)
	if c, ok := fields["content"]; ok {
		if string(c) != "null" {
			a.Content = c
		}
		delete(fields, "content")
	}
	takeURL(fields, &a)
	if len(fields) > 0 {
		a.Extensions = map[string]json.RawMessage(fields)
	}
	return a
}

func takeURL(fields members, a *events.Attachment) {
	if u := fields.text("contentUrl"); len(u) < 5 || !strings.EqualFold(u[:5], "data:") {
		fields.take("contentUrl", &a.URL)
	} else if a.Content == nil {
		a.Content = fields["contentUrl"]
		delete(fields, "contentUrl")
	}
}
