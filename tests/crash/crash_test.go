// Package crash_test kills the program. A real `handoff serve` is ended by
// SIGKILL at random points, also while it starts and while it stops, under bots
// that raise escalations and try again until they are answered. Afterwards
// everything that was acknowledged must be there exactly once: in the log, on
// its route, and at the receiver. The same goes for customers whose conversation
// with a bot is relayed, where it is killed at every hop.
//
// Killing a process proves nothing about fsync, since the operating system
// keeps what was written. That is the subject of package durability.
package crash_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"handoff/tests/harness"
)

// The endpoints, one for each connection, named for their mode.
const (
	thin = "thin"
	full = "full"
)

// targets are how often is killed at least and how much is acknowledged
// meanwhile.
func targets() (kills, acknowledged int) {
	if os.Getenv("CI") == "true" {
		return 200, 20_000
	}
	return 20, 2_000
}

func TestCrash(t *testing.T) {
	t.Parallel()
	program := harness.Build(t, harness.Program)
	t.Run("what was acknowledged is there once, however often the program is killed", func(t *testing.T) {
		t.Parallel()
		kills, acknowledged := targets()
		survives(t, program, kills, acknowledged)
	})
	t.Run("a retry that waits survives the program that planned it", func(t *testing.T) {
		t.Parallel()
		retries(t, program)
	})
}

// stand is a program with a receiver and connections to it.
type stand struct {
	site     *harness.Site
	receiver *harness.Receiver
	admin    harness.Client
	bots     []harness.Client // one for each connection, in the order of names
	names    []string         // of the connections and of their endpoints
	running  *harness.Process
}

// newStand starts the program for the first time and connects.
func newStand(t *testing.T, program string) *stand {
	t.Helper()
	s := &stand{site: harness.NewSite(t, program), receiver: harness.NewReceiver(t), names: []string{thin, full}}
	s.running = s.site.Start(t)
	var err error
	if s.admin, err = s.site.Admin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range s.names {
		made, err := s.admin.Connect(t.Context(), name, s.receiver.Endpoint(name, name))
		if err == nil {
			err = s.receiver.Trust(made.EndpointSecrets)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.bots = append(s.bots, harness.Client{URL: s.site.URL, Key: made.BotKey, HTTP: patient()})
	}
	return s
}

// seeded returns random numbers and tells their seed. The seed repeats the
// choices, not the moments at which they hit.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// settle is how long may pass until everything is delivered once nobody kills
// any more.
const settle = 90 * time.Second

// limit is how long the killing may go on until there is no hope for it.
const limit = 5 * time.Minute

func survives(t *testing.T, program string, kills, acknowledged int) {
	t.Helper()
	s := newStand(t, program)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	b := raiseWithRetries(ctx, t, s)
	k := killer{stand: s, rand: seeded(t)}
	for k.kills < kills || b.acknowledged() < acknowledged {
		k.longest = short
		if b.acknowledged()*kills < k.kills*acknowledged {
			k.longest = long
		}
		if err := errors.Join(k.cycle(ctx), ctx.Err()); err != nil {
			t.Fatalf("after %d kills, with %d acknowledged: %v\n%s", k.kills, b.acknowledged(), err, s.site.Tail())
		}
		if t.Failed() {
			return
		}
	}
	b.stop()
	t.Logf("killed %d times while it started, %d while it worked, %d while it stopped; stopped %d times unharmed; the last start took %s",
		k.starting, k.working, k.stopping, k.unharmed, k.startup.Round(time.Millisecond))

	ctx, cancel = context.WithTimeout(t.Context(), settle)
	defer cancel()
	lost, doubled := s.audit(ctx, t, b.raised())
	if _, err := fmt.Fprintf(t.Output(), "kills %d, acknowledged %d, lost %d, doubled %d\n", k.kills, b.acknowledged(), len(lost), len(doubled)); err != nil {
		t.Error(err)
	}
	if len(lost)+len(doubled) > 0 {
		t.Errorf("lost: %s\ndoubled: %s", some(lost), some(doubled))
	}
	if err := s.running.Stop(ctx); err != nil {
		t.Errorf("%v\n%s", err, s.site.Tail())
	}
	if out, err := exec.CommandContext(ctx, program, "verify", "--data", s.site.Dir).CombinedOutput(); err != nil {
		t.Errorf("verify the files that are left: %v\n%s", err, out)
	}
}

// some returns the first of many.
func some(all []string) string {
	const most = 10
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}
