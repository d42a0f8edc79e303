package crash_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"handoff/tests/harness"
)

// waiting is how many escalations are raised whose first delivery may fail.
// Few, since every failure costs a pause of seconds.
const waiting = 60

// hang is how long a connection stays without an answer before it breaks.
const hang = 2 * time.Second

// flaky fails the first attempt of every third event: half of those with a 500,
// half by not answering until the sender is gone or the connection breaks.
type flaky struct {
	mu   sync.Mutex
	met  int
	left map[string]bool // events that were failed
}

func (f *flaky) answer(ctx context.Context, c harness.Call) int {
	f.mu.Lock()
	f.met++
	n, again := f.met, f.left[c.Event]
	fail := !again && n%3 == 0
	if fail {
		f.left[c.Event] = true
	}
	f.mu.Unlock()
	switch {
	case !fail:
		return http.StatusNoContent
	case n%2 == 0:
		return http.StatusInternalServerError
	}
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	<-ctx.Done()
	return 0
}

// retries kills the program between the attempts of deliveries, which are
// seconds apart.
func retries(t *testing.T, program string) {
	t.Helper()
	s := newStand(t, program)
	f := flaky{left: map[string]bool{}}
	s.receiver.Answer = f.answer
	b := &swarm{stand: s, t: t}
	one := bot{swarm: b, rand: seeded(t)}
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	for n := range waiting {
		r, err := one.conversation(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		b.all = append(b.all, r)
	}
	const kills = 8
	k := killer{stand: s, rand: one.rand, longest: long}
	for k.kills < kills {
		if err := k.cycle(ctx); err != nil {
			t.Fatalf("%v\n%s", err, s.site.Tail())
		}
	}
	began := time.Now()
	lost, doubled := s.audit(ctx, t, b.raised())
	t.Logf("%d first attempts failed, %d kills, settled %s after the last", len(f.left), k.kills, time.Since(began).Round(time.Millisecond))
	if len(lost)+len(doubled) > 0 || len(f.left) == 0 {
		t.Errorf("%d first attempts failed; lost: %s\ndoubled: %s", len(f.left), some(lost), some(doubled))
	}
}
