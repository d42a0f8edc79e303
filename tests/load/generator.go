// Package load measures what one machine can carry: the real program under
// load, beside servers that do less, on the same machine in the same run.
//
//	go test ./tests/load -bench . -benchtime 1x
//	go test ./tests/load -run TestTable -table -streams 1000000 -timeout 1h
//
// The second prints the table of the README. Figures are no assertions: they
// depend on the machine and on what else it does, which is printed beside them.
package load

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Send makes the n-th request of a run and waits for its answer.
type Send func(ctx context.Context, n int64) error

// Result is what became of many requests.
type Result struct {
	Elapsed   time.Duration
	Latencies []time.Duration // of requests that succeeded, in no order
	Failed    int
	First     error // of those that failed
}

// Add takes another result's requests in.
func (r *Result) Add(o Result) {
	r.Elapsed += o.Elapsed
	r.Latencies = append(r.Latencies, o.Latencies...)
	r.Failed += o.Failed
	if r.First == nil {
		r.First = o.First
	}
}

// PerSecond returns how many requests succeeded each second.
func (r Result) PerSecond() float64 { return float64(len(r.Latencies)) / r.Elapsed.Seconds() }

// Quantile returns the latency that a share q of the requests did not exceed.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.Latencies))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Generator sends requests. Its zero value numbers them from 1; it is used by
// one run at a time, and numbers no two requests alike.
type Generator struct {
	Now  func() time.Time
	next int64
}

// Closed has clients send one request after the other, each as soon as it has
// the answer to the one before.
func (g *Generator) Closed(ctx context.Context, clients int, span time.Duration, send Send) Result {
	var mu sync.Mutex
	var all Result
	var wg sync.WaitGroup
	start := g.Now()
	end := start.Add(span)
	for range clients {
		wg.Go(func() {
			var mine Result
			for began := g.Now(); began.Before(end); began = g.Now() {
				mu.Lock()
				g.next++
				n := g.next
				mu.Unlock()
				mine.record(send(ctx, n), g.Now().Sub(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all.Add(mine)
		})
	}
	wg.Wait()
	all.Elapsed = g.Now().Sub(start)
	return all
}

// Open sends requests at a rate, whether those before were answered or not, as
// customers do. Latency counts from the moment at which a request was due, so
// that one that had to wait to be sent counts as late (coordinated omission).
func (g *Generator) Open(ctx context.Context, perSecond int, span time.Duration, send Send) Result {
	var mu sync.Mutex
	var all Result
	var wg sync.WaitGroup
	start, between := g.Now(), time.Second/time.Duration(perSecond)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due := start; due.Before(start.Add(span)) && ctx.Err() == nil; due = due.Add(between) {
		if wait := due.Sub(g.Now()); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		g.next++
		n := g.next
		wg.Go(func() {
			err := send(ctx, n)
			took := g.Now().Sub(due)
			mu.Lock()
			defer mu.Unlock()
			all.record(err, took)
		})
	}
	wg.Wait()
	all.Elapsed = g.Now().Sub(start)
	return all
}

func (r *Result) record(err error, took time.Duration) {
	if err != nil {
		r.Failed++
		if r.First == nil {
			r.First = err
		}
		return
	}
	r.Latencies = append(r.Latencies, took)
}
