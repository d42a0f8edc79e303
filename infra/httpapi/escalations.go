package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/listing"
	"handoff/events"
)

// reported are the statuses that a hub may report.
func reported() []conversation.Status {
	return []conversation.Status{conversation.Accepted, conversation.Failed, conversation.Completed}
}

// filters are the statuses by which the list of escalations can be cut.
func filters() []string {
	return []string{
		"open", string(conversation.Raised), string(conversation.Routed), string(conversation.Accepted),
		string(conversation.Completed), string(conversation.Failed), string(conversation.Expired),
	}
}

func (s *server) escalations(x *exchange, r *http.Request) error {
	query := r.URL.Query()
	page, err := pageOf(query)
	if err != nil {
		return err
	}
	status, err := oneOf(query, "status", filters()...)
	if err != nil {
		return err
	}
	conn, err := within(x.by, cmp.Or(r.PathValue("connection"), query.Get("connection")))
	if err != nil {
		return err
	}
	rows, next, err := s.api.Escalations(r.Context(), x.by, listing.EscalationQuery{
		Page: page, Tenant: x.by.Tenant, Connection: conn, Status: status, Queue: query.Get("queue"), IDPrefix: query.Get("id"),
	})
	if err != nil {
		return err
	}
	return writePage(s, x, r, rows, next)
}

// EscalationDetail is an escalation with what happened to it.
type EscalationDetail struct {
	listing.Escalation

	Timeline []conversation.Entry `json:"timeline"`
}

func (s *server) escalation(x *exchange, r *http.Request) error {
	e, timeline, err := s.api.Escalation(r.Context(), x.by, r.PathValue("escalation"))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, EscalationDetail{Escalation: e, Timeline: notNil(timeline)})
}

func (s *server) status(x *exchange, r *http.Request) error {
	e, _, err := s.api.Escalation(r.Context(), x.by, r.PathValue("escalation"))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, e)
}

func (s *server) report(x *exchange, r *http.Request) error {
	var b struct {
		state         conversation.Status
		code, message string
	}
	if err := s.decode(x, r, fields{"state": text(&b.state), "code": text(&b.code), "message": text(&b.message)}); err != nil {
		return err
	}
	if !slices.Contains(reported(), b.state) {
		return fault.Newf(fault.Unprocessable, "state-unknown", "A hub reports accepted, failed or completed, not %q.", shorten(string(b.state))).At("/state")
	}
	e, err := s.api.Report(r.Context(), x.by, r.PathValue("escalation"), b.state, b.code, b.message)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, e)
}

func (s *server) why(x *exchange, r *http.Request) error {
	w, err := s.api.Why(r.Context(), x.by, r.PathValue("escalation"))
	if err != nil {
		return err
	}
	w.Lines = notNil(w.Lines)
	return x.json(http.StatusOK, w)
}

// EscalationContext is everything that the bot said of an escalation, in the
// fields of the request that raised it.
type EscalationContext struct {
	EscalationID string              `json:"escalation_id"`
	Number       int                 `json:"handoff_number"`
	Status       conversation.Status `json:"status"`
	Queue        events.Queue        `json:"queue,omitzero"`
	RaisedAt     time.Time           `json:"raised_at"`
	Reason       string              `json:"reason,omitempty"`
	Topic        string              `json:"topic,omitempty"`
	Language     string              `json:"language,omitempty"`
	Channel      string              `json:"channel,omitempty"`
	Bot          events.Bot          `json:"bot,omitzero"`
	// TranscriptPending says that the transcript is still to be read from the
	// bot's URL.
	TranscriptPending bool `json:"transcript_pending,omitempty"`
	// Erased says that an earlier part of the context was erased.
	Erased bool `json:"erased,omitempty"`

	*events.Context

	// Timeline is what happened, with what human agents wrote.
	Timeline []conversation.Entry `json:"timeline"`
}

func (s *server) context(x *exchange, r *http.Request) error {
	v, err := s.api.Context(r.Context(), x.by, r.PathValue("escalation"))
	if err != nil {
		return err
	}
	if v.Context == nil {
		return fault.New(fault.Gone, "context-erased", "The context of this escalation was erased.")
	}
	return x.json(http.StatusOK, contextOf(v))
}

func contextOf(v conversation.View) EscalationContext {
	return EscalationContext{
		EscalationID: v.ID, Number: v.Number, Status: v.Status, Queue: v.Queue,
		RaisedAt: v.Raised.RaisedAt, Reason: v.Raised.Reason, Topic: v.Raised.Topic, Language: v.Raised.Language,
		Channel: v.Raised.Channel, Bot: v.Raised.Bot, TranscriptPending: v.Pending, Erased: v.Erased, Context: v.Context,
		Timeline: notNil(v.Timeline),
	}
}

func (s *server) eraseOne(x *exchange, r *http.Request) error {
	done, err := s.api.Erase(r.Context(), x.by, Erasure{Escalation: r.PathValue("escalation")})
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, done)
}

func (s *server) erase(x *exchange, r *http.Request) error {
	var e Erasure
	err := s.decode(x, r, fields{
		"escalation_id": text(&e.Escalation), "customer_id": text(&e.CustomerID), "customer_email": text(&e.CustomerEmail),
		"customer_phone": text(&e.CustomerPhone), "reason": text(&e.Reason),
	})
	if err != nil {
		return err
	}
	done, err := s.api.Erase(r.Context(), x.by, e)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, done)
}
