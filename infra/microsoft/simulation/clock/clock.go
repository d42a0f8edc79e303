// Package clock is the time that the fake of Microsoft's cloud lives in: the
// real one, or one that a test drives by hand, so that a reply that comes 20
// seconds late costs a test no 20 seconds.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time and calls back later.
type Clock interface {
	// Now returns the present instant.
	Now() time.Time
	// AfterFunc calls f once, d from now, unless stop is called before. A d of
	// zero or less means at once, in another goroutine or later, never inside
	// of AfterFunc.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// Real returns a clock that runs by itself; now is time.Now, which only a main
// has.
func Real(now func() time.Time) Clock { return running(now) }

type running func() time.Time

func (r running) Now() time.Time { return r() }

func (r running) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// Manual is a clock that stands until somebody moves it. It is safe for
// concurrent use; make one with NewManual.
type Manual struct {
	moving sync.Mutex // held by whoever moves the clock
	mu     sync.Mutex
	now    time.Time
	next   int
	timers map[int]timer
}

type timer struct {
	at time.Time
	f  func()
}

// NewManual returns a clock that stands at start.
func NewManual(start time.Time) *Manual {
	return &Manual{now: start, timers: make(map[int]timer)}
}

// Now returns where the clock stands.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// AfterFunc calls f when the clock is moved to d from now or past it, in the
// goroutine of whoever moves it. What is due at once is called at once, in a
// goroutine of its own.
func (m *Manual) AfterFunc(d time.Duration, f func()) func() {
	if d <= 0 {
		go f()
		return func() {}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	id := m.next
	m.timers[id] = timer{m.now.Add(d), f}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.timers, id)
	}
}

// Timers returns how many calls are still to come.
func (m *Manual) Timers() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.timers)
}

// Advance moves the clock on by d and calls what becomes due on the way, in
// its order, with the clock standing at each one's instant. It returns when all
// of it has returned. What is called must not call Advance.
func (m *Manual) Advance(d time.Duration) {
	m.moving.Lock()
	defer m.moving.Unlock()
	end := m.Now().Add(d)
	for {
		f := m.due(end)
		if f == nil {
			return
		}
		f()
	}
}

// due takes the earliest timer until end and moves the clock there; without
// one it moves the clock to end.
func (m *Manual) due(end time.Time) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := 0
	for id, t := range m.timers {
		f, ok := m.timers[first]
		if !t.at.After(end) && (!ok || t.at.Before(f.at) || t.at.Equal(f.at) && id < first) {
			first = id
		}
	}
	t, ok := m.timers[first]
	if !ok {
		m.now = end
		return nil
	}
	delete(m.timers, first)
	m.now = t.at
	return t.f
}
