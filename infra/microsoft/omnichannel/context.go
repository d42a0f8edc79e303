package omnichannel

import (
	"encoding/json"
	"maps"
	"time"

	"handoff/domain/fault"
	"handoff/domain/intake/strictjson"
	"handoff/domain/transcript"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/entra/guid"
)

// Opening is the event with which the hub begins a conversation with a bot
// (Microsoft, "Bot context: sample JSON payloads"; documented and observed). It
// tells what the hub knows.
type Opening struct {
	ConversationID string
	Channel        string // lcw is the chat widget
	Customer       Person
	At             time.Time // zero: not said
	Tags           []string
	Source         string  // sourceChannelId
	WorkItem       guid.ID // the hub's record of the conversation, or empty
	// Lookups are records that the hub related to the conversation, by the
	// variable that names them.
	Lookups map[string][]Lookup
	// Variables are all other context variables, as they are written.
	Variables map[string]json.RawMessage
}

// Person is who an activity is from.
type Person struct {
	ID, Name string
	// Role is one of events.From…, or empty where it is not known.
	Role string
}

// Lookup is a record in the hub's organisation.
type Lookup struct {
	ID   guid.ID
	Name string
}

const workItem = "msdyn_liveworkitemid"

// IsOpening reports whether an activity is that event. Its name is
// startConversation, and omnichannelSetContext in older samples.
func IsOpening(a activity.Activity) bool {
	return a.Is("startConversation") || a.Is("omnichannelSetContext")
}

// ReadOpening reads the event. What is missing or odd in it stays empty: the
// conversation goes on without. Its only faults, both Unprocessable and
// opening-invalid, are another activity and variables that are no object.
func ReadOpening(a activity.Activity) (Opening, error) {
	invalid := fault.New(fault.Unprocessable, "opening-invalid", "This is not the event with which the hub begins a conversation.")
	if !IsOpening(a) {
		return Opening{}, invalid.At("/name")
	}
	variables := a.Object("value")
	if raw := a["value"]; variables == nil && len(raw) > 0 && string(raw) != "null" {
		return Opening{}, invalid.At("/value")
	}
	o := Opening{ConversationID: a.Object("conversation").Text("id"), Channel: a.Text("channelId"), Customer: person(a.Object("from"))}
	o.At, _ = transcript.Time(a.Scalar("timestamp"))
	_, o.Tags = ParseTags(TagsOf(a))
	o.Source = channelData(a).Text("sourceChannelId")
	o.WorkItem, _ = guid.Parse(variables.Text(workItem))
	o.Variables = maps.Clone(variables)
	for name, raw := range variables {
		if found, ok := lookups(raw); ok {
			if o.Lookups == nil {
				o.Lookups = make(map[string][]Lookup)
			}
			o.Lookups[name] = found
			delete(o.Variables, name)
		}
	}
	if o.WorkItem != "" {
		delete(o.Variables, workItem)
	}
	return o, nil
}

// person reads who it is. Roles are numbers here (documented: 1 is the
// customer).
func person(a activity.Activity) Person {
	role, _ := transcript.Role(a.Scalar("role"))
	return Person{ID: a.Text("id"), Name: a.Text("name"), Role: role}
}

// lookups reads a list of records, all or none.
func lookups(raw json.RawMessage) ([]Lookup, bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, false
	}
	elements, err := strictjson.Elements(raw)
	if err != nil || len(elements) == 0 {
		return nil, false
	}
	found := make([]Lookup, len(elements))
	for i, e := range elements {
		a := activity.Activity{"record": e}.Object("record")
		id, ok := guid.Parse(a.Text("RecordId"))
		if !ok {
			return nil, false
		}
		found[i] = Lookup{ID: id, Name: a.Text("PrimaryDisplayValue")}
	}
	return found, true
}
