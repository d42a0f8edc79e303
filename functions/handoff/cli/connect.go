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
	"github.com/spf13/pflag"

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
	hub    string // the type of hub, if the command says it
}

func (o *connectOptions) flags(f *pflag.FlagSet) {
	f.StringVarP(&o.file, "file", "f", "", "the `file` that describes the connection, - for standard input")
	f.BoolVar(&o.dryRun, "dry-run", false, "check the file, its rules and its URLs here, and change nothing")
	f.StringVar(&o.wait, "wait", "1m", "how long to wait for READY, such as 90s; 0s: not at all")
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
	o.flags(c.Flags())
	c.AddCommand(a.connectOmnichannelCommand())
	return c
}

func (a *app) connect(ctx context.Context, o connectOptions) error {
	wait, err := instant.ParseSpan(o.wait)
	if err != nil {
		return asUsage(err)
	}
	if err := a.findMicrosoft(ctx); err != nil {
		return err
	}
	plan, err := a.plan(ctx, o)
	if err != nil {
		return err
	}
	if plan.Omnichannel != nil && o.file != "" {
		a.showPermissions(plan.Omnichannel.Path != events.PathAdvise)
	}
	if err := a.checkPlan(ctx, plan); err != nil {
		return asUsage(inFile(o.file, plan, err))
	}
	if o.dryRun {
		plan.ClientSecret, plan.ApplicationSecret, plan.DirectLineSecret = "", "", ""
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
		return a.askPlan(ctx, o.hub)
	}
	source, err := a.readFile(o.file, botfile.MaxSize)
	if err != nil {
		return nil, err
	}
	f, err := botfile.Parse(source)
	if err != nil {
		return nil, asUsage(err)
	}
	if o.hub != "" && f.Hub.Type != o.hub {
		return nil, usage("%s is about a hub of type %q, not %s", o.file, f.Hub.Type, o.hub)
	}
	return f, a.readBeside(ctx, o.file, f)
}

// readBeside reads the files that a bot file names, whose paths begin where it
// stands, and the secrets that it needs.
func (a *app) readBeside(ctx context.Context, file string, f *botfile.File) error {
	read := func(name string, dst *string) error {
		if name == "" {
			return nil
		}
		if !filepath.IsAbs(name) && file != "-" {
			name = filepath.Join(filepath.Dir(file), name)
		}
		source, err := a.readFile(name, botfile.MaxSize)
		*dst = string(source)
		return err
	}
	var client, application, bot, snippet string
	for name, dst := range map[*string]*string{
		&f.RulesFile: &f.Rules, &f.ClientSecretFile: &client, &f.ApplicationSecretFile: &application, &f.DirectLineSecretFile: &bot, &f.EmbedCodeFile: &snippet,
	} {
		if err := read(*name, dst); err != nil {
			return err
		}
	}
	if err := a.checkEmbedCode(snippet, ""); err != nil {
		return asUsage(err)
	}
	if f.Omnichannel == nil {
		return nil
	}
	f.ClientSecret, f.ApplicationSecret = a.secret("HANDOFF_CLIENT_SECRET", client), a.secret("HANDOFF_APPLICATION_SECRET", application)
	f.DirectLineSecret = a.secret("HANDOFF_DIRECT_LINE_SECRET", bot)
	if f.ClientSecret != "" || !a.interactive() {
		return nil // the server may have it
	}
	return a.askClientSecret(ctx, f)
}

// checkPlan finds what can be found wrong without a server, by the code that
// decides it there.
func (a *app) checkPlan(ctx context.Context, f *botfile.File) error {
	p := f.Plan
	request, err := a.normal(p)
	if err != nil {
		return err
	}
	if p.HealthURL != "" {
		if err := checkURL(ctx, p.HealthURL); err != nil {
			return below("/health_url", err)
		}
	}
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
	_, err = routing.Parse([]byte(p.Rules))
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
