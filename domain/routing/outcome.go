package routing

import "fmt"

// Result says how one rule came out in a decision.
type Result uint8

// The results of a rule.
const (
	NotTried Result = iota // an earlier rule had matched
	Matched
	Missed  // a condition did not hold
	Errored // a condition failed while it ran, which counts as a miss
)

// String returns the result in words.
func (r Result) String() string {
	switch r {
	case NotTried:
		return "not tried"
	case Matched:
		return "matched"
	case Missed:
		return "missed"
	case Errored:
		return "errored"
	}
	return fmt.Sprintf("result-%d", r)
}

// Outcome is how one rule came out. In Decision.Outcomes it is one byte:
//
//	=      matched
//	a..z   missed at condition 1 to 26
//	A..Z   missed at condition 27 to 52
//	!      a condition failed while it ran
//	.      not tried, because an earlier rule had matched
type Outcome struct {
	Result    Result
	Condition int // of a miss: the place of the first condition that failed, from 0
}

const letters = 26

func (o Outcome) encode() byte {
	switch {
	case o.Result == Matched:
		return '='
	case o.Result == Errored:
		return '!'
	case o.Result == NotTried:
		return '.'
	case o.Condition < letters:
		return 'a' + byte(o.Condition)
	}
	return 'A' + byte(o.Condition-letters)
}

// DecodeOutcomes reads Decision.Outcomes. A byte that no version of the rules
// language wrote is an error.
func DecodeOutcomes(s string) ([]Outcome, error) {
	list := make([]Outcome, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '=':
			list[i] = Outcome{Result: Matched}
		case c == '!':
			list[i] = Outcome{Result: Errored}
		case c == '.':
			list[i] = Outcome{Result: NotTried}
		case 'a' <= c && c <= 'z':
			list[i] = Outcome{Missed, int(c - 'a')}
		case 'A' <= c && c <= 'Z':
			list[i] = Outcome{Missed, int(c-'A') + letters}
		default:
			return nil, fmt.Errorf("decode outcomes: byte %d is %q", i, c)
		}
	}
	return list, nil
}
