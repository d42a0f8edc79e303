package connection_test

import (
	"strings"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/tests/scenario"
)

func TestSteps(t *testing.T) {
	t.Parallel()
	register := connection.RegisterApp{Session: 1, Fact: *registered("app-1")}
	enable := connection.EnableChannel{Session: 1, Fact: *enabled()}
	ready := connection.MakeReady{Session: 1}
	again := plus(until(connection.Disconnected), requested())
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"the application is registered":                        {Given: until(connection.Requested), When: register, Then: []events.Fact{registered("app-1")}},
		"the channel is enabled":                               {Given: until(connection.AppRegistered), When: enable, Then: []events.Fact{enabled()}},
		"the connection is ready":                              {Given: until(connection.ChannelEnabled), When: ready, Then: []events.Fact{&events.ConnectionReady{}}},
		"an application that is registered is not again":       {Given: until(connection.AppRegistered), When: register, Nothing: true},
		"a ready connection takes no step back":                {Given: until(connection.Ready), When: enable, Nothing: true},
		"it is ready once":                                     {Given: until(connection.Ready), When: ready, Nothing: true},
		"the channel comes after the application":              {Given: until(connection.Requested), When: enable, Fault: "step-too-early"},
		"ready comes after the channel":                        {Given: until(connection.AppRegistered), When: ready, Fault: "step-too-early"},
		"without rules nothing is ready":                       {Given: []events.Fact{requested(), registered("app-1"), enabled()}, When: ready, Fault: "rules-missing"},
		"a step of nothing":                                    {When: register, Nothing: true},
		"a step after the disconnect":                          {Given: until(connection.Disconnected), When: register, Nothing: true},
		"a step of the time before the disconnect":             {Given: again, When: register, Nothing: true},
		"a step of the time after it":                          {Given: again, When: connection.RegisterApp{Session: 2, Fact: *registered("app-2")}, Then: []events.Fact{registered("app-2")}},
		"a step of a time to come":                             {Given: again, When: connection.RegisterApp{Session: 3, Fact: *registered("app-2")}, Nothing: true},
		"a step that failed is taken when it succeeds":         {Given: plus(until(connection.Requested), failure("application", "hub-down")), When: register, Then: []events.Fact{registered("app-1")}},
		"rules of the time before the disconnect are in force": {Given: plus(again, registered("app-1"), enabled()), When: connection.MakeReady{Session: 2}, Then: []events.Fact{&events.ConnectionReady{}}},
	})
}

