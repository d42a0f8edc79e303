package dataverse

import (
	"context"
	"net/http"

	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// pushed is the choice of msdyn_workdistributionmode for work that is pushed.
const pushed = 192350000

// Workstream is a kind of work in Omnichannel.
type Workstream struct {
	ID   guid.ID
	Name string
	// Push says that the hub hands work out; from a workstream whose work is
	// picked, a bot gets none.
	Push     bool
	BotUser  guid.ID // the bot that conversations go to first, if any
	BotQueue guid.ID
	Fallback guid.ID // the queue of what no rule fits
}

func workstreamQuery(path string) query {
	return query{
		path:    path,
		columns: []string{"msdyn_liveworkstreamid", "msdyn_name", "msdyn_workdistributionmode", "_msdyn_bot_user_value", "_msdyn_bot_queue_value"},
		// The lookup is left out of a plain $select without a word (community).
		expand: "msdyn_defaultqueue($select=queueid)",
	}
}

func workstream(r row) Workstream {
	fallback, _ := value[row](r, "msdyn_defaultqueue")
	mode, known := value[int](r, "msdyn_workdistributionmode")
	return Workstream{
		ID: r.id("msdyn_liveworkstreamid"), Name: r.text("msdyn_name"), Push: known && mode == pushed,
		BotUser: r.id("_msdyn_bot_user_value"), BotQueue: r.id("_msdyn_bot_queue_value"), Fallback: fallback.id("queueid"),
	}
}

// Workstreams returns all of them. Needs prvReadmsdyn_liveworkstream and
// prvReadQueue.
func (c *Client) Workstreams(ctx context.Context) ([]Workstream, error) {
	rows, err := c.list(ctx, workstreamQuery("/msdyn_liveworkstreams"))
	if err != nil {
		return nil, wrap(err, "list workstreams")
	}
	var all []Workstream
	for _, r := range rows {
		all = append(all, workstream(r))
	}
	return all, nil
}

// Workstream returns one, dataverse-not-found where there is none. Needs what
// Workstreams does.
func (c *Client) Workstream(ctx context.Context, id guid.ID) (Workstream, error) {
	q := workstreamQuery(at("msdyn_liveworkstreams", id))
	a, err := c.do(ctx, controlplane.Request{Method: http.MethodGet, Path: q.path, Query: q.options()})
	if err != nil {
		return Workstream{}, wrap(err, "workstream %s", id)
	}
	r, err := readRow(a.Body)
	return workstream(r), wrap(err, "workstream %s", id)
}

// Kind is the type of a context variable's values.
type Kind int

// The kinds; those of Text, Number and Reference are documented, that of
// Boolean is community knowledge.
const (
	Text      Kind = 192350000
	Number    Kind = 192350001
	Boolean   Kind = 192350002
	Reference Kind = 192350100
)

// Variable is a context variable that a workstream defines.
type Variable struct {
	Name   string // in the case in which rules use it; compared exactly
	Kind   Kind
	System bool // made by the hub itself
}

// Variables returns the context variables that a workstream defines. What is
// sent under another name, the hub takes as text (documented: manage context
// variables). Needs prvReadmsdyn_ocliveworkstreamcontextvariable.
func (c *Client) Variables(ctx context.Context, workstream guid.ID) ([]Variable, error) {
	rows, err := c.list(ctx, query{
		path: "/msdyn_ocliveworkstreamcontextvariables", columns: []string{"msdyn_name", "msdyn_datatype", "msdyn_issystemdefined"},
		filter: "_msdyn_liveworkstreamid_value eq " + string(workstream),
	})
	if err != nil {
		return nil, wrap(err, "context variables of workstream %s", workstream)
	}
	var all []Variable
	for _, r := range rows {
		all = append(all, Variable{Name: r.text("msdyn_name"), Kind: Kind(r.number("msdyn_datatype")), System: r.truth("msdyn_issystemdefined")})
	}
	return all, nil
}

// AddVariable has a workstream define a context variable for texts, which human
// agents see. Needs prvCreatemsdyn_ocliveworkstreamcontextvariable and
// prvAppendTomsdyn_liveworkstream.
func (c *Client) AddVariable(ctx context.Context, workstream guid.ID, name string) error {
	_, err := c.create(ctx, "msdyn_ocliveworkstreamcontextvariables", map[string]any{
		"msdyn_name": name, "msdyn_displayname": name, "msdyn_datatype": Text, "msdyn_isdisplayable": true,
		"msdyn_liveworkstreamid@odata.bind": at("msdyn_liveworkstreams", workstream),
	})
	return wrap(err, "context variable %s of workstream %s", name, workstream)
}

// Widget is a chat widget, by which customers reach a workstream.
type Widget struct {
	ID         guid.ID
	Name       string
	AppID      guid.ID // data-app-id of its embed code
	Workstream guid.ID
	Snippet    string // its embed code, at most 2,000 characters
}

// Widgets returns the chat widgets of a workstream. Needs
// prvReadmsdyn_livechatconfig.
func (c *Client) Widgets(ctx context.Context, workstream guid.ID) ([]Widget, error) {
	rows, err := c.list(ctx, query{
		path:    "/msdyn_livechatconfigs",
		columns: []string{"msdyn_livechatconfigid", "msdyn_name", "msdyn_widgetappid", "msdyn_widgetsnippet", "_msdyn_liveworkstreamid_value"},
		filter:  "_msdyn_liveworkstreamid_value eq " + string(workstream),
	})
	if err != nil {
		return nil, wrap(err, "chat widgets of workstream %s", workstream)
	}
	var all []Widget
	for _, r := range rows {
		all = append(all, Widget{
			ID: r.id("msdyn_livechatconfigid"), Name: r.text("msdyn_name"), AppID: r.id("msdyn_widgetappid"),
			Workstream: r.id("_msdyn_liveworkstreamid_value"), Snippet: r.text("msdyn_widgetsnippet"),
		})
	}
	return all, nil
}
