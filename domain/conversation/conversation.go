// Package conversation decides what becomes of a bot's conversation: its
// escalations, numbered 1, 2, … inside one stream, their routes, their ends and
// the erasure of what they carried.
//
// At most one escalation is open at a time. While it is, every further hand-off
// is a repeat of it and gets its answer; what a repeat says that is new is
// added, not lost. After its end the next hand-off is the next number.
//
// The state holds nothing personal: what it keeps of requests are keyed hashes.
package conversation

import (
	"slices"
	"time"

	"handoff/domain"
	"handoff/domain/relay"
	"handoff/events"
)

// Decider decides conversations.
//
//nolint:gochecknoglobals // a constant in all but syntax
var Decider = domain.Decider[State]{Kind: events.KindConversation, StateVersion: 2, Evolve: evolve, Decide: decide}

// What the state keeps at most.
const (
	MaxRequests     = 32  // request ids that are recognised again
	MaxEarlier      = 8   // ended escalations whose answer is at hand
	MaxFingerprints = 16  // contexts of one escalation that are recognised again
	MaxReads        = 500 // readings by links, which are facts that strangers add
)

// Status is where an escalation stands.
type Status string

// The statuses. The last three are ends.
const (
	Raised    Status = "raised"
	Routed    Status = "routed"
	Accepted  Status = "accepted"
	Completed Status = "completed"
	Failed    Status = "failed"
	Expired   Status = "expired"
)

// Open reports whether the status is not an end.
func (s Status) Open() bool { return s == Raised || s == Routed || s == Accepted }

// State is a conversation. Its zero value is one that never left the bot.
type State struct {
	Version  int          `json:"version"` // of the stream
	Last     Escalation   `json:"last,omitzero"`
	Earlier  []Escalation `json:"earlier,omitempty"` // newest first
	Requests []Seen       `json:"requests,omitempty"`
	Erasures int          `json:"erasures,omitempty"`
	// Sealed says that something may have been sealed since the last erasure.
	Sealed bool `json:"sealed,omitempty"`
	// Read is the ref of the last reading by a link, and Reads how many there were.
	Read  string `json:"read,omitempty"`
	Reads int    `json:"reads,omitempty"`
	// Relay is nil where Handoff does not stand in the conversation's way.
	Relay *relay.State `json:"relay,omitempty"`
}

// Escalation is one of the conversation's escalations, without what is private.
type Escalation struct {
	Number       int          `json:"number"`
	Status       Status       `json:"status"`
	RaisedAt     time.Time    `json:"raised_at"`
	Deadline     time.Time    `json:"deadline"`
	DeadlineCode string       `json:"deadline_code,omitempty"` // fails with it; empty: expires
	Connection   string       `json:"connection,omitempty"`    // whose rules and endpoints apply
	Connected    int          `json:"connected,omitempty"`     // version of that connection at the decision
	Queue        events.Queue `json:"queue,omitzero"`
	Priority     int          `json:"priority,omitempty"`
	Rule         string       `json:"rule,omitempty"`
	Fallback     bool         `json:"fallback,omitempty"`
	RoutedAt     int          `json:"routed_at,omitempty"` // version of its last EscalationRouted
	Pending      bool         `json:"pending,omitempty"`   // its transcript is not read yet
	Code         string       `json:"code,omitempty"`      // of its end
	Fingerprints []string     `json:"fingerprints,omitempty"`
	// HubQueue is the id of the queue in which the hub has it, and Agent the ref
	// of the human agent there; Judged says that the hub's choice was compared.
	HubQueue string `json:"hub_queue,omitempty"`
	Judged   bool   `json:"judged,omitempty"`
	Agent    string `json:"agent,omitempty"`
	// Check is the queue of the check that raised it; nil: a customer did.
	Check *events.Queue `json:"check,omitempty"`
}

// Seen is a request that the conversation knows.
type Seen struct {
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint,omitempty"` // gone after an erasure
	Number      int    `json:"number"`
}

// KeyGeneration implements domain.Keyed.
func (s State) KeyGeneration() int { return s.Erasures }

// Open returns the open escalation.
func (s State) Open() (Escalation, bool) { return s.Last, s.Last.Status.Open() }

// openNumber returns the number of the open escalation, 0 for none.
func (s State) openNumber() int {
	if e, open := s.Open(); open {
		return e.Number
	}
	return 0
}

// Escalation returns the escalation with a number, if the state still has it.
func (s State) Escalation(number int) (Escalation, bool) {
	if s.Last.Number == number && number > 0 {
		return s.Last, true
	}
	i := slices.IndexFunc(s.Earlier, func(e Escalation) bool { return e.Number == number })
	if i < 0 {
		return Escalation{}, false
	}
	return s.Earlier[i], true
}

