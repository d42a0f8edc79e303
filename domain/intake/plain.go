package intake

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/domain/intake/strictjson"
	"handoff/domain/transcript"
	"handoff/events"
)

// ParsePlain reads a hand-off in the plain dialect. It does not check limits;
// see Check. A body without a conversation id (nor a va_ConversationId among
// its variables) is returned as it is, for an idempotency key may stand in.
//
// What is no JSON is Invalid (json-invalid), and a field of the wrong kind
// Unprocessable (field-invalid). Null and an empty text mean "not said". Fields
// that Handoff does not know are kept in Context.Extensions at the place that
// they have in the body: an unknown field of customer under customer, one of
// the third variable change under variable_changes and "2". Messages and
// attachments have extensions of their own.
func ParsePlain(body []byte) (HandOff, error) {
	h := HandOff{Format: FormatPlain}
	err := strictjson.Read(body, func(r *strictjson.Reader) error {
		p := plain{Reader: r, h: &h}
		return p.Object(p.field)
	})
	if err != nil {
		return HandOff{}, err
	}
	h.FillFromVariables()
	return h, nil
}

type raws = map[string]json.RawMessage

// plain reads one body. Each of its methods reads the value at hand.
type plain struct {
	*strictjson.Reader
	h *HandOff
}

func (p plain) field(name string) error {
	h, x := p.h, &p.h.Context
	switch name {
	case "conversation_id":
		return p.Text(&x.ConversationID)
	case "raised_at":
		return p.raisedAt()
	case "reason":
		return p.Text(&h.Reason)
	case "topic":
		return p.Text(&h.Topic)
	case "topics":
		return p.Texts(&x.Topics)
	case "last_phrase":
		return p.Text(&x.LastPhrase)
	case "phrases":
		return p.Texts(&x.Phrases)
	case "language":
		return p.Text(&h.Language)
	case "channel":
		return p.Text(&h.Channel)
	case "message_to_agent":
		return p.Text(&x.MessageToAgent)
	case "summary":
		return p.Text(&x.Summary)
	case "customer":
		return p.part(name, p.customer)
	case "bot":
		return p.part(name, p.bot)
	case "variables":
		return p.variables()
	case "variable_changes":
		return p.changes()
	case "transcript":
		return p.transcript()
	case "wishes":
		return p.part(name, p.wishes)
	}
	return p.keep(&x.Extensions, name)
}

// keep keeps a field that is not known.
func (p plain) keep(in *raws, name string) error {
	raw, err := p.Raw()
	if err != nil {
		return err
	}
	if *in == nil {
		*in = make(raws)
	}
	(*in)[name] = raw
	return nil
}

// extend keeps the unknown fields of a known one under the name of the latter.
func (p plain) extend(name string, unknown any) error {
	raw, err := json.Marshal(unknown)
	if err != nil {
		return fmt.Errorf("keep unknown fields of %s: %w", name, err)
	}
	if p.h.Context.Extensions == nil {
		p.h.Context.Extensions = make(raws)
	}
	p.h.Context.Extensions[name] = raw
	return nil
}

// part reads an object whose known fields are read by known, which reports
// false for a name that it does not know.
func (p plain) part(name string, known func(field string) (bool, error)) error {
	if null, err := p.Null(); null || err != nil {
		return err
	}
	unknown, err := p.object(known)
	if err != nil || len(unknown) == 0 {
		return err
	}
	return p.extend(name, unknown)
}

func (p plain) object(known func(field string) (bool, error)) (unknown raws, err error) {
	err = p.Object(func(field string) error {
		if ok, err := known(field); ok || err != nil {
			return err
		}
		return p.keep(&unknown, field)
	})
	return unknown, err
}

func (p plain) customer(field string) (bool, error) {
	x := &p.h.Context
	if x.Customer == nil {
		x.Customer = new(events.Customer)
	}
	c := x.Customer
	switch field {
	case "id":
		return true, p.Text(&c.ID)
	case "name":
		return true, p.Text(&c.Name)
	case "email":
		return true, p.Text(&c.Email)
	case "phone":
		return true, p.Text(&c.Phone)
	case "verified":
		return true, p.Bool(&c.Verified)
	case "page_url":
		return true, p.Text(&c.PageURL)
	case "time_zone":
		return true, p.Text(&c.TimeZone)
	}
	return false, nil
}

func (p plain) bot(field string) (bool, error) {
	switch field {
	case "id":
		return true, p.Text(&p.h.Bot.ID)
	case "name":
		return true, p.Text(&p.h.Bot.Name)
	case "version":
		return true, p.Text(&p.h.Bot.Version)
	}
	return false, nil
}

func (p plain) wishes(field string) (bool, error) {
	x := &p.h.Context
	if x.Wishes == nil {
		x.Wishes = new(events.Wishes)
	}
	switch field {
	case "queue":
		return true, p.Text(&x.Wishes.Queue)
	case "skills":
		return true, p.Texts(&x.Wishes.Skills)
	case "priority":
		return true, p.priority(x.Wishes)
	}
	return false, nil
}

func (p plain) priority(w *events.Wishes) error {
	if null, err := p.Null(); null || err != nil {
		return err
	}
	var n int64
	err := p.Int(&n)
	// Far out of range is out of range, also where an int has 32 bits.
	w.Priority = new(int(min(max(n, -1), MaxPriority+1)))
	return err
}

func (p plain) raisedAt() error {
	var written string
	if err := p.Text(&written); err != nil || written == "" {
		return err
	}
	at, err := instant(written)
	if err != nil {
		return err
	}
	p.h.RaisedAt = at
	return nil
}

// instant reads RFC 3339. The instant that .NET writes for "not set" is zero.
func instant(written string) (time.Time, error) {
	_, fraction, _ := strings.Cut(written, ".")
	digits := len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
	at, ok := transcript.Time(written)
	if !ok || digits > 9 {
		return time.Time{}, fault.New(fault.Unprocessable, fieldInvalid,
			"Expected a time in RFC 3339, such as 2026-11-22T09:10:12.5Z, with at most nine digits after the point.")
	}
	return at, nil
}
