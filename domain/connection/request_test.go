package connection_test

import (
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/tests/scenario"
)

// asking is a request that differs from the usual one.
func asking(change func(*events.ConnectionRequested)) connection.Request {
	f := requested()
	change(f)
	return connection.Request{Fact: *f}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	usual := connection.Request{Fact: *requested()}
	full := connection.Request{Fact: *requested(), Endpoints: []events.EndpointSet{*endpoint("desk"), *endpoint("log")}, Rules: rules("sha256:1")}
	twice := connection.Request{Fact: *requested(), Endpoints: []events.EndpointSet{*endpoint("desk"), {Endpoint: "desk", URL: "https://other.example.com", Mode: "full"}}}
	otherBot := asking(func(f *events.ConnectionRequested) { f.Bot.ID = "b2" })
	scenario.Run(t, connection.Decider, map[string]scenario.Case{
		"a connection is requested":                  {When: usual, Then: []events.Fact{requested()}},
		"with endpoints and rules in one decision":   {When: full, Then: []events.Fact{requested(), endpoint("desk"), endpoint("log"), rules("sha256:1")}},
		"the same again changes nothing":             {Given: until(connection.Ready), When: usual, Nothing: true},
		"the same again applies changed endpoints":   {Given: until(connection.Ready), When: full, Then: []events.Fact{endpoint("desk"), endpoint("log")}},
		"the same again applies changed rules":       {Given: until(connection.Ready), When: connection.Request{Fact: *requested(), Rules: rules("sha256:2")}, Then: []events.Fact{rules("sha256:2")}},
		"another bot under the same name is refused": {Given: until(connection.Ready), When: otherBot, Fault: "connection-exists"},
		"another hub under the same name is refused": {Given: until(connection.Requested), When: asking(func(f *events.ConnectionRequested) { f.Hub.ApplicationID = "app-2" }), Fault: "connection-exists"},
		"another bot after a disconnect":             {Given: until(connection.Disconnected), When: otherBot, Then: []events.Fact{&otherBot.Fact}},
		"the same again after a disconnect":          {Given: until(connection.Disconnected), When: usual, Then: []events.Fact{requested()}},
		"the same again after a step failed":         {Given: plus(until(connection.Requested), failure("application", "app-taken")), When: usual, Then: []events.Fact{requested()}},
		"another bot after a step failed":            {Given: plus(until(connection.Requested), failure("application", "app-taken")), When: otherBot, Then: []events.Fact{&otherBot.Fact}},
		"an endpoint that is named twice is refused": {When: twice, Fault: "endpoint-named-twice"},
		"an endpoint without a mode is refused":      {When: connection.Request{Fact: *requested(), Endpoints: []events.EndpointSet{{Endpoint: "desk", URL: "https://d.example.com"}}}, Fault: "endpoint-mode-invalid"},
		"too many endpoints are refused":             {Given: plus(until(connection.Ready), endpoints(connection.MaxEndpoints)...), When: full, Fault: "limit-exceeded"},
	})
}

func TestRequestIsChecked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", connection.MaxText+1)
	for sentence, c := range map[string]struct {
		change        func(*events.ConnectionRequested)
		code, pointer string
	}{
		"no name":                         {func(f *events.ConnectionRequested) { f.Connection = "" }, "connection-name-invalid", "/name"},
		"a name in capitals":              {func(f *events.ConnectionRequested) { f.Connection = "Store" }, "connection-name-invalid", "/name"},
		"a name with a slash":             {func(f *events.ConnectionRequested) { f.Connection = "a/b" }, "connection-name-invalid", "/name"},
		"a name with a line break":        {func(f *events.ConnectionRequested) { f.Connection = "store\n" }, "connection-name-invalid", "/name"},
		"a name that begins with -":       {func(f *events.ConnectionRequested) { f.Connection = "-store" }, "connection-name-invalid", "/name"},
		"a name of 65 letters":            {func(f *events.ConnectionRequested) { f.Connection = strings.Repeat("a", 65) }, "connection-name-invalid", "/name"},
		"nobody accepted the notice":      {func(f *events.ConnectionRequested) { f.Notice.AcceptedBy = "" }, "notice-not-acknowledged", "/notice"},
		"which text was accepted":         {func(f *events.ConnectionRequested) { f.Notice.TextVersion = "" }, "notice-not-acknowledged", "/notice"},
		"no type of hub":                  {func(f *events.ConnectionRequested) { f.Hub.Type = "" }, "hub-incomplete", "/hub"},
		"no organisation":                 {func(f *events.ConnectionRequested) { f.Hub.Organisation = "" }, "hub-incomplete", "/hub"},
		"a long id of the bot":            {func(f *events.ConnectionRequested) { f.Bot.ID = long }, "limit-exceeded", "/bot/id"},
		"a long name of the bot":          {func(f *events.ConnectionRequested) { f.Bot.Name = long }, "limit-exceeded", "/bot/name"},
		"a long version of the bot":       {func(f *events.ConnectionRequested) { f.Bot.Version = long }, "limit-exceeded", "/bot/version"},
		"a long type of hub":              {func(f *events.ConnectionRequested) { f.Hub.Type = long }, "limit-exceeded", "/hub/type"},
		"a long organisation":             {func(f *events.ConnectionRequested) { f.Hub.Organisation = long }, "limit-exceeded", "/hub/organisation"},
		"a long application id":           {func(f *events.ConnectionRequested) { f.Hub.ApplicationID = long }, "limit-exceeded", "/hub/application_id"},
		"a long principal":                {func(f *events.ConnectionRequested) { f.Notice.AcceptedBy = long }, "limit-exceeded", "/notice/accepted_by"},
		"a long version of the text":      {func(f *events.ConnectionRequested) { f.Notice.TextVersion = long }, "limit-exceeded", "/notice/text_version"},
		"a long region of the bot":        {func(f *events.ConnectionRequested) { f.Regions = &events.Regions{Bot: long} }, "limit-exceeded", "/regions/bot"},
		"a long region of the hub":        {func(f *events.ConnectionRequested) { f.Regions = &events.Regions{Hub: long} }, "limit-exceeded", "/regions/hub"},
		"a long region of the log":        {func(f *events.ConnectionRequested) { f.Regions = &events.Regions{Log: long} }, "limit-exceeded", "/regions/log"},
		"the first of two that are long":  {func(f *events.ConnectionRequested) { f.Bot.ID, f.Notice.TextVersion = long, long }, "limit-exceeded", "/bot/id"},
		"a name of 64 letters is allowed": {func(f *events.ConnectionRequested) { f.Connection = strings.Repeat("a", 64) }, "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for range 20 { // the answer must not depend on the order of a map
				_, err := connection.Decider.Decide(connection.State{}, asking(c.change))
				f := fault.Of(err)
				if c.code == "" && err != nil || c.code != "" && (f == nil || f.Code != c.code || f.Pointer != c.pointer || f.Kind != fault.Unprocessable) {
					t.Fatalf("Decide: %v, want %s at %s", err, c.code, c.pointer)
				}
			}
		})
	}
}

func TestRequestSaysWhichEndpointIsWrong(t *testing.T) {
	t.Parallel()
	c := connection.Request{Fact: *requested(), Endpoints: []events.EndpointSet{*endpoint("desk"), {Endpoint: "log", Mode: "thick"}}}
	_, err := connection.Decider.Decide(connection.State{}, c)
	if f := fault.Of(err); f == nil || f.Pointer != "/endpoints/1/mode" {
		t.Errorf("Decide: %v, want a fault at /endpoints/1/mode", err)
	}
}
