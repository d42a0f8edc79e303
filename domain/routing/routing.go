package routing

import (
	"encoding/json"
	"slices"
	"time"
)

// Queue is a line of waiting work that rules may choose.
// A Queue is a plain value; its zero value names no queue.
type Queue struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	HubQueue string `json:"hub_queue,omitempty"` // the queue's id at the agent hub
}

// Customer is what the bot claims to know about the person.
// The zero value is an unknown customer.
type Customer struct {
	ID, Name, Email, Phone string
	Verified               bool // the bot's claim
	PageURL, TimeZone      string
}

// Input is everything that a rule may look at. The zero value is an
// escalation of which nothing is known; it goes to the fallback queue unless a
// rule asks for absence. Route reads an Input and keeps nothing of it.
type Input struct {
	Topic        string
	Topics       []string
	LastPhrase   string
	Phrases      []string
	Language     string // BCP 47
	Channel      string
	Reason       string
	Customer     Customer
	Variables    map[string]json.RawMessage
	WishedQueue  string
	WishedSkills []string
	// WishedPriority is nil where the bot wished none.
	WishedPriority *int
	BotID, BotName string
	// At is the instant of the decision. Rules see it in the file's time zone.
	At time.Time
}

// Decision is where an escalation goes and why. It is made to be stored: with
// the rule set's source it explains itself for ever (see RuleSet.Explain).
// Customers' values stand in Misses[].Was and nowhere else.
type Decision struct {
	Queue     Queue    `json:"queue"`
	Priority  int      `json:"priority"` // 0 to 100, 100 first
	Skills    []string `json:"skills,omitempty"`
	Rule      string   `json:"rule,omitempty"` // empty for the fallback
	RuleIndex int      `json:"rule_index"`     // counts from 0; -1 for the fallback
	Fallback  bool     `json:"fallback"`
	RuleSet   string   `json:"rule_set"` // RuleSet.Hash
	// Outcomes has one byte for each rule of the set; see Outcome.
	Outcomes string `json:"outcomes"`
	// Misses are the rules that came nearest to matching, nearest first.
	Misses    []Miss `json:"misses,omitempty"`
	Evaluator string `json:"evaluator"`  // what evaluated the rules, with versions
	TimeZones string `json:"time_zones"` // the time zone data that was used
}

// Kind says in what way a condition failed.
type Kind string

// The kinds of a miss.
const (
	KindFalse    Kind = "false"    // the value is there and is another
	KindMissing  Kind = "missing"  // the bot sent no value, and there is no default
	KindDefault  Kind = "default"  // the bot sent no value, and the default fails
	KindMismatch Kind = "mismatch" // the value is of another type than the condition's
	KindError    Kind = "error"    // the condition failed while it ran, or took too much work
)

// Miss is a rule that nearly matched, in full.
type Miss struct {
	Rule      string `json:"rule"`
	RuleIndex int    `json:"rule_index"`
	// Condition is the first one that failed, such as "order_total at_least 500".
	Condition string `json:"condition"`
	// Failed is that condition's place in the rule, counted from 0: those of
	// `all` first, then `any` as one, then `when`.
	Failed int `json:"failed"`
	// Others is how many more of the rule's conditions failed.
	Others int  `json:"others,omitempty"`
	Kind   Kind `json:"kind"`
	// Was is the customer's value: personal data, which the caller seals. It
	// is an object of values for `any` and `when`, the error's text (which may
	// repeat a value) for KindError, and absent where there was no value.
	Was json.RawMessage `json:"was,omitempty"`
	// WasCut says that Was is only the beginning of the value, as a JSON text.
	WasCut bool `json:"was_cut,omitempty"`
}

// RuleSet is a checked rules file, ready to decide. Get one from Parse or Load; the
// zero value decides nothing. It never changes and is safe for concurrent use.
type RuleSet struct {
	source    []byte
	hash      string
	name      string
	zoneName  string
	location  *time.Location
	queues    []Queue
	fallback  int
	variables []variable
	subjects  map[string]subject // by the name that `when` uses
	rules     []rule
	tests     []testCase
	check     Check
}

// Hash returns "sha256:" and the hexadecimal digest of the exact source.
func (r *RuleSet) Hash() string { return r.hash }

// Name returns the name that the file gives itself, or "".
func (r *RuleSet) Name() string { return r.name }

// TimeZone returns the IANA name of the zone in which rules see the time.
func (r *RuleSet) TimeZone() string { return r.zoneName }

// Source returns a copy of the source as it was parsed.
func (r *RuleSet) Source() []byte { return slices.Clone(r.source) }

// Queues returns the declared queues in their order.
func (r *RuleSet) Queues() []Queue { return slices.Clone(r.queues) }

// Fallback returns the queue that takes what no rule matches.
func (r *RuleSet) Fallback() Queue { return r.queues[r.fallback] }

// Queue returns the declared queue with the given id.
func (r *RuleSet) Queue(id string) (Queue, bool) {
	i := slices.IndexFunc(r.queues, func(q Queue) bool { return q.ID == id })
	if i < 0 {
		return Queue{}, false
	}
	return r.queues[i], true
}

// Rule is one rule in words, for those who list rules.
type Rule struct {
	Name string
	Line int
	// Conditions are in plain English; all of them must hold.
	Conditions []string
	Queue      Queue
	Priority   int
	Skills     []string
}

// Rules returns the rules in their order.
func (r *RuleSet) Rules() []Rule {
	list := make([]Rule, len(r.rules))
	for i := range r.rules {
		u := &r.rules[i]
		list[i] = Rule{
			Name: u.name, Line: u.line, Queue: r.queues[u.queue],
			Priority: u.priority, Skills: slices.Clone(u.skills),
		}
		for j := range u.clauses {
			list[i].Conditions = append(list[i].Conditions, u.clauses[j].describe())
		}
	}
	return list
}
