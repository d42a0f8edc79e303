package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/routing"
	"handoff/events"
	"handoff/functions/handoff/cli/botfile"
	"handoff/functions/handoff/cli/instant"
	"handoff/infra/safehttp"
)

type connectOptions struct {
	file   string
	dryRun bool
	wait   string
}

func (a *app) connectCommand() *cobra.Command {
	var o connectOptions
	c := &cobra.Command{
		Use: "connect [-f bot.yaml]", GroupID: groupConnect, Args: names(), Short: "Connect a bot to an agent hub",
		Long: `Connects a bot to an agent hub, from a file or, on a terminal, by asking. It
waits until the connection is ready and shows each step. The credentials of the
bot, the hub and the endpoints are shown once.

What may stand in the file:

  name: store-bot                 # letters, digits, hyphens; stands in URLs
  hub: {type: generic, organisation: store, application_id: store-desk}
  notice:                         # read it before: handoff help notice
    accepted_by: ann@store.example
    text_version: "` + NoticeVersion + `"
  endpoints:                      # where routed escalations are sent
    - {url: https://desk.example/handoff, mode: full}   # thin: without the context
  rules_file: rules.yaml          # or rules: | with the text itself

Connecting again changes endpoints and rules; it makes no second connection.`,
		Example:     "  handoff connect\n  handoff connect -f bot.yaml --dry-run\n  handoff connect -f bot.yaml",
		Annotations: after("handoff raise NAME --topic Refund   hand a first conversation over", "handoff rules adopt NAME FILE       change where escalations go"),
		RunE:        func(c *cobra.Command, _ []string) error { return a.connect(c.Context(), o) },
	}
	c.Flags().StringVarP(&o.file, "file", "f", "", "the `file` that describes the connection, - for standard input")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "check the file, its rules and its URLs here, and change nothing")
	c.Flags().StringVar(&o.wait, "wait", "1m", "how long to wait for READY, such as 90s; 0s: not at all")
	return c
}

func (a *app) connect(ctx context.Context, o connectOptions) error {
	wait, err := instant.ParseSpan(o.wait)
	if err != nil {
		return asUsage(err)
	}
	plan, err := a.plan(ctx, o)
	if err != nil {
		return err
	}
	if err := checkPlan(ctx, plan); err != nil {
		return asUsage(inFile(o.file, plan, err))
	}
	if o.dryRun {
		return a.print(plan.Plan, func() { a.out.Printf("%s can be connected. Nothing was changed.\n", plan.Name) })
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	done, err := client.Connect(ctx, plan.Plan)
	if err != nil {
		return inFile(o.file, plan, err)
	}
	return a.connected(ctx, client, done, wait)
}

// plan reads what is to be connected, or asks for it.
func (a *app) plan(ctx context.Context, o connectOptions) (*botfile.File, error) {
	if o.file == "" && !a.interactive() {
		return nil, usage("there is no file and no terminal to ask on: say -f bot.yaml")
	}
	if o.file == "" {
		return a.askPlan(ctx)
	}
	source, err := a.readFile(o.file, botfile.MaxSize)
	if err != nil {
		return nil, err
	}
	f, err := botfile.Parse(source)
	if err != nil {
		return nil, asUsage(err)
	}
	if f.RulesFile == "" {
		return f, nil
	}
	rules := f.RulesFile
	if !filepath.IsAbs(rules) && o.file != "-" {
		rules = filepath.Join(filepath.Dir(o.file), rules)
	}
	if source, err = a.readFile(rules, botfile.MaxSize); err != nil {
		return nil, err
	}
	f.Rules = string(source)
	return f, nil
}

// checkPlan finds what can be found wrong without a server, by the code that
// decides it there.
func checkPlan(ctx context.Context, f *botfile.File) error {
	p := f.Plan
	request := connection.Request{Fact: events.ConnectionRequested{
		Connection: p.Name, Bot: p.Bot, Hub: p.Hub, Regions: p.Regions,
		Notice: events.Notice{AcceptedBy: p.Notice.AcceptedBy, TextVersion: p.Notice.TextVersion},
	}}
	for i, e := range p.Endpoints {
		at := fmt.Sprintf("/endpoints/%d", i)
		if err := checkURL(ctx, e.URL); err != nil {
			return below(at+"/url", err)
		}
		set := events.EndpointSet{Endpoint: cmp.Or(e.ID, defaultEndpoint), URL: e.URL, Mode: cmp.Or(e.Mode, connection.ModeThin), Events: e.Events}
		request.Endpoints = append(request.Endpoints, set)
		ready := connection.State{Status: connection.Ready}
		if _, err := connection.Decider.Decide(ready, connection.SetEndpoint{Fact: set}); err != nil {
			return below(at, err)
		}
	}
	if _, err := connection.Decider.Decide(connection.State{}, request); err != nil {
		return err
	}
	if p.Rules == "" {
		return nil
	}
	_, err := routing.Parse([]byte(p.Rules))
	return below("/rules", err)
}

// checkURL checks how a URL is written. What its name resolves to, and whether
// that may be reached, is the server's to say: it may be on another network.
func checkURL(ctx context.Context, raw string) error {
	offline := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("names are not looked up here")
	}}
	err := safehttp.CheckURL(ctx, raw, safehttp.Options{Resolver: offline})
	if fault.Is(err, "endpoint-url-invalid") {
		return err
	}
	return nil
}

// below moves what an error points at below a part of the input.
func below(pointer string, err error) error {
	if f := fault.Of(err); f != nil {
		return f.At(pointer + f.Pointer)
	}
	return err
}

// inFile names the line of the file that an error is about.
func inFile(file string, f *botfile.File, err error) error {
	e := fault.Of(err)
	if e == nil || file == "" {
		return err
	}
	line := f.Line(e.Pointer)
	if e.Code == "rules-invalid" || line == 0 {
		return err // rules name lines of their own
	}
	c := *e
	c.Detail = fmt.Sprintf("%s, line %d: %s", file, line, e.Detail)
	c.Pointer = ""
	return &c
}

// readFile reads a file that the command line names, - for standard input.
func (a *app) readFile(path string, limit int) ([]byte, error) {
	if path == "-" {
		return readAll(a.in, "standard input", limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, asUsage(err)
	}
	defer func() { _ = f.Close() }()
	return readAll(f, path, limit)
}

const (
	firstPoll = 50 * time.Millisecond
	lastPoll  = time.Second
)

// poll calls check, with pauses that grow, until it is done or ctx ends.
func poll(ctx context.Context, check func() (done bool, err error)) error {
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		if done, err := check(); done || err != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
