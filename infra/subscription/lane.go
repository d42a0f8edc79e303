package subscription

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"handoff/domain/fault"
	"handoff/events"
)

// Pauses between tries of one fact.
const (
	firstPause = 200 * time.Millisecond
	maxPause   = 5 * time.Minute
)

// item is one fact on its way to the function.
type item struct {
	row
	note  *events.Notification // nil where it must be read again
	done  bool                 // the checkpoint may pass it
	aside bool                 // it is put aside
}

// id returns the id of the fact.
func (i *item) id() string {
	return events.Header{Stream: i.Stream, Version: i.Version}.ID()
}

// failed counts one more try that failed, and says when the next one is: after
// a pause that doubles each time, half of it at random so that many don't come
// back at once, but not before the fault allows it.
func (i *item) failed(now time.Time, maxAge time.Duration, err error) {
	i.Tries++
	i.Code = fault.CodeOf(err)
	if i.Since.IsZero() {
		i.Since = now
	}
	wait := maxPause
	if i.Tries < 12 {
		wait = min(maxPause, firstPause<<(i.Tries-1))
	}
	wait -= rand.N(wait / 2)
	if f := fault.Of(err); f != nil {
		wait = max(wait, f.RetryAfter)
	}
	i.Next = now.Add(wait)
	if end := i.Since.Add(maxAge); now.Before(end) && end.Before(i.Next) {
		i.Next = end // one last try
	}
}

// exhausted reports whether the fact was tried for long enough.
func (i *item) exhausted(now time.Time, maxAge time.Duration) bool {
	return !i.Since.IsZero() && now.Sub(i.Since) >= maxAge
}

// lane holds the facts of one stream that are not handled yet, in order. It is
// busy with its first, ready for it, or resting until that is tried again.
type lane struct {
	queue []*item
	until time.Time // end of the rest
}

// halted reports whether what comes has to be put aside as well.
func (l *lane) halted() bool { return len(l.queue) > 0 && l.queue[len(l.queue)-1].aside }

// resting is a heap of lanes, the one that rests shortest first.
type resting []*lane

var _ heap.Interface = (*resting)(nil)

// Len implements heap.Interface.
func (r resting) Len() int { return len(r) }

// Less implements heap.Interface.
func (r resting) Less(i, j int) bool { return r[i].until.Before(r[j].until) }

// Swap implements heap.Interface.
func (r resting) Swap(i, j int) { r[i], r[j] = r[j], r[i] }

// Push implements heap.Interface.
func (r *resting) Push(x any) {
	l, _ := x.(*lane)
	*r = append(*r, l)
}

// Pop implements heap.Interface.
func (r *resting) Pop() any {
	last := len(*r) - 1
	l := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return l
}
