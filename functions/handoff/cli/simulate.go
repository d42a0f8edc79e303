package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/microsoft/hosts"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/hub"
)

func (a *app) simulateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "simulate", GroupID: groupRun, Short: "Stand in for an agent hub, on this machine only",
		Long:    "Stands in for an agent hub and what belongs to it, on this machine only, for people without an account and for tests.",
		Example: "  handoff simulate microsoft",
	}
	c.AddCommand(a.simulateMicrosoftCommand())
	return parent(c)
}

// simulateOptions say what to simulate.
type simulateOptions struct {
	port      int
	connected bool
	messages  string
	plan      string
}

func (a *app) simulateMicrosoftCommand() *cobra.Command {
	var o simulateOptions
	c := &cobra.Command{
		Use: "microsoft", Args: names(), Short: "Stand in for Microsoft's cloud: bot, chat widget, Omnichannel",
		Long: "Serves a fake of Microsoft's cloud on this machine until Ctrl-C: Azure AD (Entra ID), Azure Bot Service, Dataverse, a Power Virtual Agents " +
			"(Copilot Studio) bot behind Direct Line, and Omnichannel, with the customer's chat widget and the human agents' desks as pages for a browser. " +
			"It checks requests as strictly as the documentation says the real services do, can be told to misbehave, and forgets everything when it stops.\n\n" +
			"Nothing leaves this machine, and no account is needed. HANDOFF_STOP_WITH_STDIN=true stops it at the end of standard input, too.",
		Example: "  handoff simulate microsoft --write-plan store.yaml\n  handoff simulate microsoft --connected   # after a restart\n" +
			"  handoff simulate microsoft --port 0 --json",
		Annotations: after("handoff demo --hub omnichannel   the whole flow in one command"),
		RunE:        func(c *cobra.Command, _ []string) error { return a.simulateMicrosoft(c.Context(), o) },
	}
	f := c.Flags()
	f.IntVar(&o.port, "port", 9400, "first `port`, on which it is controlled; pages and services are on those after it; 0: any free ports")
	f.BoolVar(&o.connected, "connected", false, "begin as a finished connection leaves it, for a server that is connected already")
	f.StringVar(&o.plan, "write-plan", "", "write a `file` for handoff connect omnichannel, its secrets in files beside it")
	f.StringVar(&o.messages, "messages", "http://127.0.0.1:8480/v1/messages/default/"+simulation.ConnectionName,
		"`URL` to which the Azure Bot posts at first: that of handoff serve for the file's connection")
	return c
}

// simulationVariable is the setting that leads Handoff to a fake.
const simulationVariable = "HANDOFF_MICROSOFT_SIMULATION"

// findMicrosoft has commands look around in the fake, where one is set.
func (a *app) findMicrosoft(ctx context.Context) error {
	control, _ := a.Env(simulationVariable)
	if control == "" {
		return nil
	}
	all, err := hosts.Simulated(ctx, http.DefaultClient, control)
	if err != nil {
		return err
	}
	a.Microsoft = all.Connecting
	return nil
}

// simulateMicrosoft serves the fake until ctx ends, which is no error.
func (a *app) simulateMicrosoft(ctx context.Context, o simulateOptions) (err error) {
	config := simulation.Example(clock.Real(a.Now))
	config.Port, config.Bots[0].Endpoint = o.port, o.messages
	if o.connected {
		simulation.Connected(&config)
	}
	cloud, err := simulation.New(config)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if v, _ := a.Env("HANDOFF_STOP_WITH_STDIN"); v == "true" {
		go func() {
			defer stop()
			_, _ = io.Copy(io.Discard, a.in) // however it ends, it ended
		}()
	}
	running, err := cloud.Start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		stop()
		err = errors.Join(err, running.Wait())
	}()
	if o.plan != "" {
		if err := writeExample(o.plan, running.URLs); err != nil {
			return err
		}
	}
	if err := a.showSimulation(running, o.plan); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// page is one for a browser.
type page struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// simulated says where everything of a fake is.
type simulated struct {
	URLs    *simulation.URLs `json:"urls"`
	Widgets []page           `json:"widgets"`
	Desks   []page           `json:"desks"`
	// Environment is what handoff needs in order to use it.
	Environment map[string]string `json:"environment"`
	Plan        string            `json:"plan,omitempty"` // file for handoff connect omnichannel
}

func (a *app) showSimulation(r *simulation.Running, plan string) error {
	widgets, people := r.Hub().Places()
	s := simulated{
		URLs: r.URLs, Widgets: pagesOf(r.URLs.Pages+"/widgets/", widgets), Desks: pagesOf(r.URLs.Pages+"/desks/", people),
		Environment: map[string]string{simulationVariable: r.URLs.Control}, Plan: plan,
	}
	return errors.Join(a.print(s, func() { a.tellSimulation(s) }), a.out.Flush())
}

func pagesOf(base string, places []hub.Place) (all []page) {
	for _, p := range places {
		all = append(all, page{p.Name, base + p.ID})
	}
	return all
}

func (a *app) tellSimulation(s simulated) {
	a.out.Printf("%s\n\n", terminal.Bold("Microsoft's cloud, simulated: nothing leaves this machine. Ctrl-C stops it."))
	table := &terminal.Table{Header: []string{"what", "of", "address"}, Fixed: []int{2}}
	for _, w := range s.Widgets {
		table.Row("customer's widget", w.Name, w.URL)
	}
	for _, d := range s.Desks {
		table.Row("human agent's desk", d.Name, d.URL)
	}
	table.Row("control", "", s.URLs.Control)
	a.out.Table(table)
	a.commands("Use it, from other terminals", useOf(s)...)
	faults := s.URLs.Control + "/faults"
	a.commands("Make it misbehave",
		`curl `+faults+` -d '{"host": "connector", "status": 429, "retry_after": 5}'`,
		`curl `+faults+` -d '{"host": "directline-europe", "route": "GET *", "delay": 20}'`,
		`curl -X DELETE `+faults, `curl -X POST `+s.URLs.Control+`/keys/rotate`, `curl `+s.URLs.Control+`/calls`)
}

// useOf returns the commands that lead from here to a conversation.
func useOf(s simulated) []string {
	with := simulationVariable + "=" + s.URLs.Control + " "
	file := cmp.Or(s.Plan, "FILE   # written by --write-plan FILE")
	return []string{
		with + "handoff serve",
		with + "handoff connect omnichannel -f " + file,
		fmt.Sprintf(`curl %s/assign -d '{"workstream": "%s", "application_id": "%s"}'   # what an administrator does: choose the workstream's bot`,
			s.URLs.Control, simulation.Workstream, simulation.RelayID),
		"handoff check " + simulation.ConnectionName,
	}
}

func (a *app) commands(title string, lines ...string) {
	a.out.Printf("\n%s\n", terminal.Bold(title))
	for _, l := range lines {
		a.out.Text("  " + l + "\n")
	}
}
