// Package system is the single program as a value: every function of Handoff,
// bound to the adapters of one machine. The program, its demo and its tests all
// start the same one.
package system

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"handoff/domain/geography"
	"handoff/domain/identity"
	"handoff/domain/routing"
	"handoff/functions/publishcheck"
	"handoff/functions/relay"
	"handoff/infra/embedded"
	"handoff/infra/keyring"
	"handoff/infra/lanes"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/hosts"
	"handoff/infra/rulebook"
	"handoff/infra/safehttp"
	"handoff/infra/subscription"
)

// Config says how to run. DataDir, KeyFile, Tenant, Now and Log are needed.
type Config struct {
	DataDir   string
	KeyFile   string
	Tenant    string
	PublicURL string // begins the links in answers and events
	Version   string
	MaxBody   int64 // of requests; 0: 1 MiB
	// MaxConcurrent limits the requests that are worked on at once; 0: none.
	MaxConcurrent int
	Lifetime      time.Duration  // of an open escalation; 0: 24 h
	Drain         time.Duration  // after a disconnect; 0: 1 h
	Allow         safehttp.Allow // private addresses that endpoints may have
	Timeout       time.Duration  // of a delivery attempt; 0: 15 s
	Lanes         lanes.Options
	// Geography is where the data directory is, in the words of package
	// geography; Unknown: plans have to say.
	Geography geography.Geography
	// Microsoft has the addresses of Microsoft's services; the zero value is for
	// those of the public cloud.
	Microsoft hosts.Hosts
	// RelayNotice is what a customer is told when the bot can't go on; empty:
	// nothing.
	RelayNotice string
	Relay       relay.Timing
	// Watch is the pause between two rounds at agent hubs; 0: 10 s.
	Watch time.Duration
	// Check is how long it takes until it is looked again whether a connection's
	// bot is published; 0: 15 minutes.
	Check time.Duration
	Now   func() time.Time
	Log   *slog.Logger
	// UnsafeNoSync leaves out every fsync, for the test that must notice.
	UnsafeNoSync bool
}

// System is a running Handoff. Open it, serve its Handler, Run it, Close it.
type System struct {
	*embedded.Engine

	cfg     Config
	rules   *rulebook.Rulebook
	queue   *lanes.Queue
	runner  *subscription.Runner
	handler http.Handler
	bound   bound

	microsoft microsoft
}

const (
	// watchPause is the pause between two rounds at agent hubs.
	watchPause = 10 * time.Second
	// checkRounds is in how many rounds each bot is looked at once.
	checkRounds = 15
)

// Open opens the data directory and binds every function. Nothing is served
// and nothing is done until Handler and Run are used.
func Open(ctx context.Context, c Config) (*System, error) {
	if c.Microsoft.Inbound == (botauth.Cloud{}) {
		c.Microsoft.Inbound = hosts.Public().Inbound
	}
	engine, err := embedded.Open(ctx, embedded.Options{
		Dir: c.DataDir, KeyFile: c.KeyFile, Tenant: c.Tenant, Now: c.Now, UnsafeNoSync: c.UnsafeNoSync,
	})
	if err != nil {
		return nil, err
	}
	s := &System{Engine: engine, cfg: c, rules: rulebook.New(engine.Ledger), queue: lanes.New(engine.DB, c.Now, c.Lanes)}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends what is under way with bots and lets go of the data directory.
func (s *System) Close() error {
	return errors.Join(s.microsoft.close(), s.Engine.Close())
}

func (s *System) start() (err error) {
	s.bind()
	if s.runner, err = subscription.New(s.DB, s.Log, s.cfg.Now, s.functions(), s.projections()); err != nil {
		return err
	}
	s.handler = s.httpHandler()
	return nil
}

// EnsureAdmin returns an administrator's key that works: the given one, or a
// new one. Whoever runs the program holds the master key, so this gives nobody
// what they do not have, and a key that was lost before anybody saw it is
// replaced at the next start. first says that there was no administrator yet.
func (s *System) EnsureAdmin(ctx context.Context, have string) (key string, first bool, err error) {
	keys := s.Keyring.APIKeys()
	if p, err := keys.Authenticate(ctx, have); err == nil && p.Role == identity.Admin && p.Tenant == s.cfg.Tenant {
		return have, false, nil
	}
	all, err := keys.List(ctx, s.cfg.Tenant)
	if err != nil {
		return "", false, fmt.Errorf("look for an administrator: %w", err)
	}
	first = !slices.ContainsFunc(all, func(k keyring.APIKey) bool { return k.Role == identity.Admin })
	key, _, err = keys.Issue(ctx, keyring.NewKey{Tenant: s.cfg.Tenant, Role: identity.Admin, Name: "this machine"})
	if err != nil {
		return "", false, fmt.Errorf("make an administrator's key: %w", err)
	}
	return key, first, nil
}

// Handler serves the HTTP API.
func (s *System) Handler() http.Handler { return s.handler }

// Run has the functions work until ctx ends, and waits for them.
func (s *System) Run(asked context.Context) error {
	ctx, cancel := context.WithCancel(asked)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	for name, run := range map[string]func(context.Context) error{
		"subscriptions": s.runner.Run,
		"deliveries":    func(ctx context.Context) error { return s.queue.Run(ctx, s.bound.deliver.Attempt) },
		"deadlines":     s.deadlines,
		"relays":        s.looks,
		"hubs":          s.every(cmp.Or(s.cfg.Watch, watchPause), "hubwatch", s.bound.hubwatch.Round),
		"publish state": s.every(cmp.Or(s.cfg.Check, publishcheck.DefaultEvery)/checkRounds, "publishcheck", s.bound.publishcheck.Round),
	} {
		wg.Go(func() {
			defer cancel()
			// Whoever is interrupted by the end, perhaps while it began, has not failed.
			if err := run(ctx); err != nil && asked.Err() == nil && !errors.Is(err, context.Canceled) {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// Settled waits until everything that is in the log by now was dealt with:
// functions told, lists up to date. Deliveries may still be under way.
func (s *System) Settled(ctx context.Context) error {
	for {
		last, err := s.Log.Last(ctx)
		if err != nil {
			return err
		}
		lags, err := s.runner.Lag(ctx)
		if err != nil {
			return err
		}
		for _, l := range lags {
			if err := s.runner.CatchUp(ctx, l.Name, last); err != nil {
				return err
			}
		}
		if after, err := s.Log.Last(ctx); err != nil || after == last {
			return err
		}
	}
}

// Evaluator names what evaluates rules in this program.
func Evaluator() string { return routing.Evaluator + "; " + routing.TimeZones }
