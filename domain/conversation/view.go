package conversation

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"handoff/domain/transcript"
	"handoff/events"
)

// View is one escalation with everything that may be shown of it.
type View struct {
	Escalation
	Raised events.EscalationRaised // its Context is merged into the one below
	// Context is what the bot said, later additions included. It is nil where
	// it was erased, and then Erased is set.
	Context *events.Context
	Erased  bool
	// Routes are the decisions, the last one in force.
	Routes   []Decision
	Timeline []Entry
}

// Decision is a route with its place in the stream.
type Decision struct {
	Version int
	At      time.Time
	Fact    events.EscalationRouted
	Erased  bool // the misses were erased
}

// Entry is one fact of an escalation's history.
type Entry struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	Type    string    `json:"type"`
	Actor   string    `json:"actor,omitempty"`
	Message string    `json:"message,omitempty"`
}

// Viewer builds views from the facts of one stream, in order. The zero value is
// ready to use; it is not safe for concurrent use.
type Viewer struct {
	state State
	views []View
}

// Observe takes the next fact, opened as far as it can be. erased says that it
// had a private part whose key is destroyed.
func (v *Viewer) Observe(h events.Header, f events.Fact, erased bool) {
	v.state = evolve(v.state, f)
	if raised, ok := f.(*events.EscalationRaised); ok {
		v.views = append(v.views, View{Raised: *raised})
	}
	if _, ok := f.(*events.ContextErased); ok {
		v.note(h, f)
		return
	}
	if len(v.views) == 0 {
		return
	}
	last := &v.views[len(v.views)-1]
	last.observe(h, f, erased)
	v.note(h, f)
}

// note adds the fact to the history of the escalation it falls into, and brings
// the state of the last one up to date.
func (v *Viewer) note(h events.Header, f events.Fact) {
	if len(v.views) == 0 {
		return
	}
	last := &v.views[len(v.views)-1]
	last.Escalation = v.state.Last
	last.Timeline = append(last.Timeline, Entry{Version: h.Version, At: h.At(), Type: h.Type, Actor: h.Actor, Message: words(f)})
}

func (w *View) observe(h events.Header, f events.Fact, erased bool) {
	switch f := f.(type) {
	case *events.EscalationRaised:
		w.Context, w.Erased = f.Context, erased
		w.Raised.Context = nil
	case *events.EscalationContextAdded:
		w.Erased = w.Erased || erased
		w.Context = Merge(w.Context, f.Context)
	case *events.TranscriptStored:
		w.Erased = w.Erased || erased
		if f.Transcript != nil {
			w.Context = Merge(w.Context, &events.Context{Transcript: f.Transcript})
		}
	case *events.EscalationRouted:
		w.Routes = append(w.Routes, Decision{Version: h.Version, At: h.At(), Fact: *f, Erased: erased})
	}
}

func words(f events.Fact) string {
	var w *events.Words
	switch f := f.(type) {
	case *events.EscalationAccepted:
		w = f.Words
	case *events.EscalationCompleted:
		w = f.Words
	case *events.EscalationFailed:
		w = f.Words
	}
	if w == nil {
		return ""
	}
	return w.Message
}

// State returns the conversation's state after what was observed.
func (v *Viewer) State() State { return v.state }

// Escalation returns the view of the escalation with a number.
func (v *Viewer) Escalation(number int) (View, bool) {
	if number < 1 || number > len(v.views) {
		return View{}, false
	}
	return v.views[number-1], true
}

// Escalations returns the views of all escalations, the first one first.
func (v *Viewer) Escalations() []View { return slices.Clone(v.views) }

// Merge returns what is known after two hand-offs: newer single values replace
// older ones, lists and transcripts grow by what they lack.
func Merge(older, newer *events.Context) *events.Context {
	if older == nil || newer == nil {
		if older == nil {
			older = newer
		}
		return older
	}
	c := *older
	c.ConversationID = either(newer.ConversationID, older.ConversationID)
	c.LastPhrase = either(newer.LastPhrase, older.LastPhrase)
	c.MessageToAgent = either(newer.MessageToAgent, older.MessageToAgent)
	c.Summary = either(newer.Summary, older.Summary)
	c.Topics, c.Phrases = union(older.Topics, newer.Topics), union(older.Phrases, newer.Phrases)
	if newer.Customer != nil {
		c.Customer = newer.Customer
	}
	if newer.Wishes != nil {
		c.Wishes = newer.Wishes
	}
	c.Variables, c.Extensions = overlay(older.Variables, newer.Variables), overlay(older.Extensions, newer.Extensions)
	c.VariableChanges = append(slices.Clone(older.VariableChanges), newer.VariableChanges...)
	c.Transcript, _ = transcript.Merge(older.Transcript, newer.Transcript)
	return &c
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func overlay(a, b map[string]json.RawMessage) map[string]json.RawMessage {
	if len(a) == 0 {
		return b
	}
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
