package relay

import (
	"cmp"
	"sync"
	"time"

	"handoff/events"
)

// Timing is how patient a relay is. The zero value suits a function that must
// end soon; a machine that runs for ever may listen for longer.
type Timing struct {
	// Patience is how long one call listens to a bot that owes an answer, and
	// Quiet how long after its last word; 0 means 15 s and 3 s.
	Patience, Quiet time.Duration
	// Late is when a relay is looked at again after the last message, for what
	// the bot says late, and then three times more after twice as long; 0 means
	// 20 s.
	Late time.Duration
	// BotPatience is how long a customer waits for the bot before human agents
	// are asked, and HubPatience how long a hub is tried that can't be reached;
	// 0 means 2 and 10 minutes.
	BotPatience, HubPatience time.Duration
	// Idle is after which silence a relay ends; 0 means 24 h. The hub ends a
	// silent conversation long before (documented: after 30 minutes).
	Idle time.Duration
}

// pause is how long one look at the bot waits for news, so that what the
// customer says meanwhile does not wait longer.
const pause = time.Second

func (h *Handler) timing() Timing {
	t := h.Timing
	t.Patience, t.Quiet = cmp.Or(t.Patience, 15*time.Second), cmp.Or(t.Quiet, 3*time.Second)
	t.Late, t.Idle = cmp.Or(t.Late, 20*time.Second), cmp.Or(t.Idle, 24*time.Hour)
	t.BotPatience, t.HubPatience = cmp.Or(t.BotPatience, 2*time.Minute), cmp.Or(t.HubPatience, 10*time.Minute)
	return t
}

// busy has calls for one conversation wait for each other. The zero value is
// ready to use.
type busy struct {
	mu      sync.Mutex
	streams map[events.StreamID]*place
}

// place is one conversation's, with how many hold it or wait for it.
type place struct {
	sync.Mutex

	users int
}

func (b *busy) take(stream events.StreamID) (leave func()) {
	b.mu.Lock()
	if b.streams == nil {
		b.streams = make(map[events.StreamID]*place)
	}
	p := b.streams[stream]
	if p == nil {
		p = new(place)
		b.streams[stream] = p
	}
	p.users++
	b.mu.Unlock()
	p.Lock()
	return func() {
		p.Unlock()
		b.mu.Lock()
		defer b.mu.Unlock()
		if p.users--; p.users == 0 {
			delete(b.streams, stream)
		}
	}
}