func TestFailStep(t *testing.T) {
	t.Parallel()
	fail := func(session int, step, code string) connection.FailStep {
		return connection.FailStep{Session: session, Fact: *failure(step, code)}
	}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"a failure is recorded":                        {Given: until(connection.Requested), When: fail(1, "application", "hub-down"), Then: []events.Fact{failure("application", "hub-down")}},
		"the same failure again says nothing":          {Given: plus(until(connection.Requested), failure("application", "hub-down")), When: fail(1, "application", "hub-down"), Nothing: true},
		"another failure is recorded":                  {Given: plus(until(connection.Requested), failure("application", "hub-down")), When: fail(1, "application", "app-taken"), Then: []events.Fact{failure("application", "app-taken")}},
		"a later step fails":                           {Given: until(connection.AppRegistered), When: fail(1, "channel", "hub-down"), Then: []events.Fact{failure("channel", "hub-down")}},
		"a failure that success overtook says nothing": {Given: until(connection.AppRegistered), When: fail(1, "application", "hub-down"), Nothing: true},
		"nor that of the channel":                      {Given: until(connection.ChannelEnabled), When: fail(1, "channel", "hub-down"), Nothing: true},
		"the last step fails":                          {Given: until(connection.ChannelEnabled), When: fail(1, "ready", "rules-missing"), Then: []events.Fact{failure("ready", "rules-missing")}},
		"a ready connection has no failed step":        {Given: until(connection.Ready), When: fail(1, "ready", "hub-down"), Nothing: true},
		"nor a disconnected one":                       {Given: until(connection.Disconnected), When: fail(1, "application", "hub-down"), Nothing: true},
		"nor one that is not there":                    {When: fail(0, "application", "hub-down"), Nothing: true},
		"a failure of another time says nothing":       {Given: plus(until(connection.Disconnected), requested()), When: fail(1, "application", "hub-down"), Nothing: true},
	})
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	ready := until(connection.Ready)
	set := func(change func(*events.EndpointSet)) connection.SetEndpoint {
		f := endpoint("desk")
		change(f)
		return connection.SetEndpoint{Fact: *f}
	}
	same := set(func(*events.EndpointSet) {})
	full := set(func(f *events.EndpointSet) { f.Mode = connection.ModeFull })
	some := set(func(f *events.EndpointSet) { f.Events = []string{"a", "b"} })
	gone := &events.EndpointDisabled{Endpoint: "desk", Code: "endpoint-gone"}
	off := connection.DisableEndpoint{Fact: *gone}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"an endpoint is added":                          {Given: ready, When: same, Then: []events.Fact{endpoint("desk")}},
		"before the connection is ready too":            {Given: until(connection.Requested), When: same, Then: []events.Fact{endpoint("desk")}},
		"the same again is nothing":                     {Given: plus(ready, endpoint("desk")), When: same, Nothing: true},
		"another mode is a change":                      {Given: plus(ready, endpoint("desk")), When: full, Then: []events.Fact{&full.Fact}},
		"other events are a change":                     {Given: plus(ready, endpoint("desk")), When: some, Then: []events.Fact{&some.Fact}},
		"another address is a change":                   {Given: plus(ready, &some.Fact), When: same, Then: []events.Fact{endpoint("desk")}},
		"a disabled one is set again":                   {Given: plus(ready, endpoint("desk"), gone), When: same, Then: []events.Fact{endpoint("desk")}},
		"the sixteenth is added":                        {Given: plus(ready, endpoints(connection.MaxEndpoints-1)...), When: same, Then: []events.Fact{endpoint("desk")}},
		"the seventeenth is refused":                    {Given: plus(ready, endpoints(connection.MaxEndpoints)...), When: same, Fault: "limit-exceeded"},
		"one of sixteen is changed":                     {Given: plus(ready, plus(endpoints(connection.MaxEndpoints-1), endpoint("desk"))...), When: full, Then: []events.Fact{&full.Fact}},
		"a name that fits no URL":                       {Given: ready, When: set(func(f *events.EndpointSet) { f.Endpoint = "my desk" }), Fault: "endpoint-name-invalid"},
		"an unknown mode":                               {Given: ready, When: set(func(f *events.EndpointSet) { f.Mode = "thick" }), Fault: "endpoint-mode-invalid"},
		"an endless address":                            {Given: ready, When: set(func(f *events.EndpointSet) { f.URL = "https://" + strings.Repeat("x", 2048) }), Fault: "limit-exceeded"},
		"endless events":                                {Given: ready, When: set(func(f *events.EndpointSet) { f.Events = make([]string, 33) }), Fault: "limit-exceeded"},
		"an endless event":                              {Given: ready, When: set(func(f *events.EndpointSet) { f.Events = []string{strings.Repeat("x", 257)} }), Fault: "limit-exceeded"},
		"of a connection that is not there":             {When: same, Fault: "connection-not-found"},
		"of one that is disconnected":                   {Given: until(connection.Disconnected), When: same, Fault: "connection-disconnected"},
		"it is disabled":                                {Given: plus(ready, endpoint("desk")), When: off, Then: []events.Fact{gone}},
		"it is disabled once":                           {Given: plus(ready, endpoint("desk"), gone), When: off, Nothing: true},
		"one that is not there":                         {Given: ready, When: off, Fault: "endpoint-not-found"},
		"it is disabled after the disconnect":           {Given: plus(ready, endpoint("desk"), drained()), When: off, Then: []events.Fact{gone}},
		"it is disabled without a reason: somebody did": {Given: plus(ready, endpoint("desk")), When: connection.DisableEndpoint{Fact: events.EndpointDisabled{Endpoint: "desk"}}, Then: []events.Fact{&events.EndpointDisabled{Endpoint: "desk", Code: "removed"}}},
	})
}

