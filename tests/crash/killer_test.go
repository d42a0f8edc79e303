package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// killer starts the program and ends it, over and over.
type killer struct {
	*stand
	rand    *rand.Rand
	longest time.Duration // that the program works before its end
	startup time.Duration // until the program last answered

	kills, starting, working, stopping, unharmed int
}

const (
	short    = 300 * time.Millisecond // that the program works at most before its end
	long     = time.Second            // the same, where too little is acknowledged between kills
	shutdown = 40 * time.Millisecond  // within which a stop is interrupted
	patience = 20 * time.Second       // until it has stopped by itself
)

// cycle ends the process that runs, if any, and begins the next one. One cycle
// in six hits the start and one in six the end.
func (k *killer) cycle(ctx context.Context) error {
	if err := k.end(ctx); err != nil {
		return err
	}
	for {
		p, err := k.site.Launch()
		if err != nil {
			return err
		}
		k.running = p
		if k.rand.IntN(6) == 0 {
			k.pause(ctx, k.startup)
			k.kill(&k.starting)
			continue
		}
		if err := p.Ready(ctx); err != nil {
			return err
		}
		k.startup = time.Since(p.Began())
		return nil
	}
}

func (k *killer) end(ctx context.Context) error {
	k.pause(ctx, k.longest)
	if k.rand.IntN(6) > 0 {
		k.kill(&k.working)
		return nil
	}
	if err := k.running.Interrupt(); err != nil {
		return err
	}
	if k.rand.IntN(4) > 0 {
		k.pause(ctx, shutdown)
		k.kill(&k.stopping)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := k.running.Wait(ctx); err != nil {
		return fmt.Errorf("stop when asked to: %w", err)
	}
	k.unharmed++
	return nil
}

// kill counts only what a process did not outrun.
func (k *killer) kill(when *int) {
	k.running.Kill()
	if k.running.Killed() {
		k.kills++
		*when++
	}
}

// pause waits for a random time.
func (k *killer) pause(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(time.Duration(k.rand.Int64N(int64(most) + 1)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
