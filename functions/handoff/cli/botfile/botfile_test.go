package botfile_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/handoff/cli/botfile"
)

const whole = `# our shop
name: store-bot
bot: {id: b-1, name: Ella, version: "7"}
hub:
  type: generic
  organisation: store
  application_id: 12345
regions: {bot: eu, hub: eu, log: eu}
notice:
  accepted_by: ann@store.example
  text_version: "1"
endpoints:
  - url: https://desk.example/in
  - {id: archive, url: https://archive.example, mode: full, events: [handoff.escalation.routed.v1]}
rules_file: rules.yaml
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := botfile.Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := connection.Plan{
		Name: "store-bot", Bot: events.Bot{ID: "b-1", Name: "Ella", Version: "7"},
		Hub:     events.Hub{Type: "generic", Organisation: "store", ApplicationID: "12345"},
		Regions: &events.Regions{Bot: "eu", Hub: "eu", Log: "eu"},
		Notice:  connection.NoticePlan{AcceptedBy: "ann@store.example", TextVersion: "1"},
		Endpoints: []connection.EndpointPlan{
			{URL: "https://desk.example/in"},
			{ID: "archive", URL: "https://archive.example", Mode: "full", Events: []string{"handoff.escalation.routed.v1"}},
		},
	}
	if !reflect.DeepEqual(got.Plan, want) || got.RulesFile != "rules.yaml" {
		t.Errorf("Parse = %+v, rules file %q, want %+v", got.Plan, got.RulesFile, want)
	}
	for pointer, line := range map[string]int{"/name": 2, "/hub/organisation": 6, "/endpoints/1/url": 14, "/endpoints/0/mode": 13, "/unknown": 0, "": 0} {
		if got := got.Line(pointer); got != line {
			t.Errorf("Line(%q) = %d, want %d", pointer, got, line)
		}
	}
}

func TestParseOmnichannel(t *testing.T) {
	t.Parallel()
	got, err := botfile.Parse([]byte(`name: store-bot
hub: {type: omnichannel, organisation: contoso.crm4.dynamics.com}
omnichannel:
  path: relay
  routing: handoff
  directory: contoso.onmicrosoft.com
  client_id: c
  environment: e
  bot_organisation: o
  bot_schema: s
  token_endpoint: t
  azure_bot: a
  channel: teams
  queue: q
  workstream: w
  add_hub_rules: true
  take_over_endpoint: true
client_secret_file: client.txt
application_secret_file: application.txt
direct_line_secret_file: bot.txt
embed_code_file: widget.html
health_url: https://bot.example/health
regions_override: {by: ann, why: agreed}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := connection.OmnichannelPlan{AddHubRules: true, TakeOverEndpoint: true, OmnichannelSet: events.OmnichannelSet{
		Path: "relay", Routing: "handoff", Directory: "contoso.onmicrosoft.com", ClientID: "c", Environment: "e", BotOrganisation: "o", BotSchema: "s",
		TokenEndpoint: "t", AzureBot: "a", Channel: "teams", Queue: "q", Workstream: "w",
	}}
	if *got.Omnichannel != want || *got.RegionsOverride != (connection.OverridePlan{By: "ann", Why: "agreed"}) || got.HealthURL != "https://bot.example/health" {
		t.Errorf("Parse = %+v, %+v, %q", got.Omnichannel, got.RegionsOverride, got.HealthURL)
	}
	if got.ClientSecretFile != "client.txt" || got.ApplicationSecretFile != "application.txt" || got.DirectLineSecretFile != "bot.txt" || got.EmbedCodeFile != "widget.html" || got.Line("/omnichannel/queue") != 14 {
		t.Errorf("Parse = %+v, the queue in line %d", got, got.Line("/omnichannel/queue"))
	}
}

// A secret that stands in the file is not repeated where that is refused.
func TestParseTakesNoSecret(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"client_secret: hush", "omnichannel: {client_secret: hush}", "application_secret: hush", "direct_line_secret: hush", "omnichannel: {add_hub_rules: hush}"} {
		_, err := botfile.Parse([]byte(source))
		if !fault.Is(err, "bot-file-invalid") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestParseKeepsInlineRules(t *testing.T) {
	t.Parallel()
	f, err := botfile.Parse([]byte("name: a\nrules: |\n  version: 1\n  fallback: general\nbot:\n"))
	if err != nil || f.Rules != "version: 1\nfallback: general\n" {
		t.Errorf("rules = %q, %v", f.Rules, err)
	}
}

func TestParseTellsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"nothing at all":             {"", []string{"1: the file is empty"}},
		"no YAML":                    {"name: [", []string{"1: did not find expected node content"}},
		"a list in place of keys":    {"- name", []string{"1: here stand application_secret_file, bot, client_secret_file, direct_line_secret_file, embed_code_file, endpoints, health_url, hub, name, notice, omnichannel, regions, regions_override, rules, rules_file"}},
		"an unknown key":             {"name: a\nendpoint: x\n", []string{`2: "endpoint" is not known here; here may stand application_secret_file, bot, client_secret_file, direct_line_secret_file, embed_code_file, endpoints, health_url, hub, name, notice, omnichannel, regions, regions_override, rules, rules_file`}},
		"an unknown key further in":  {"hub: {type: generic, org: store}", []string{`1: "org" is not known here; here may stand application_id, organisation, type`}},
		"a key that stands twice":    {"name: a\nname: b\n", []string{`2: "name" stands here twice`}},
		"several findings, in order": {"name: [a]\nendpoints: x\nbot: {id: {}}\n", []string{`1: "name" is a text`, `2: "endpoints" is a list`, `3: "id" is a text`}},
		"rules twice":                {"rules: a\nrules_file: b\n", []string{"2: say either rules or rules_file, not both"}},
		"two documents":              {"name: a\n---\nname: b\n", []string{"2: the file holds more than one document"}},
		"an alias is not followed":   {"name: &a x\nrules: *a\n", []string{`2: "rules" is a text`}},
		"a key that is no text":      {"? {a: b}\n: c\n", []string{`1: "" is not known here; here may stand application_secret_file, bot, client_secret_file, direct_line_secret_file, embed_code_file, endpoints, health_url, hub, name, notice, omnichannel, regions, regions_override, rules, rules_file`}},
		"a huge file":                {"name: " + strings.Repeat("a", botfile.MaxSize), []string{"1: the file is larger than 1048576 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := botfile.Parse([]byte(c.in))
			if !fault.Is(err, "bot-file-invalid") {
				t.Fatalf("error = %v, want bot-file-invalid", err)
			}
			var got []string
			for _, p := range fault.Of(err).Problems {
				got = append(got, fmt.Sprintf("%d: %s", p.Line, p.Detail))
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("findings = %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	f.Add("name: &a [*a]\n<<: *a\n")
	f.Add("? [a]\n: !!binary x\n--- %\n")
	f.Fuzz(func(t *testing.T, s string) {
		file, err := botfile.Parse([]byte(s))
		if err != nil {
			if e := fault.Of(err); e == nil || e.Code != "bot-file-invalid" || len(e.Problems) == 0 || e.Problems[0].Line < 1 {
				t.Errorf("Parse(%q) fails with %v", s, err)
			}
			return
		}
		file.Line("/endpoints/0/url")
	})
}
