package omnichannel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"handoff/events"
	"handoff/infra/microsoft/activity"
)

// Limits are the hub's. The zero value means those that are documented.
type Limits struct {
	Name  int // characters of a variable's name; 0 means 100
	Value int // characters of a value; 0 means 4,000. An older column reference says 512
	Count int // variables of a conversation; 0 means 100
	// Message is bytes of a whole message; 0 means 28 KiB. Two of them are
	// kept for what is put around it on its way.
	Message int
}

const envelope = 2 << 10

func (l Limits) withDefaults() Limits {
	return Limits{
		Name: cmp.Or(l.Name, 100), Value: cmp.Or(l.Value, 4_000), Count: cmp.Or(l.Count, 100),
		Message: cmp.Or(l.Message, 28<<10),
	}
}

// The variables that Handoff adds itself. A bot's variable of such a name, in
// any case, is left out.
const (
	VariableQueue      = "HandoffQueue"        // the queue that was chosen; the hub's rules obey it
	VariableEscalation = "HandoffEscalationId" // id of the escalation
	VariableURL        = "HandoffContextUrl"   // where everything can be read
	VariableLeftOut    = "HandoffLeftOut"      // names of what did not fit, if anything
)

// The findings. Codes never change once released.
const (
	FindingNameEmpty    = "variable-name-empty"    // left out
	FindingNameTooLong  = "variable-name-too-long" // left out
	FindingNameReserved = "variable-name-reserved" // left out
	FindingValueTooLong = "variable-value-too-long"
	FindingNumber       = "variable-number-as-text"
	FindingNull         = "variable-null"       // left out, since it says nothing
	FindingOverCount    = "variable-over-count" // left out
	FindingOverSize     = "variable-over-size"  // left out
	FindingSummary      = "summary-too-long"
)

// Finding is something that the hub does not get as the bot said it. It holds
// no value.
type Finding struct {
	Variable string // its name, or empty
	Code     string
	Detail   string
}

// Escalation is what the hub is told when a bot gives up.
type Escalation struct {
	Queue, ID, ContextURL string // empty ones are left out
	// Summary is what human agents read first. It is never shown to customers.
	Summary         string
	Topic, Language string
	Bot             events.Bot
	Context         events.Context
}

// Message returns the message that asks the hub for a human agent, and what it
// could not say. Handoff's own variables come first, then those that Power
// Virtual Agents has, then the bot's by name; each is there as it is or, if it
// is too long, with a word about it, until one of the hub's limits is reached.
// What is missing is listed in HandoffLeftOut.
func (e Escalation) Message(l Limits) (activity.Activity, []Finding) {
	l = l.withDefaults()
	own := e.own()
	room := l.Message - envelope - len(command(CommandEscalate, "", own).JSON())
	summary, findings := e.summary(l, room)
	room -= encoded(summary)

	s := selection{limits: l}
	if e.ContextURL != "" {
		s.where = VariableURL
	}
	s.take(e.candidates())
	kept, over := s.fit(l.Count-len(own), room)
	if len(s.out)+len(over) > 0 {
		// Once more, with room for the list of what is missing.
		kept, over = s.fit(l.Count-len(own)-1, room-leftOutRoom)
		own = append(own, leftOut(s.out, over))
	}
	findings = append(append(findings, s.findings...), over...)
	return command(CommandEscalate, summary, append(own, kept...)), findings
}

func (e Escalation) own() (own []variable) {
	for _, v := range []struct{ name, value string }{{VariableQueue, e.Queue}, {VariableEscalation, e.ID}, {VariableURL, e.ContextURL}} {
		if v.value != "" {
			own = append(own, text(v.name, v.value))
		}
	}
	return own
}

// summary returns the text, if it takes no more than half of the room.
func (e Escalation) summary(l Limits, room int) (string, []Finding) {
	n := characters(e.Summary)
	if n <= l.Value && encoded(e.Summary) <= room/2 {
		return e.Summary, nil
	}
	return instead(n, e.ContextURL), []Finding{{Code: FindingSummary, Detail: "The summary is longer than the hub takes."}}
}