// Repeats returns the number of the escalation that a request is a repeat of,
// or 0 if it asks for a new one.
func (s State) Repeats(request string) int {
	if seen, ok := s.seen(request); ok {
		return seen.Number
	}
	if e, open := s.Open(); open {
		return e.Number
	}
	return 0
}

func (s State) seen(request string) (Seen, bool) {
	i := slices.IndexFunc(s.Requests, func(r Seen) bool { return r.ID == request })
	if i < 0 || request == "" {
		return Seen{}, false
	}
	return s.Requests[i], true
}

func evolve(s State, f events.Fact) State {
	s.Version++
	s.Sealed = true
	switch f := f.(type) {
	case *events.EscalationRaised:
		s = s.raised(f)
	case *events.EscalationContextAdded:
		s.Last.Fingerprints = keep(s.Last.Fingerprints, f.Request.Fingerprint, MaxFingerprints)
		s = s.remember(f.Request, f.Number)
	case *events.EscalationRouted:
		s.Last = s.Last.routed(f, s.Version)
	case *events.EscalationDeadlineSet:
		s.Last.Deadline, s.Last.DeadlineCode = f.Deadline, f.Code
	case *events.EscalationAccepted:
		s.Last.Status = Accepted
	case *events.EscalationCompleted:
		s.Last = s.Last.ended(Completed, f.Code)
	case *events.EscalationFailed:
		s.Last = s.Last.ended(Failed, f.Code)
	case *events.EscalationExpired:
		s.Last = s.Last.ended(Expired, "expired")
	case *events.TranscriptStored:
		s = s.settled(f.Number)
	case *events.TranscriptMissing:
		s = s.settled(f.Number)
	case *events.ContextRead:
		s.Read, s.Reads = f.Ref, s.Reads+1
	case *events.ContextErased:
		s = s.erased(f.Generation)
	}
	s.Last = s.Last.observed(f)
	s.Relay = relay.Evolve(s.Relay, s.Version, f)
	return s
}

func (s State) raised(f *events.EscalationRaised) State {
	if s.Last.Number > 0 {
		s.Earlier = slices.Insert(slices.Clone(s.Earlier), 0, s.Last)
		s.Earlier = s.Earlier[:min(len(s.Earlier), MaxEarlier)]
	}
	s.Last = Escalation{
		Number: f.Number, Status: Raised, RaisedAt: f.RaisedAt, Deadline: f.ExpiresAt, Pending: f.TranscriptPending,
		Fingerprints: []string{f.Request.Fingerprint},
	}
	if check := s.Relay.Checked(); check != nil {
		s.Last.Check = new(check.Queue)
	}
	return s.remember(f.Request, f.Number)
}

// settled notes that the transcript of an escalation is pending no more.
func (s State) settled(number int) State {
	if s.Last.Number == number {
		s.Last.Pending = false
		return s
	}
	s.Earlier = slices.Clone(s.Earlier)
	for i := range s.Earlier {
		s.Earlier[i].Pending = s.Earlier[i].Pending && s.Earlier[i].Number != number
	}
	return s
}

// remember keeps a request's id once, dropping the oldest beyond MaxRequests.
func (s State) remember(r events.Request, number int) State {
	if _, known := s.seen(r.ID); r.ID != "" && !known {
		s.Requests = keep(s.Requests, Seen{ID: r.ID, Fingerprint: r.Fingerprint, Number: number}, MaxRequests)
	}
	return s
}

// erased drops what was made with the destroyed key: it can't be compared any
// more. Transcripts that are still to be read will not be stored.
func (s State) erased(generation int) State {
	s.Erasures, s.Sealed = generation+1, false
	s.Last.Fingerprints, s.Last.Pending = nil, false
	s.Requests = slices.Clone(s.Requests)
	for i := range s.Requests {
		s.Requests[i].Fingerprint = ""
	}
	s.Earlier = slices.Clone(s.Earlier)
	for i := range s.Earlier {
		s.Earlier[i].Fingerprints, s.Earlier[i].Pending = nil, false
	}
	return s
}

func (e Escalation) routed(f *events.EscalationRouted, version int) Escalation {
	if e.Status == Raised || f.Moved {
		e.Status = Routed
	}
	e.Connection, e.Connected, e.Queue, e.Priority = f.Connection, f.ConnectionVersion, f.Queue, f.Priority
	e.Rule, e.Fallback, e.RoutedAt = f.Route.Rule, f.Route.Fallback, version
	e.HubQueue, e.Judged = "", false
	return e
}

func (e Escalation) ended(s Status, code string) Escalation {
	e.Status, e.Code, e.Fingerprints = s, code, nil
	return e
}

// keep appends v and drops the oldest beyond n. It never changes all in place.
func keep[T any](all []T, v T, n int) []T {
	all = append(slices.Clone(all), v)
	return all[max(0, len(all)-n):]
}
