package connection_test

import (
	"strconv"
	"time"

	"handoff/domain/connection"
	"handoff/events"
)

func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

func requested() *events.ConnectionRequested {
	return &events.ConnectionRequested{
		Connection: "store", Bot: events.Bot{ID: "b1", Name: "Store bot"}, Hub: events.Hub{Type: "generic", Organisation: "acme", ApplicationID: "app-1"},
		Notice: events.Notice{AcceptedBy: "key_1", AcceptedAt: noon(), TextVersion: "2026-01"},
	}
}

func registered(app string) *events.AppRegistered {
	return &events.AppRegistered{HubType: "generic", Organisation: "acme", ApplicationID: app}
}

func enabled() *events.ChannelEnabled {
	return &events.ChannelEnabled{Channel: "webhook", By: "handoff"}
}

func rules(set string) *events.RulesAdopted {
	return &events.RulesAdopted{RuleSet: set, Source: "version: 1"}
}

func endpoint(id string) *events.EndpointSet {
	return &events.EndpointSet{Endpoint: id, URL: "https://desk.example.com/" + id, Mode: connection.ModeThin}
}

func endpoints(n int) (facts []events.Fact) {
	for i := range n {
		facts = append(facts, endpoint("e"+strconv.Itoa(i)))
	}
	return facts
}

func failure(step, code string) *events.StepFailed {
	return &events.StepFailed{Step: step, Code: code, Detail: "It did not work."}
}

func drained() *events.Disconnected {
	return &events.Disconnected{Policy: events.PolicyDrain, Deadline: new(noon().Add(time.Hour))}
}

// until returns the history of a connection with rules up to a status.
func until(s connection.Status) []events.Fact {
	all := []events.Fact{requested(), rules("sha256:1"), registered("app-1"), enabled(), &events.ConnectionReady{}, drained()}
	n := map[connection.Status]int{
		connection.Requested: 2, connection.AppRegistered: 3, connection.ChannelEnabled: 4, connection.Ready: 5, connection.Disconnected: 6,
	}[s]
	return all[:n:n]
}

// plus returns a history that goes on.
func plus(facts []events.Fact, more ...events.Fact) []events.Fact {
	return append(facts[:len(facts):len(facts)], more...)
}
