package conversation

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"handoff/domain/escid"
	"handoff/domain/transcript"
	"handoff/events"
)

// View is one escalation with everything that may be shown of it.
type View struct {
	ID string // see package escid
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
	// Hub is where the hub really had the escalation first; nil: not seen, or
	// it is a desk that keeps no records.
	Hub *HubChoice
}

// HubChoice is the queue that a hub chose.
type HubChoice struct {
	At        time.Time       `json:"at"` // when that was seen
	Queue     events.HubQueue `json:"queue"`
	Confirmed bool            `json:"confirmed"` // it is the one that was decided on
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
	switch f := f.(type) {
	case *events.EscalationRaised:
		v.views = append(v.views, View{ID: escid.Of(h.Stream, f.Number), Raised: *f})
	case *events.ContextErased:
		for i := range v.views {
			v.views[i].forget()
		}
	}
	if w := v.concerned(f); w != nil {
		w.observe(h, f, erased)
		w.Timeline = append(w.Timeline, Entry{Version: h.Version, At: h.At(), Type: h.Type, Actor: h.Actor, Message: words(f)})
	}
	for i := range v.views {
		if e, ok := v.state.Escalation(v.views[i].Raised.Number); ok {
			v.views[i].Escalation = e
		}
	}
}

// concerned returns the view of the escalation that a fact belongs to: the last
// one, but a transcript may be read so late that the next one was raised.
func (v *Viewer) concerned(f events.Fact) *View {
	number := len(v.views)
	switch f := f.(type) {
	case *events.TranscriptStored:
		number = f.Number
	case *events.TranscriptMissing:
		number = f.Number
	case *events.ContextRead:
		number = f.Number
	case *events.RelayStarted, *events.CheckRecognised, *events.BotConversationOpened, *events.BotConversationLost, *events.MessagesTaken,
		*events.MessageRelayed, *events.MessagesRefused, *events.RelayRested, *events.RelayEnded:
		number = 0 // the conversation's, which may have no escalation
	}
	if number < 1 || number > len(v.views) {
		return nil
	}
	return &v.views[number-1]
}

// forget drops what is private. The key is destroyed after the fact that says
// so, and until then private parts still open. A view of clear parts only is
// erased all the same.
func (w *View) forget() {
	w.Erased, w.Context = true, nil
	w.Routes, w.Timeline = slices.Clone(w.Routes), slices.Clone(w.Timeline)
	for i := range w.Routes {
		r := &w.Routes[i]
		r.Erased = r.Erased || len(r.Fact.Misses) > 0
		r.Fact.Misses = nil
	}
	for i := range w.Timeline {
		w.Timeline[i].Message = ""
	}
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
	case *events.RouteConfirmed:
		w.chose(HubChoice{At: h.At(), Queue: f.Queue, Confirmed: true})
	case *events.RouteOverruled:
		w.chose(HubChoice{At: h.At(), Queue: f.Queue})
	}
}

// chose notes the hub's choice beside the decision that was in force.
func (w *View) chose(c HubChoice) {
	if n := len(w.Routes); n > 0 {
		w.Routes = slices.Clone(w.Routes)
		w.Routes[n-1].Hub = &c
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
	c.VariableChanges = changes(older.VariableChanges, newer.VariableChanges)
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

// changes may be thousands, so that each can't be compared with each.
func changes(a, b []events.VariableChange) []events.VariableChange {
	known := make(map[string]bool, len(a))
	for _, c := range a {
		known[changeKey(c)] = true
	}
	out := slices.Clone(a)
	for _, c := range b {
		if !known[changeKey(c)] {
			out = append(out, c)
		}
	}
	return out
}

func changeKey(c events.VariableChange) string {
	at := ""
	if c.At != nil {
		at = c.At.UTC().String()
	}
	return strings.Join([]string{c.Name, c.Topic, at, string(c.Value)}, "\x00")
}

func overlay(a, b map[string]json.RawMessage) map[string]json.RawMessage {
	if len(a) == 0 {
		return b
	}
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