func TestAdoptRules(t *testing.T) {
	t.Parallel()
	adopt := connection.AdoptRules{Fact: *rules("sha256:2")}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"rules are adopted":                 {Given: until(connection.Ready), When: adopt, Then: []events.Fact{rules("sha256:2")}},
		"before the connection is ready":    {Given: until(connection.Requested), When: adopt, Then: []events.Fact{rules("sha256:2")}},
		"the same again are nothing":        {Given: plus(until(connection.Ready), rules("sha256:2")), When: adopt, Nothing: true},
		"earlier ones come back":            {Given: plus(until(connection.Ready), rules("sha256:2")), When: connection.AdoptRules{Fact: *rules("sha256:1")}, Then: []events.Fact{rules("sha256:1")}},
		"no rules are none":                 {Given: until(connection.Ready), When: connection.AdoptRules{}, Fault: "rules-missing"},
		"of a connection that is not there": {When: adopt, Fault: "connection-not-found"},
		"of one that is disconnected":       {Given: until(connection.Disconnected), When: adopt, Fault: "connection-disconnected"},
	})
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	drain := connection.Disconnect{Fact: *drained()}
	move := connection.Disconnect{Fact: events.Disconnected{Policy: events.PolicyMove, Target: "bank"}}
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"a ready connection drains":              {Given: until(connection.Ready), When: drain, Then: []events.Fact{drained()}},
		"a ready connection moves":               {Given: until(connection.Ready), When: move, Then: []events.Fact{&move.Fact}},
		"one that is not ready yet":              {Given: until(connection.Requested), When: drain, Then: []events.Fact{drained()}},
		"twice is one fact":                      {Given: until(connection.Disconnected), When: drain, Nothing: true},
		"twice, otherwise, is still one fact":    {Given: until(connection.Disconnected), When: move, Nothing: true},
		"again after it was requested again":     {Given: plus(until(connection.Disconnected), requested()), When: drain, Then: []events.Fact{drained()}},
		"draining needs a deadline":              {Given: until(connection.Ready), When: connection.Disconnect{Fact: events.Disconnected{Policy: events.PolicyDrain}}, Fault: "disconnect-incomplete"},
		"moving needs a target":                  {Given: until(connection.Ready), When: connection.Disconnect{Fact: events.Disconnected{Policy: events.PolicyMove}}, Fault: "disconnect-incomplete"},
		"moving to itself is refused":            {Given: until(connection.Ready), When: connection.Disconnect{Fact: events.Disconnected{Policy: events.PolicyMove, Target: "store"}}, Fault: "disconnect-incomplete"},
		"a policy that nobody knows":             {Given: until(connection.Ready), When: connection.Disconnect{Fact: events.Disconnected{Policy: "drop"}}, Fault: "disconnect-policy-invalid"},
		"a connection that is not there":         {When: drain, Fault: "connection-not-found"},
		"a mistake after the disconnect is moot": {Given: until(connection.Disconnected), When: connection.Disconnect{}, Nothing: true},
	})
	if got, want := *connection.DrainDeadline(noon().In(time.FixedZone("CET", 3600)), time.Hour), noon().Add(time.Hour); got != want {
		t.Errorf("DrainDeadline = %v, want %v", got, want)
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	for status, code := range map[connection.Status]string{
		connection.None: "connection-not-found", connection.Requested: "connection-not-ready", connection.AppRegistered: "connection-not-ready",
		connection.ChannelEnabled: "connection-not-ready", connection.Ready: "", connection.Disconnected: "connection-disconnected",
	} {
		err := connection.Refusal(connection.Decider.Fold(connection.State{}, until(status)...))
		if code == "" && err != nil || code != "" && !fault.Is(err, code) {
			t.Errorf("refusal of a connection that is %q = %v, want %q", status, err, code)
		}
	}
}

func TestEndpointTakes(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		endpoint connection.Endpoint
		takes    bool
	}{
		"all events":              {connection.Endpoint{}, true},
		"the event among others":  {connection.Endpoint{Events: []string{"a", "b"}}, true},
		"other events":            {connection.Endpoint{Events: []string{"a"}}, false},
		"nothing, being disabled": {connection.Endpoint{Disabled: "removed"}, false},
	} {
		if got := c.endpoint.Takes("b"); got != c.takes {
			t.Errorf("an endpoint of %s takes b: %t, want %t", sentence, got, c.takes)
		}
	}
}

func TestCommandsAreAddressed(t *testing.T) {
	t.Parallel()
	to := connection.To{1, 2, 3}
	for _, c := range []eh.Command{
		connection.Request{To: to},
		connection.RegisterApp{To: to},
		connection.EnableChannel{To: to},
		connection.MakeReady{To: to},
		connection.SetEndpoint{To: to},
		connection.DisableEndpoint{To: to},
		connection.AdoptRules{To: to},
		connection.FailStep{To: to},
		connection.Disconnect{To: to},
	} {
		if c.AggregateID() != [16]byte(to) || c.AggregateType() != "connection" || c.CommandType() == "" {
			t.Errorf("%T is addressed to %s %s", c, c.AggregateType(), c.AggregateID())
		}
	}
	if _, err := connection.Decider.Decide(connection.State{}, stranger{}); err == nil || fault.Of(err) != nil {
		t.Errorf("a command that is unknown: %v; want an error that is no fault, for it is ours", err)
	}
}

type stranger struct{ connection.To }

func (stranger) CommandType() eh.CommandType { return "Stranger" }
