package emission

import (
	"encoding/json"
	"time"

	"handoff/domain/escid"
	"handoff/events"
)

// head is what the data of every type begins with.
type head struct {
	EscalationID string `json:"escalation_id"`
	ConnectionID string `json:"connection_id"`
	// MovedFrom is the connection that the conversation belongs to, where the
	// escalation moved to another.
	MovedFrom      string `json:"moved_from,omitempty"`
	ConversationID string `json:"conversation_id,omitempty"`
	HandoffNumber  int    `json:"handoff_number"`
	Erased         bool   `json:"erased,omitempty"`
}

// routed is the data of Routed and ContextAdded.
type routed struct {
	head
	RaisedAt   time.Time     `json:"raised_at"`
	ExpiresAt  time.Time     `json:"expires_at"`
	Queue      *events.Queue `json:"queue,omitempty"`
	Priority   int           `json:"priority"`
	Skills     []string      `json:"skills,omitempty"`
	Route      *route        `json:"route,omitempty"`
	Reason     string        `json:"reason,omitempty"`
	Topic      string        `json:"topic,omitempty"`
	Language   string        `json:"language,omitempty"`
	Channel    string        `json:"channel,omitempty"`
	Bot        *events.Bot   `json:"bot,omitempty"`
	Transcript transcript    `json:"transcript"`
	Links      links         `json:"links"`
	*said
}

// said is what makes an event full: all that the bot knew.
type said struct {
	MessageToAgent  string                     `json:"message_to_agent,omitempty"`
	Summary         string                     `json:"summary,omitempty"`
	Customer        *events.Customer           `json:"customer,omitempty"`
	Topics          []string                   `json:"topics,omitempty"`
	LastPhrase      string                     `json:"last_phrase,omitempty"`
	Phrases         []string                   `json:"phrases,omitempty"`
	Variables       map[string]json.RawMessage `json:"variables,omitempty"`
	VariableChanges []events.VariableChange    `json:"variable_changes,omitempty"`
	Wishes          *events.Wishes             `json:"wishes,omitempty"`
	Extensions      map[string]json.RawMessage `json:"extensions,omitempty"`
}

type route struct {
	Rule     string `json:"rule,omitempty"`
	Fallback bool   `json:"fallback"`
	RuleSet  string `json:"rule_set"`
	Moved    bool   `json:"moved,omitempty"`
	Tried    []miss `json:"tried,omitempty"`
}

// miss is a rule that nearly matched. Its value is the customer's.
type miss struct {
	Rule   string          `json:"rule"`
	Failed string          `json:"failed"`
	Was    json.RawMessage `json:"was,omitempty"`
}

type transcript struct {
	Count    int  `json:"count"`
	Complete bool `json:"complete"`
	// Pending: it is at a URL that was not read yet; an event will follow.
	Pending  bool             `json:"pending,omitempty"`
	URL      string           `json:"url,omitempty"`
	Messages []events.Message `json:"messages,omitempty"`
}

type links struct {
	Context string `json:"context"`
	Why     string `json:"why"`
	Status  string `json:"status"`
}

// reported is the data of Accepted, Completed, Failed and Expired.
type reported struct {
	head
	At      time.Time     `json:"at"`
	Queue   *events.Queue `json:"queue,omitempty"`
	Code    string        `json:"code,omitempty"`
	Message string        `json:"message,omitempty"`
	Links   links         `json:"links"`
}

// erased is the data of ContextErased: receivers of the context of any of the
// escalations must erase it too.
type erased struct {
	head
	EscalationIDs []string  `json:"escalation_ids"`
	ErasedAt      time.Time `json:"erased_at"`
	Reason        string    `json:"reason,omitempty"`
}

func (b Builder) data(in Input, typ string, full bool) any {
	switch typ {
	case Routed, ContextAdded:
		return b.routed(in, full)
	case ContextErased:
		return b.erased(in)
	default:
		return b.reported(in, full)
	}
}

func headOf(in Input) head {
	h := head{
		EscalationID: escid.Of(in.Stream, in.View.Number), ConnectionID: in.Connection,
		HandoffNumber: in.View.Number, Erased: in.View.Erased,
	}
	if in.Home != in.Connection {
		h.MovedFrom = in.Home
	}
	if c := in.View.Context; c != nil && !in.View.Erased {
		h.ConversationID = c.ConversationID
	}
	return h
}

