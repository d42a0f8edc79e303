package httpapi

import (
	"net/http"
	"strconv"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/infra/microsoft/botframework"
	"handoff/infra/standardwebhooks"
)

// Raised is the answer to a hand-off. It is flat, as conversation.Answer is.
type Raised struct {
	conversation.Answer

	StatusURL string `json:"status_url"`
	WhyURL    string `json:"why_url"`
}

func (s *server) raised(r *http.Request, a conversation.Answer) Raised {
	at := s.url(r, "/v1/escalations/"+a.EscalationID)
	return Raised{Answer: a, StatusURL: at + "/status", WhyURL: at + "/why"}
}

func (s *server) raise(x *exchange, r *http.Request) error {
	body, err := s.admitRaise(x, r)
	if err != nil {
		return err
	}
	sending, err := sendingOf(r.Header)
	if err != nil {
		return err
	}
	h, err := intake.ParsePlain(body)
	if err != nil {
		return err
	}
	a, err := s.handOver(x, r, h, sending)
	if err != nil {
		return err
	}
	x.Header().Set("Location", s.url(r, "/v1/escalations/"+a.EscalationID))
	return x.json(http.StatusAccepted, s.raised(r, a))
}

// handOver raises. An Idempotency-Key stands for a conversation id that is
// missing; a webhook-id does not, for each webhook has its own.
func (s *server) handOver(x *exchange, r *http.Request, h intake.HandOff, sending Request) (conversation.Answer, error) {
	if h.Context.ConversationID == "" && !sending.Strict {
		return conversation.Answer{}, fault.New(fault.Invalid, "conversation-id-missing",
			"Say which conversation this is: conversation_id is missing, and there is no Idempotency-Key to stand for it.")
	}
	return s.api.Raise(r.Context(), x.by, r.PathValue("connection"), h, sending)
}

// sendingOf returns what identifies a request: its Idempotency-Key, else its
// webhook-id.
func sendingOf(h http.Header) (Request, error) {
	key, err := parseIdempotencyKey(h.Values("Idempotency-Key"))
	if err != nil {
		return Request{}, err
	}
	trace, _ := parseTraceparent(h.Values("Traceparent"))
	if key != "" {
		return Request{Key: key, Strict: true, Trace: string(trace)}, nil
	}
	id := h.Get(standardwebhooks.HeaderID)
	if id != "" && (len(id) > maxKey || !isWord(id)) {
		return Request{}, fault.New(fault.Invalid, "webhook-id-invalid", "A webhook-id has up to 256 visible characters, without commas, semicolons or quotes.")
	}
	return Request{Key: id, Trace: string(trace)}, nil
}

// RaisedSet is the answer to activities among which are hand-offs.
type RaisedSet struct {
	Escalations []Raised `json:"escalations"`
}

// Ignored is the answer to activities among which are none.
type Ignored struct {
	Ignored int `json:"ignored"`
}

// activities raises each hand-off of a set by itself. If one can't be raised
// the set may be sent again whole: those before it are recognised.
func (s *server) activities(x *exchange, r *http.Request) error {
	body, err := s.admitRaise(x, r)
	if err != nil {
		return err
	}
	sending, err := sendingOf(r.Header)
	if err != nil {
		return err
	}
	set, err := botframework.ParseActivities(body)
	if err != nil {
		return err
	}
	if len(set.HandOffs) == 0 {
		return x.json(http.StatusOK, Ignored{Ignored: set.Ignored})
	}
	answers := make([]Raised, len(set.HandOffs))
	for i, h := range set.HandOffs {
		a, err := s.handOver(x, r, h, sendingOfActivity(sending, h.RequestID, i))
		if err != nil {
			return err
		}
		answers[i] = s.raised(r, a)
	}
	return x.json(http.StatusAccepted, RaisedSet{Escalations: answers})
}

// sendingOfActivity identifies one of a request's activities: by its own id,
// which is the same however it is sent, else by its place.
func sendingOfActivity(request Request, id string, i int) Request {
	switch {
	case id != "":
		request.Key, request.Strict = id, false
	case request.Key != "":
		request.Key += "#" + strconv.Itoa(i)
	}
	return request
}
