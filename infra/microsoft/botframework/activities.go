// Package botframework reads hand-offs in the Bot Framework's dialect, as Power
// Virtual Agents and bots of the SDK send them: an event activity named
// handoff.initiate (Microsoft, "Transition conversations from bot to human",
// handoff protocol), alone, in a list, or in a Direct Line ActivitySet.
//
// It promises that no field is lost. What has a place in the canonical context
// goes there; everything else of an activity is kept under ExtensionKey, and
// everything else of a transcript's message in that message's extensions (its
// from included, for the canonical message has no place for an id). Oddities
// that can be understood are understood rather than refused, because the
// customer who waits did not write the bot.
package botframework

import (
	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/domain/intake/strictjson"
)

// ExtensionKey is where Context.Extensions has what an activity said beyond
// the canonical context: an object with
//
//   - activity: the fields of the activity that have no place of their own;
//   - other_activities: what the transcript had that is no message (traces,
//     typing, events), each with its position among all its activities;
//   - transcript_repeats: how many messages were the very same as an earlier
//     one, id included, and were therefore left out.
const ExtensionKey = "botframework"

// Set is what a request said. Its zero value says nothing.
type Set struct {
	// HandOffs has one element per handoff.initiate, in their order, not yet
	// held to any limit; see intake.HandOff.Check.
	HandOffs []intake.HandOff
	// Ignored counts the other activities. A receiver must ignore events whose
	// name it does not know (activity specification, A5002).
	Ignored int
}

// ParseActivities reads an activity, a list of activities, or an ActivitySet
// ({"activities": […], "watermark": …}).
//
// It fails with json-invalid for what is no JSON, field-invalid for what is no
// activity, and conversation-id-missing for a hand-off that has neither
// conversation.id nor, in its place, va_ConversationId. Type and name of an
// activity are compared exactly, as the specification says.
func ParseActivities(body []byte) (Set, error) {
	var s Set
	err := strictjson.Read(body, func(r *strictjson.Reader) error {
		if r.Kind() == strictjson.Array {
			return s.list(r, "")
		}
		return s.root(r)
	})
	if err != nil {
		return Set{}, err
	}
	return s, nil
}

// root reads an ActivitySet, known by its activities, or a single activity.
func (s *Set) root(r *strictjson.Reader) error {
	single, isSet := make(members), false
	err := r.Object(func(name string) (err error) {
		kind := r.Kind()
		if name != "activities" || kind != strictjson.Array && kind != strictjson.Null {
			single[name], err = r.Raw()
			return err
		}
		if isSet = true; kind == strictjson.Null {
			_, err = r.Null()
			return err
		}
		return s.list(r, "/activities")
	})
	if err != nil || isSet {
		return err
	}
	if single.text("type") == "" {
		// Most likely the plain dialect at the wrong address: ignoring it with
		// a 200 would lose a hand-off in silence.
		return fault.New(fault.Unprocessable, "field-invalid",
			"Expected an activity with a type, a list of activities, or an object with activities.").At("/type")
	}
	return s.add(single, "")
}

func (s *Set) list(r *strictjson.Reader, at string) error {
	return r.Array(func(i int) error {
		a, err := r.Members()
		if err != nil {
			return err
		}
		return s.add(a, at+strictjson.Index(i))
	})
}

func (s *Set) add(a members, at string) error {
	if a.text("type") != "event" || a.text("name") != "handoff.initiate" {
		s.Ignored++
		return nil
	}
	h, err := handOff(a, at)
	if err != nil {
		return err
	}
	s.HandOffs = append(s.HandOffs, h)
	return nil
}
