package lanes

import (
	"sync"
	"time"

	"handoff/infra/breaker"
)

// gate is an endpoint's breaker while the queue runs: several attempts at once
// ask it and tell it. It is safe for concurrent use.
type gate struct {
	threshold int

	mu      sync.Mutex
	known   breaker.Breaker
	probing bool // the one attempt of half-open is under way
}

func (g *gate) state(now time.Time) breaker.State {
	return g.save().At(now)
}

// admit reports whether an attempt may begin, and counts the one that probes.
func (g *gate) admit(now time.Time) (ok, probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.known.At(now) {
	case breaker.Closed:
		return true, false
	case breaker.HalfOpen:
		probe = !g.probing
		g.probing = true
		return probe, probe
	}
	return false, false
}

// release takes back the probe that came to nothing: the endpoint was not asked.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
}

// record learns how an attempt went, and reports whether the state changed.
func (g *gate) record(delivered, probe bool, now time.Time) (changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	g.known, changed = g.known.After(delivered, probe, now, g.threshold)
	return changed
}

// save returns what a restart must know.
func (g *gate) save() breaker.Breaker {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known
}

func (g *gate) restore(b breaker.Breaker) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = b
}