func (b Builder) routed(in Input, full bool) routed {
	raised := in.View.Raised
	d := routed{
		head: headOf(in), RaisedAt: raised.RaisedAt, ExpiresAt: raised.ExpiresAt,
		Reason: raised.Reason, Topic: raised.Topic, Language: raised.Language, Channel: raised.Channel,
		Transcript: transcriptOf(in, full), Links: b.links(in),
	}
	if raised.Bot != (events.Bot{}) {
		d.Bot = &raised.Bot
	}
	if n := len(in.View.Routes); n > 0 {
		f := in.View.Routes[n-1].Fact
		d.Queue, d.Priority, d.Skills = &f.Queue, f.Priority, f.Skills
		d.Route = routeOf(f, full, in.View.Erased)
	}
	if full {
		d.said = saidIn(in.View.Context)
	}
	return d
}

func saidIn(c *events.Context) *said {
	if c == nil {
		return nil
	}
	return &said{
		MessageToAgent: c.MessageToAgent, Summary: c.Summary, Customer: c.Customer, Topics: c.Topics,
		LastPhrase: c.LastPhrase, Phrases: c.Phrases, Variables: c.Variables, VariableChanges: c.VariableChanges,
		Wishes: c.Wishes, Extensions: c.Extensions,
	}
}

// routeOf explains a route. Thin events say which rules were nearly met, not
// with which of the customer's values.
func routeOf(f events.EscalationRouted, full, erased bool) *route {
	r := &route{Rule: f.Route.Rule, Fallback: f.Route.Fallback, RuleSet: f.Route.RuleSet, Moved: f.Moved}
	var misses []struct {
		Rule      string          `json:"rule"`
		Condition string          `json:"condition"`
		Was       json.RawMessage `json:"was"`
	}
	if erased || json.Unmarshal(f.Misses, &misses) != nil {
		return r // without misses: an explanation in another shape is no reason to send nothing
	}
	for _, m := range misses {
		if !full {
			m.Was = nil
		}
		r.Tried = append(r.Tried, miss{Rule: m.Rule, Failed: m.Condition, Was: m.Was})
	}
	return r
}

func transcriptOf(in Input, full bool) transcript {
	t := transcript{Count: in.View.Raised.Counts.Messages, Pending: in.View.Pending && !in.View.Erased}
	if c := in.View.Context; c != nil && c.Transcript != nil && !in.View.Erased {
		t.Complete = c.Transcript.Complete
		t.Count = max(t.Count, len(c.Transcript.Messages))
		if full {
			t.URL, t.Messages = c.Transcript.URL, c.Transcript.Messages
		}
	}
	return t
}

func (b Builder) links(in Input) links {
	base := b.Base + "/v1/escalations/" + escid.Of(in.Stream, in.View.Number)
	return links{Context: base + "/context", Why: base + "/why", Status: base + "/status"}
}

func (b Builder) reported(in Input, full bool) reported {
	d := reported{head: headOf(in), At: in.At.UTC(), Links: b.links(in)}
	if n := len(in.View.Routes); n > 0 {
		d.Queue = &in.View.Routes[n-1].Fact.Queue
	}
	var words *events.Words
	switch f := in.Fact.(type) {
	case *events.EscalationAccepted:
		d.Code, words = f.Code, f.Words
	case *events.EscalationCompleted:
		d.Code, words = f.Code, f.Words
	case *events.EscalationFailed:
		d.Code, words = f.Code, f.Words
	case *events.EscalationExpired:
		d.Code = "expired"
	}
	if full && words != nil {
		d.Message = words.Message
	}
	return d
}

func (b Builder) erased(in Input) erased {
	d := erased{head: headOf(in), ErasedAt: in.At.UTC()}
	if f, ok := in.Fact.(*events.ContextErased); ok {
		d.Reason = f.Reason
	}
	d.Erased, d.ConversationID = true, ""
	for n := range in.View.Number {
		d.EscalationIDs = append(d.EscalationIDs, escid.Of(in.Stream, n+1))
	}
	return d
}
