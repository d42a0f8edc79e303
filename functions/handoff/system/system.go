// Package system is the single program as a value: every function of Handoff,
// bound to the adapters of one machine. The program, its demo and its tests all
// start the same one.
package system

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"handoff/domain/identity"
	"handoff/domain/routing"
	"handoff/infra/embedded"
	"handoff/infra/keyring"
	"handoff/infra/lanes"
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
	MaxBody   int64          // of requests; 0: 1 MiB
	Lifetime  time.Duration  // of an open escalation; 0: 24 h
	Drain     time.Duration  // after a disconnect; 0: 1 h
	Allow     safehttp.Allow // private addresses that endpoints may have
	Timeout   time.Duration  // of a delivery attempt; 0: 15 s
	Lanes     lanes.Options
	Now       func() time.Time
	Log       *slog.Logger
	// UnsafeNoSync leaves out every fsync, for the test that must notice.
	UnsafeNoSync bool
}

// System is a running Handoff. Open it, serve its Handler, Run it, Close it.
type System struct {
	*embedded.Engine
	// FirstKey is the administrator's key, if this is the first start of the
	// data directory. It can't be had again.
	FirstKey string

	cfg     Config
	rules   *rulebook.Rulebook
	queue   *lanes.Queue
	runner  *subscription.Runner
	handler http.Handler
	bound   bound
}

// Open opens the data directory and binds every function. Nothing is served
// and nothing is done until Handler and Run are used.
func Open(ctx context.Context, c Config) (*System, error) {
	engine, err := embedded.Open(ctx, embedded.Options{
		Dir: c.DataDir, KeyFile: c.KeyFile, Tenant: c.Tenant, Now: c.Now, UnsafeNoSync: c.UnsafeNoSync,
	})
	if err != nil {
		return nil, err
	}
	s := &System{Engine: engine, cfg: c, rules: rulebook.New(engine.Ledger), queue: lanes.New(engine.DB, c.Now, c.Lanes)}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return s, nil
}

func (s *System) start(ctx context.Context) (err error) {
	s.bind()
	if s.runner, err = subscription.New(s.DB, s.Log, s.cfg.Now, s.functions(), s.projections()); err != nil {
		return err
	}
	if s.FirstKey, err = s.firstKey(ctx); err != nil {
		return fmt.Errorf("make the first key: %w", err)
	}
	s.handler = s.httpHandler()
	return nil
}

// firstKey issues an administrator's key where there never was one.
func (s *System) firstKey(ctx context.Context) (string, error) {
	keys, err := s.Keyring.APIKeys().List(ctx, s.cfg.Tenant)
	if err != nil {
		return "", err
	}
	for _, k := range keys {
		if k.Role == identity.Admin {
			return "", nil
		}
	}
	token, _, err := s.Keyring.APIKeys().Issue(ctx, keyring.NewKey{Tenant: s.cfg.Tenant, Role: identity.Admin, Name: "first key"})
	return token, err
}

// Handler serves the HTTP API.
func (s *System) Handler() http.Handler { return s.handler }

// Run has the functions work until ctx ends, and waits for them.
func (s *System) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	for name, run := range map[string]func(context.Context) error{
		"subscriptions": s.runner.Run,
		"deliveries":    func(ctx context.Context) error { return s.queue.Run(ctx, s.bound.deliver.Attempt) },
		"deadlines":     s.deadlines,
	} {
		wg.Go(func() {
			defer cancel()
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
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
