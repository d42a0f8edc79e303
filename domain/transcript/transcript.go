// Package transcript reads what was said in the spellings that bots and hubs
// use for it, and puts transcripts together.
//
// It promises that the order of messages is kept as given, whatever their
// times and ids say (ids of real transcripts have gaps, and clocks differ), and
// that nothing is dropped unless the very same message stays.
package transcript

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"handoff/events"
)

// Role returns who wrote a message, from the word or number that a dialect has
// for it, and reports whether it is known. Words are compared without case.
//
// Numbers are those of Dataverse transcripts (0 bot, 1 user) and Omnichannel
// (1 customer); words those of the Bot Framework's activity specification
// (user, bot, skill) and Handoff's own.
func Role(written string) (from string, ok bool) {
	switch strings.ToLower(written) {
	case "user", "customer", "1":
		return events.FromCustomer, true
	case "bot", "skill", "0":
		return events.FromBot, true
	case "human_agent", "agent":
		return events.FromHumanAgent, true
	case "system":
		return events.FromSystem, true
	}
	return "", false
}

// Repeats returns the indexes of messages that say again, under the same id and
// word for word, what an earlier one said: activities are delivered at least
// once, and dropping such a twin loses nothing. A message under a known id that
// differs in anything is no repeat, nor is one without an id, for people do say
// "yes" twice.
func Repeats(messages []events.Message) []int {
	type twin struct {
		index int
		words string // of the first message with an id, once it is asked for
	}
	var repeats []int
	first := make(map[string]*twin, len(messages))
	for i, m := range messages {
		if m.ID == "" {
			continue
		}
		t, again := first[m.ID]
		if !again {
			first[m.ID] = &twin{index: i}
			continue
		}
		if t.words == "" {
			t.words = spelling(messages[t.index])
		}
		if k := spelling(m); k != "" && k == t.words {
			repeats = append(repeats, i)
		}
	}
	return repeats
}

// Merge returns a transcript that has everything of both and says how many
// messages later added. What later repeats word for word, ids and times
// included, is taken once for each time that earlier has it; the rest follows
// in its order. Either may be nil, and neither is changed.
func Merge(earlier, later *events.Transcript) (merged *events.Transcript, added int) {
	switch {
	case later == nil:
		return earlier, 0
	case earlier == nil:
		return later, len(later.Messages)
	}
	fresh := beyond(earlier.Messages, later.Messages)
	m := *earlier
	m.Messages = slices.Concat(earlier.Messages, fresh)
	m.Complete = later.Complete || earlier.Complete && len(fresh) == 0
	if later.URL != "" {
		m.URL = later.URL
	}
	if len(later.Extensions) > 0 {
		m.Extensions = maps.Clone(earlier.Extensions)
		if m.Extensions == nil {
			m.Extensions = make(map[string]json.RawMessage, len(later.Extensions))
		}
		maps.Copy(m.Extensions, later.Extensions)
	}
	return &m, len(fresh)
}

// beyond returns the messages of later that are not in earlier.
func beyond(earlier, later []events.Message) []events.Message {
	known := make(map[string]int, len(earlier))
	for _, m := range earlier {
		known[spelling(m)]++
	}
	var fresh []events.Message
	for _, m := range later {
		if k := spelling(m); k != "" && known[k] > 0 {
			known[k]--
			continue
		}
		fresh = append(fresh, m)
	}
	return fresh
}

// spelling returns the same text for the same message, wherever it was stored
// in between: encoding/json spells raw parts alike. It is empty for a message
// that can't be spelled, which therefore equals no other.
func spelling(m events.Message) string {
	b, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return string(b)
}