// candidates returns the variables in the order in which they are taken, as
// the bot said them. Those of Power Virtual Agents that the bot did not say are
// made of what is known (Microsoft, "Hand off to a human agent", context
// variables; the docs have va_LastPhrases where bots send va_LastPhrase).
func (e Escalation) candidates() []candidate {
	x, said := e.Context, maps.Clone(e.Context.Variables)
	if said == nil {
		said = make(map[string]json.RawMessage)
	}
	for name, value := range map[string]any{
		"va_Scope": "bot", "va_LastTopic": e.Topic, "va_Topics": x.Topics, "va_LastPhrase": x.LastPhrase, "va_Phrases": x.Phrases,
		"va_ConversationId": x.ConversationID, "va_AgentMessage": x.MessageToAgent, "va_BotId": e.Bot.ID, "va_BotName": e.Bot.Name,
		"va_Language": e.Language,
	} {
		if known := activity.Marshal(value); nothing(said[name]) && !nothing(known) {
			said[name] = known
		}
	}
	var all []candidate
	for name, value := range said {
		all = append(all, candidate{name, value})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(rank(a.name), rank(b.name)), cmp.Compare(a.name, b.name))
	})
	return all
}

// candidate is a variable as the bot said it.
type candidate struct {
	name  string
	value json.RawMessage
}

// nothing reports whether a value is a null, an empty text or an empty list.
func nothing(v json.RawMessage) bool {
	return len(v) == 0 || slices.Contains([]string{"null", `""`, "[]"}, string(v))
}

// rank puts the variables of Power Virtual Agents before the bot's.
func rank(name string) int {
	if strings.HasPrefix(name, "va_") {
		return 0
	}
	return 1
}

// selection is the variables that the hub may get.
type selection struct {
	limits    Limits
	where     string // a value that is too long can be read
	variables []variable
	findings  []Finding
	out       []Finding // those of the findings whose variable is left out
}

// take makes variables of candidates, as far as the hub has a place for them.
func (s *selection) take(all []candidate) {
	for _, c := range all {
		value, says, ok := flat(c.value)
		switch n := characters(c.name); {
		case c.name == "":
			s.leave(c, FindingNameEmpty, "A variable has no name.")
		case n > s.limits.Name:
			s.leave(c, FindingNameTooLong, fmt.Sprintf("The name has %d characters, and the hub takes %d.", n, s.limits.Name))
		case reserved(c.name):
			s.leave(c, FindingNameReserved, "Handoff has a variable of this name.")
		case !ok:
			s.findings = append(s.findings, Finding{c.name, FindingNull, "The variable is null and not sent."})
		default:
			s.add(variable{c.name, value}, says)
		}
	}
}

func (s *selection) add(v variable, says string) {
	if says != "" {
		s.findings = append(s.findings, Finding{v.name, FindingNumber, says})
	}
	if n := v.length(); n > s.limits.Value {
		says := fmt.Sprintf("The value has %d characters, and the hub takes %d; it gets a word about that instead.", n, s.limits.Value)
		s.findings = append(s.findings, Finding{v.name, FindingValueTooLong, says})
		v = text(v.name, instead(n, s.where))
	}
	s.variables = append(s.variables, v)
}

func (s *selection) leave(c candidate, code, detail string) {
	f := Finding{c.name, code, detail}
	s.findings, s.out = append(s.findings, f), append(s.out, f)
}

func reserved(name string) bool {
	return slices.ContainsFunc([]string{VariableQueue, VariableEscalation, VariableURL, VariableLeftOut}, func(own string) bool {
		return strings.EqualFold(name, own)
	})
}

// fit returns as many variables as there is room for. A large one does not keep
// smaller ones behind it out.
func (s *selection) fit(count, room int) (kept []variable, over []Finding) {
	for _, v := range s.variables {
		switch cost := v.cost(); {
		case len(kept) >= count:
			over = append(over, Finding{v.name, FindingOverCount, fmt.Sprintf("The hub takes %d variables.", s.limits.Count)})
		case cost > room:
			over = append(over, Finding{v.name, FindingOverSize, fmt.Sprintf("The hub takes messages of %d bytes, and this variable needs %d that are not left.", s.limits.Message, cost)})
		default:
			kept = append(kept, v)
			room -= cost
		}
	}
	return kept, over
}

// Limits of the list of what is missing: bytes in the message, of its names and
// of all of it, and characters of one name.
const (
	leftOutNames = 1_600
	leftOutRoom  = 2 << 10
	leftOutName  = 60
)

// leftOut names what is missing, as far as there is room, and counts the rest.
func leftOut(groups ...[]Finding) variable {
	var named []string
	size, rest := 0, 0
	for _, f := range slices.Concat(groups...) {
		name := cmp.Or(f.Variable, "(no name)")
		if r := []rune(name); len(r) > leftOutName {
			name = string(r[:leftOutName]) + "…"
		}
		if size += text(name, "").cost(); size > leftOutNames {
			rest++
			continue
		}
		named = append(named, name)
	}
	list := strings.Join(named, ", ")
	if rest > 0 {
		list += fmt.Sprintf(" and %d more", rest)
	}
	return text(VariableLeftOut, list)
}
