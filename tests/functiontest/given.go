package functiontest

import (
	"handoff/domain/routing"
	"handoff/events"
)

// Rules is a small rules file: refunds to refunds, everything else to general.
const Rules = `version: 1
name: bench
fallback: general
queues:
  - {id: general, name: General}
  - {id: refunds, name: Refunds}
rules:
  - name: refunds
    all: [{topic: {is: Refund}}]
    then: {queue: refunds, priority: 60}
`

// OtherRules sends everything to one queue.
const OtherRules = `version: 1
fallback: elsewhere
queues: [{id: elsewhere, name: Elsewhere}]
`

// Requested is a request for a connection.
func Requested(id string) *events.ConnectionRequested {
	return &events.ConnectionRequested{
		Connection: id, Bot: events.Bot{ID: "bot-" + id},
		Hub:    events.Hub{Type: "generic", Organisation: "desk", ApplicationID: "app-" + id},
		Notice: events.Notice{AcceptedBy: "admin", TextVersion: "1"},
	}
}

// Adopted is the adoption of a rules file.
func Adopted(source string) *events.RulesAdopted {
	set, err := routing.Parse([]byte(source))
	if err != nil {
		panic(err) // the sources are constants
	}
	return &events.RulesAdopted{RuleSet: set.Hash(), Name: set.Name(), Source: source}
}

// Ready are the facts of a connection that takes escalations.
func Ready(id, rules string) []events.Fact {
	return []events.Fact{
		Requested(id), Adopted(rules),
		&events.EndpointSet{Endpoint: "desk", URL: "https://desk.example/in", Mode: "full"},
		&events.AppRegistered{HubType: "generic", Organisation: "desk", ApplicationID: "app-" + id},
		&events.ChannelEnabled{Channel: "webhook", By: "handoff"}, &events.ConnectionReady{},
	}
}

// Raised is an escalation about a topic.
func (b *Bench) Raised(number int, topic string) *events.EscalationRaised {
	return &events.EscalationRaised{
		Number: number, RaisedAt: b.Clock, ExpiresAt: b.Clock.AddDate(0, 0, 1), Topic: topic,
		Request: events.Request{Fingerprint: "f", Format: "plain"}, Context: &events.Context{ConversationID: "c"},
	}
}
