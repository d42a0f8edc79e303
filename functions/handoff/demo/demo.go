// Package demo tells Handoff's story on a terminal, with the real program: it
// starts `handoff serve` as a process of its own on a throw-away data directory,
// plays the bot and the agent desk around it, and kills it once on the way. The
// story of Omnichannel has a fake of Microsoft's cloud around it instead, in
// which people may write and answer themselves.
//
// Everything that it prints was seen to happen. Where something does not come
// true, the demo fails.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/infra/apiclient"
	"handoff/infra/standardwebhooks"
)

// patience is how long anything in the demo may take.
const patience = 30 * time.Second

//go:embed testdata/rules.yaml
var rules string

// Options say how to run.
type Options struct {
	Out io.Writer
	// Executable is the program whose serve command is started.
	Executable string
	// Exit ends the demo after the story; without it the server stays up until
	// ctx ends.
	Exit bool
	Now  func() time.Time
}

// Run tells the story. Whatever it started has ended when it returns, and the
// data directory is removed.
func Run(ctx context.Context, o Options) (err error) {
	dir, err := os.MkdirTemp("", "handoff-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &story{Options: o, server: &server{executable: o.Executable, dir: dir, keyFile: filepath.Join(dir, "master.key"), now: o.Now}}
	defer func() { err = errors.Join(err, s.server.stop()) }()
	if s.desk, err = startDesk(ctx, o.Now); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, s.desk.stop()) }()
	if err := s.tell(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if o.Exit {
		return nil
	}
	s.next()
	select {
	case <-ctx.Done():
		s.say("", "\nStopped; %s is removed.", dir)
		return nil
	case err := <-s.server.ended:
		return fmt.Errorf("demo: the server ended: %w", err)
	}
}

// story is the demo under way.
type story struct {
	Options
	server *server
	desk   *desk
	client *apiclient.Client
	bot    *apiclient.Client
	keys   connection.Credentials

	first, second, third string // escalations
	waiting              time.Time
}

func (s *story) say(label, format string, args ...any) {
	if label == "" {
		_, _ = fmt.Fprintf(s.Out, format+"\n", args...) // a closed terminal ends the demo by a signal
		return
	}
	_, _ = fmt.Fprintf(s.Out, " %-9s%s\n", label, fmt.Sprintf(format, args...))
}

func (s *story) tell(ctx context.Context) error {
	s.say("", "Handoff demo: the real functions, on 127.0.0.1. Nothing leaves this machine.")
	for _, act := range []func(context.Context) error{
		s.start, s.connect, s.powerVirtualAgents, s.plain, s.twiceAndKill, s.audit, s.erase,
	} {
		ctx, cancel := context.WithTimeout(ctx, patience)
		err := act(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *story) start(ctx context.Context) (err error) {
	took, err := s.server.start(ctx)
	if err != nil {
		return err
	}
	s.say("start", "handoff serve, empty, ready in %s", round(took))
	s.client, err = s.server.client()
	return err
}

// connect ties the demo bot to the demo desk and waits for the five functions.
func (s *story) connect(ctx context.Context) error {
	made, err := s.client.Connect(ctx, connection.Plan{
		Name: "store-bot", Bot: events.Bot{ID: "store-bot", Name: "Store bot"},
		Hub:       events.Hub{Type: "generic", Organisation: "demo desk", ApplicationID: "demo-app"},
		Notice:    connection.NoticePlan{AcceptedBy: "demo", TextVersion: "demo"},
		Endpoints: []connection.EndpointPlan{{ID: "desk", URL: s.desk.url, Mode: connection.ModeFull}},
		Rules:     rules,
	})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s.keys = *made.Credentials
	secret, err := standardwebhooks.ParseSecret(s.keys.EndpointSecrets["desk"])
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s.desk.verifyWith(secret)
	if s.bot, err = apiclient.New(s.client.URL(), s.keys.BotKey); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	err = until(ctx, func() (bool, error) {
		c, err := s.client.Connection(ctx, "store-bot")
		if err == nil && c.Failure != nil {
			err = errors.New(c.Failure.Detail)
		}
		return c.Status == connection.Ready, err
	})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s.say("connect", "store-bot -> demo desk   notice acknowledged · app id reserved · channel on   READY")
	return nil
}

// next says what a newcomer may do now.
func (s *story) next() {
	s.say("", "\nThe server stays up at %s until you press Ctrl-C. In another terminal:", s.client.URL())
	s.say("", "  export HANDOFF_KEY_FILE=%s", s.server.keyFile)
	for _, c := range []string{
		"why " + short(s.second), "escalations list", "replay store-bot --at " + s.waiting.Format("15:04:05"), "verify",
		"status " + short(s.third) + " accepted",
	} {
		s.say("", "  go run ./functions/handoff %s", c)
	}
	s.say("", "From your own bot (the key may raise on this connection and nothing else):")
	s.say("", `  curl -s %s/v1/connections/store-bot/escalations \`, s.client.URL())
	s.say("", `    -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \`, s.keys.BotKey)
	s.say("", `    -d '{"conversation_id": "my-first", "topic": "Refund", "variables": {"order_total": 380}}'`)
}

// until asks until the answer is yes, an error, or ctx ends.
func until(ctx context.Context, f func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := f(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// short is the beginning of an id: commands take any unique one.
func short(id string) string {
	const shown = len("esc_") + 8
	return id[:min(len(id), shown)]
}

func round(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func sentence(s string) string { return strings.TrimSuffix(s, ".") }
