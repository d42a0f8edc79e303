// Package botfile reads the file that connects a bot to an agent hub: what
// connection.Plan says, in YAML, with the rules inline or in a file beside it.
//
// A file that is wrong anywhere is refused whole, and everything that is wrong
// is told at once, each with its line: a setting that was misspelt must not be
// taken for one that was left out.
package botfile

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
)

// MaxSize limits the file, and the rules file that it names.
const MaxSize = 1 << 20

// File is what a bot file says.
type File struct {
	connection.Plan
	// RulesFile names the file of the rules, relative to the bot file; then
	// Plan.Rules is empty.
	RulesFile string
	// ClientSecretFile, ApplicationSecretFile and DirectLineSecretFile name files
	// that hold a secret each, EmbedCodeFile one with the embed code of the hub's
	// chat widget; relative to the bot file. Secrets themselves have no place in it.
	ClientSecretFile, ApplicationSecretFile, DirectLineSecretFile, EmbedCodeFile string
	// Lines are where things stand: by JSON pointers, such as /endpoints/0/url.
	Lines map[string]int
}

// Line returns the line of the part that a pointer names, or of the nearest
// part around it; 0 for the file as a whole.
func (f *File) Line(pointer string) int {
	for pointer != "" {
		if line, ok := f.Lines[pointer]; ok {
			return line
		}
		pointer = pointer[:strings.LastIndexByte(pointer, '/')]
	}
	return 0
}

// Parse reads a bot file. What is wrong with it is an Unprocessable fault
// bot-file-invalid that lists every finding.
func Parse(source []byte) (*File, error) {
	r := reader{file: &File{Lines: make(map[string]int)}}
	if len(source) > MaxSize {
		r.find(&yaml.Node{Line: 1, Column: 1}, "the file is larger than %d bytes", MaxSize)
		return nil, r.err()
	}
	dec := yaml.NewDecoder(strings.NewReader(string(source)))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, unreadable(err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		r.find(&more, "the file holds more than one document")
	case !errors.Is(err, io.EOF):
		return nil, unreadable(err)
	}
	r.plan(doc.Content[0])
	if r.file.Rules != "" && r.file.RulesFile != "" {
		r.findings = append(r.findings, fault.Problem{Line: r.file.Lines["/rules_file"], Pointer: "/rules_file", Detail: "say either rules or rules_file, not both"})
	}
	return r.file, r.err()
}

func unreadable(err error) error {
	detail := strings.TrimPrefix(err.Error(), "yaml: ")
	if errors.Is(err, io.EOF) {
		detail = "the file is empty"
	}
	var line int
	if _, scan := fmt.Sscanf(detail, "line %d:", &line); scan == nil {
		_, detail, _ = strings.Cut(detail, ": ")
	}
	f := fault.New(fault.Unprocessable, code, "The bot file is no YAML: "+detail+".")
	f.Problems = []fault.Problem{{Line: max(line, 1), Detail: detail}}
	return f
}

func (r *reader) plan(n *yaml.Node) {
	p := &r.file.Plan
	r.mapping(n, "", fields{
		"name": text(&p.Name), "rules": text(&p.Rules), "rules_file": text(&r.file.RulesFile), "health_url": text(&p.HealthURL),
		"client_secret_file": text(&r.file.ClientSecretFile), "application_secret_file": text(&r.file.ApplicationSecretFile),
		"direct_line_secret_file": text(&r.file.DirectLineSecretFile), "embed_code_file": text(&r.file.EmbedCodeFile), "omnichannel": omnichannel,
		"regions_override": func(r *reader, n *yaml.Node, at string) {
			p.RegionsOverride = new(connection.OverridePlan)
			r.mapping(n, at, fields{"by": text(&p.RegionsOverride.By), "why": text(&p.RegionsOverride.Why)})
		},
		"bot":    group(fields{"id": text(&p.Bot.ID), "name": text(&p.Bot.Name), "version": text(&p.Bot.Version)}),
		"hub":    group(fields{"type": text(&p.Hub.Type), "organisation": text(&p.Hub.Organisation), "application_id": text(&p.Hub.ApplicationID)}),
		"notice": group(fields{"accepted_by": text(&p.Notice.AcceptedBy), "text_version": text(&p.Notice.TextVersion)}),
		"regions": func(r *reader, n *yaml.Node, at string) {
			p.Regions = new(events.Regions)
			r.mapping(n, at, fields{"bot": text(&p.Regions.Bot), "hub": text(&p.Regions.Hub), "log": text(&p.Regions.Log)})
		},
		"endpoints": list(func(r *reader, n *yaml.Node, at string) {
			var e connection.EndpointPlan
			r.mapping(n, at, fields{"id": text(&e.ID), "url": text(&e.URL), "mode": text(&e.Mode), "events": texts(&e.Events)})
			p.Endpoints = append(p.Endpoints, e)
		}),
	})
}

func omnichannel(r *reader, n *yaml.Node, at string) {
	o := new(connection.OmnichannelPlan)
	r.file.Omnichannel = o
	r.mapping(n, at, fields{
		"path": text(&o.Path), "routing": text(&o.Routing), "directory": text(&o.Directory), "client_id": text(&o.ClientID),
		"environment": text(&o.Environment), "bot_organisation": text(&o.BotOrganisation), "bot_schema": text(&o.BotSchema),
		"token_endpoint": text(&o.TokenEndpoint), "azure_bot": text(&o.AzureBot), "channel": text(&o.Channel),
		"queue": text(&o.Queue), "workstream": text(&o.Workstream),
		"add_hub_rules": truth(&o.AddHubRules), "take_over_endpoint": truth(&o.TakeOverEndpoint),
	})
}
