package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"handoff/domain/connection"
	"handoff/functions/handoff/cli/botfile"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/clock"
)

// HubOmnichannel is the hub with which RunOmnichannel tells its story.
const HubOmnichannel = "omnichannel"

// RunOmnichannel connects a bot of Power Virtual Agents (Copilot Studio) to
// Omnichannel, both in a fake of Microsoft's cloud, and tells hop by hop what
// becomes of conversations: those that somebody has in a browser until ctx ends
// or, with Exit, one that it has by itself. That one succeeds if what the human
// agent answers arrives in the widget in which the customer wrote.
func RunOmnichannel(ctx context.Context, o Options) (err error) {
	dir, err := os.MkdirTemp("", "handoff-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cloud, stop, err := startCloud(ctx, o.Now)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	r := &relayed{
		story: story{Options: o, server: &server{
			executable: o.Executable, dir: dir, keyFile: filepath.Join(dir, "master.key"), now: o.Now,
			settings: []string{"HANDOFF_MICROSOFT_SIMULATION=" + cloud.URLs.Control, "HANDOFF_GEOGRAPHY=europe"},
		}},
		cloud: cloud,
	}
	defer func() { err = errors.Join(err, r.server.stop()) }()
	if err := r.tell(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// startCloud starts the fake. Its end waits for it.
func startCloud(ctx context.Context, now func() time.Time) (*simulation.Running, func() error, error) {
	cloud, err := simulation.New(simulation.Example(clock.Real(now)))
	if err != nil {
		return nil, nil, err
	}
	// It outlives ctx, for the server still says goodbye to it.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	running, err := cloud.Start(life)
	if err != nil {
		end()
		return nil, nil, err
	}
	return running, func() error {
		end()
		return running.Wait()
	}, nil
}

// relayed is the demo with a fake of Microsoft's cloud.
type relayed struct {
	story

	cloud *simulation.Running
	hops  hops
	chat  chat
}

func (r *relayed) tell(ctx context.Context) error {
	r.say("", "Handoff demo: the real functions, and a simulation of Microsoft's cloud, on 127.0.0.1. Nothing leaves this machine.")
	acts := []func(context.Context) error{r.start, r.connect, r.administer}
	if r.Exit {
		acts = append(acts, r.converse, r.end, r.explain)
	}
	for _, act := range acts {
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := act(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	if r.Exit {
		return nil
	}
	return r.follow(ctx)
}

func (r *relayed) start(ctx context.Context) error {
	r.say("start", "Microsoft's cloud, simulated: bot, chat widget, Omnichannel; controlled at %s", r.cloud.URLs.Control)
	if err := r.story.start(ctx); err != nil {
		return err
	}
	r.hops = hops{client: r.client, hub: r.cloud.Hub(), seen: make(map[string]bool), said: make(map[string]int), show: r.say, teller: newTeller(r.Now)}
	return nil
}

// connect ties the example's bot to its hub, as a person does with the file of
// handoff simulate microsoft, and tells the steps as the log has them.
func (r *relayed) connect(ctx context.Context) error {
	plan, err := r.plan()
	if err != nil {
		return err
	}
	if _, err := r.client.Connect(ctx, plan); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	err = r.hops.until(ctx, func() (bool, error) {
		c, err := r.client.Connection(ctx, plan.Name)
		if err == nil && c.Failure != nil && c.Failure.Permanent {
			err = errors.New(c.Failure.Detail)
		}
		return c.Status == connection.Ready, err
	})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	r.say("connect", "READY")
	return nil
}

func (r *relayed) plan() (connection.Plan, error) {
	file, err := botfile.Parse([]byte(r.cloud.URLs.BotFile(simulation.Beside{})))
	if err != nil {
		return connection.Plan{}, fmt.Errorf("read the bot file: %w", err)
	}
	p := file.Plan
	p.ClientSecret, p.ApplicationSecret = simulation.InstallerSecret, simulation.RelaySecret
	return p, nil
}

// administer does what Handoff leaves to an administrator of the hub.
func (r *relayed) administer(context.Context) error {
	if err := r.cloud.Assign(simulation.Workstream, simulation.RelayID); err != nil {
		return fmt.Errorf("choose the workstream's bot: %w", err)
	}
	r.say("by hand", "in the hub, an administrator has the workstream Store chat give its conversations to the bot first")
	return nil
}

// follow tells what happens until ctx ends.
func (r *relayed) follow(ctx context.Context) error {
	pages := r.cloud.URLs.Pages
	r.say("", "\nOpen both in a browser, write as the customer (\"refund please\"), and answer as the human agent:")
	r.say("", "  customer's widget                %s/widgets/%s", pages, simulation.WidgetAppID)
	r.say("", "  desk of Ana, who has refunds     %s/desks/%s", pages, simulation.Ana)
	r.say("", "  desk of Ben, who has the rest    %s/desks/%s", pages, simulation.Ben)
	r.say("", "\nWhat happens is told here, hop by hop, until you press Ctrl-C.\n")
	err := r.hops.until(ctx, func() (bool, error) {
		select {
		case err := <-r.server.ended:
			return true, fmt.Errorf("the server ended: %w", err)
		default:
			return false, nil
		}
	})
	if ctx.Err() != nil {
		r.say("", "\nStopped; %s is removed.", r.server.dir)
		return nil //nolint:nilerr // the end of ctx is how it ends
	}
	return err
}
