package dynamolanes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"handoff/domain/delivery"
	"handoff/infra/breaker"
)

const (
	// believed is for how long an instance believes what it read of a breaker.
	believed = 3 * time.Second
	// probed is when one looks again while another attempt probes.
	probed = 2 * time.Second
)

// gates are the breakers of endpoints. They are safe for concurrent use.
type gates struct {
	store     Store
	now       func() time.Time
	threshold int
	probe     time.Duration // for how long one attempt keeps others from probing

	mu    sync.Mutex
	known map[string]*gate
}

// gate is what this instance knows of a breaker.
type gate struct {
	place Item

	mu       sync.Mutex // one attempt asks or tells at a time
	item     Item       // N is 0 while it is closed
	saved    saved
	read     time.Time // zero: it is to be read
	failures int       // in a row, seen by this instance
}

// saved is a breaker as all instances see it.
type saved struct {
	breaker.Breaker
	// Probe is until when somebody is trying an endpoint whose rest is over.
	Probe time.Time `json:"probe,omitzero"`
}

// pass says whether an attempt may begin.
type pass struct {
	ok    bool
	probe bool      // it decides how the breaker goes on
	until time.Time // when to ask again
}

func newGates(store Store, now func() time.Time, o Options) *gates {
	return &gates{
		store: store, now: now, threshold: cmp.Or(o.Failures, breaker.DefaultThreshold), probe: o.Timeout + leaseMargin,
		known: make(map[string]*gate),
	}
}

// admit asks whether an endpoint is to be asked now. What is believed costs
// nothing; else it is one read.
func (g *gates) admit(ctx context.Context, to delivery.Item) (pass, error) {
	k := g.of(to)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := g.now()
	if k.read.IsZero() || now.Sub(k.read) >= believed {
		if err := g.read(ctx, k); err != nil {
			return pass{}, err
		}
	}
	switch k.saved.At(now) {
	case breaker.Closed:
		return pass{ok: true}, nil
	case breaker.Open:
		return pass{until: k.saved.Until}, nil
	}
	return g.claim(ctx, k, now)
}

// claim makes the caller the one that probes, if nobody else is it.
func (g *gates) claim(ctx context.Context, k *gate, now time.Time) (pass, error) {
	wait := pass{until: now.Add(probed)}
	if now.Before(k.saved.Probe) {
		return wait, nil
	}
	ok, err := g.swap(ctx, k, saved{Breaker: k.saved.Breaker, Probe: now.Add(g.probe)})
	if err != nil || !ok {
		return wait, err
	}
	return pass{ok: true, probe: true}, nil
}

// learn takes in how an attempt went.
func (g *gates) learn(ctx context.Context, to delivery.Item, by pass, went delivery.Progress) error {
	k := g.of(to)
	k.mu.Lock()
	defer k.mu.Unlock()
	b := k.saved.Breaker
	if !went.Tried {
		if !by.probe {
			return nil
		}
		_, err := g.swap(ctx, k, saved{Breaker: b}) // it came to nothing: the endpoint was not asked
		return err
	}
	b.Failures = max(b.Failures, k.failures)
	after, changed := b.After(went.Outcome.Delivered(), by.probe, g.now(), g.threshold)
	k.failures = after.Failures
	if !changed {
		return nil
	}
	ok, err := g.swap(ctx, k, saved{Breaker: after})
	if ok {
		slog.WarnContext(ctx, "breaker changed", "endpoint", to.Subject.Endpoint, "connection_id", to.Subject.Connection,
			"state", after.At(g.now()), "until", after.Until)
	}
	return err
}

// swap writes a breaker, or deletes one that is closed. Where another instance
// was faster, the next one who asks reads what that wrote.
func (g *gates) swap(ctx context.Context, k *gate, becomes saved) (bool, error) {
	was, is := k.place, Item{}
	was.N = k.item.N
	switch {
	case becomes.Until.IsZero():
	case was.N == 0:
		is = k.place.made(g.now(), time.Time{}, encode(becomes))
	default:
		is = was.next(time.Time{}, encode(becomes))
	}
	ok, err := g.store.Swap(ctx, was, is)
	if err != nil || !ok {
		k.read = time.Time{}
		return false, err
	}
	k.item, k.saved = is, becomes
	return true, nil
}

func (g *gates) read(ctx context.Context, k *gate) error {
	found, err := g.store.Read(ctx, k.place.P, headline, 1)
	if err != nil {
		return err
	}
	was := k.item
	k.item, k.saved = Item{}, saved{}
	if len(found) > 0 {
		k.item = found[0]
		if err := json.Unmarshal(found[0].Body, &k.saved); err != nil {
			return fmt.Errorf("read %s: %w", k.place.P, err)
		}
	} else if was.N != 0 { // another instance found that it answers again
		k.failures = 0
	}
	k.read = g.now()
	return nil
}

func (g *gates) of(to delivery.Item) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := breakerOf(to)
	if g.known[p] == nil {
		g.known[p] = &gate{place: Item{P: p, O: headline}}
	}
	return g.known[p]
}
