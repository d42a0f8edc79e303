package listing

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/events"
)

// Streams are those whose ids begin alike.
type Streams struct {
	From, To events.StreamID // inclusive
	Number   int             // of the escalation; 0: any
	// Few says that the prefix is long enough to look them up: at most one
	// stream in 256 is left.
	Few bool
}

// All reports whether nothing is left out.
func (s Streams) All() bool { return s.From == streamOf(0x00) && s.To == streamOf(0xff) }

// One reports whether a whole id was given.
func (s Streams) One() bool { return s.From == s.To }

// Has reports whether a stream is among them.
func (s Streams) Has(id events.StreamID) bool {
	return bytes.Compare(s.From[:], id[:]) <= 0 && bytes.Compare(id[:], s.To[:]) <= 0
}

func streamOf(b byte) (id events.StreamID) {
	for i := range id {
		id[i] = b
	}
	return id
}

const (
	idDigits = 26 // of a whole id
	fewFrom  = 2
)

// ParsePrefix reads the beginning of an escalation's id, with or without "esc_"
// and with or without the number at its end. It reports an error where no id
// begins so.
func ParsePrefix(prefix string) (s Streams, err error) {
	if len(prefix) >= len(escid.Prefix) && strings.EqualFold(prefix[:len(escid.Prefix)], escid.Prefix) {
		prefix = prefix[len(escid.Prefix):]
	}
	prefix, number, numbered := strings.Cut(prefix, "-")
	if numbered {
		if s.Number, err = strconv.Atoi(number); err != nil || s.Number < 1 {
			return s, fmt.Errorf("number %q of an escalation's id", number)
		}
	}
	if s.From, s.To = streamOf(0x00), streamOf(0xff); prefix == "" {
		return s, nil
	}
	fill := func(digit string) (events.StreamID, error) {
		id, _, err := escid.Parse(escid.Prefix + prefix + strings.Repeat(digit, max(0, idDigits-len(prefix))))
		return id, err
	}
	if s.From, err = fill("0"); err == nil {
		s.To, err = fill("z")
	}
	s.Few = len(prefix) >= fewFrom
	return s, err
}

// NoEscalation is the fault for an id that leads to none.
func NoEscalation(prefix string) error {
	return fault.Newf(fault.NotFound, "escalation-not-found", "There is no escalation %.64q.", prefix)
}

// Ambiguous is the fault for a prefix that leads to several.
func Ambiguous(prefix string, found []Escalation) error {
	ids := make([]string, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	return fault.Newf(fault.Conflict, "escalation-ambiguous", "More than one escalation begins with %.64q: %s. Give more of the id.",
		prefix, strings.Join(ids, ", "))
}
