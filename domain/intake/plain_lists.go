package intake

import (
	"strconv"

	"handoff/domain/fault"
	"handoff/domain/intake/strictjson"
	"handoff/domain/transcript"
	"handoff/events"
)

func (p plain) variables() error {
	if null, err := p.Null(); null || err != nil {
		return err
	}
	return p.Object(func(name string) error { return p.keep(&p.h.Context.Variables, name) })
}

func (p plain) changes() error {
	if null, err := p.Null(); null || err != nil {
		return err
	}
	kept := make(map[string]raws)
	err := p.Array(func(i int) error {
		var v events.VariableChange
		unknown, err := p.object(func(field string) (bool, error) { return p.change(field, &v) })
		if len(unknown) > 0 {
			kept[strconv.Itoa(i)] = unknown
		}
		p.h.Context.VariableChanges = append(p.h.Context.VariableChanges, v)
		return err
	})
	if err != nil || len(kept) == 0 {
		return err
	}
	return p.extend("variable_changes", kept)
}

func (p plain) change(field string, v *events.VariableChange) (known bool, err error) {
	switch field {
	case "name":
		return true, p.Text(&v.Name)
	case "value":
		v.Value, err = p.Raw()
		return true, err
	case "topic":
		return true, p.Text(&v.Topic)
	case "at":
		var written string
		if err := p.Text(&written); err != nil || written == "" {
			return true, err
		}
		at, err := instant(written)
		v.At = &at
		return true, err
	}
	return false, nil
}

func (p plain) transcript() error {
	if null, err := p.Null(); null || err != nil {
		return err
	}
	t := new(events.Transcript)
	p.h.Context.Transcript = t
	err := p.part("transcript", func(field string) (bool, error) {
		switch field {
		case "messages":
			return true, p.messages(t)
		case "url":
			return true, p.Text(&t.URL)
		case "complete":
			return true, p.Bool(&t.Complete)
		}
		return false, nil
	})
	if err == nil && t.URL != "" && len(t.Messages) > 0 {
		return fault.New(fault.Unprocessable, fieldInvalid, "A transcript has either messages or a url; this one has both.")
	}
	return err
}

func (p plain) messages(t *events.Transcript) error {
	if null, err := p.Null(); null || err != nil {
		return err
	}
	return p.Array(func(int) (err error) {
		var m events.Message
		m.Extensions, err = p.object(func(field string) (bool, error) { return p.message(field, &m) })
		t.Messages = append(t.Messages, m)
		return err
	})
}

func (p plain) message(field string, m *events.Message) (known bool, err error) {
	switch field {
	case "id":
		return true, p.Text(&m.ID)
	case "at":
		return true, p.at(m)
	case "from":
		return true, p.Text(&m.From)
	case "name":
		return true, p.Text(&m.Name)
	case "text":
		return true, p.Text(&m.Text)
	case "attachments":
		return true, p.attachments(m)
	}
	return false, nil
}

// at reads the time of a message: RFC 3339, or a number of seconds or
// milliseconds since 1970, which half of the bots have at hand.
func (p plain) at(m *events.Message) (err error) {
	var written string
	if p.Kind() == strictjson.Number {
		raw, err := p.Raw()
		if err != nil {
			return err
		}
		written = string(raw)
	} else if err := p.Text(&written); err != nil || written == "" {
		return err
	}
	at, text, ok := transcript.Written(written)
	if !ok {
		return fault.New(fault.Unprocessable, fieldInvalid,
			"Expected a time in RFC 3339, or the seconds or milliseconds since 1970.")
	}
	m.At, m.AtText = &at, text
	return nil
}

func (p plain) attachments(m *events.Message) error {
	if null, err := p.Null(); null || err != nil {
		return err
	}
	return p.Array(func(int) (err error) {
		var a events.Attachment
		a.Extensions, err = p.object(func(field string) (bool, error) { return p.attachment(field, &a) })
		m.Attachments = append(m.Attachments, a)
		return err
	})
}

func (p plain) attachment(field string, a *events.Attachment) (known bool, err error) {
	switch field {
	case "url":
		return true, p.Text(&a.URL)
	case "content_type":
		return true, p.Text(&a.ContentType)
	case "name":
		return true, p.Text(&a.Name)
	case "bytes":
		return true, p.Int(&a.Bytes)
	case "content":
		if null, err := p.Null(); null || err != nil {
			return true, err
		}
		a.Content, err = p.Raw()
		return true, err
	}
	return false, nil
}
