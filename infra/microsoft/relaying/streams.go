package relaying

import (
	"context"
	"slices"
	"sync"
	"time"

	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/directline"
)

const (
	// keptOpen is how long a bot is listened to after somebody asked last. A
	// relay renews its token earlier than that before its end.
	keptOpen = 5 * time.Minute
	// maxUnheard is how many activities wait for somebody to ask.
	maxUnheard = 1_000
)

// Streams is a Relaying for a machine that runs for as long as its customers
// talk: it hears bots over WebSockets, as soon as they speak, and calls wake for
// what they say when nobody listens. Two machines would take a conversation's
// stream from each other (documented: the later one wins), so there is one.
// It is safe for concurrent use; close it.
type Streams struct {
	*Relaying

	wake   func(ctx context.Context, conversation events.StreamID) error
	ctx    context.Context //nolint:containedctx // of the streams, which outlive the calls that begin them
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	ears map[string]*ear // by the bot's conversation id
}

// NewStreams returns streams around r, until they are closed. An error of wake
// is its own to log.
func NewStreams(ctx context.Context, r *Relaying, wake func(context.Context, events.StreamID) error) *Streams {
	s := &Streams{Relaying: r, wake: wake, ears: make(map[string]*ear)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// Close ends all streams and waits for them.
func (s *Streams) Close() error {
	s.cancel()
	s.wg.Wait()
	return nil
}

// Listen implements relay.Bot. It does not wait where the stream is known to
// work. As long as one has said nothing yet, which may be because there is no
// getting through, the conversation is read as well.
func (s *Streams) Listen(ctx context.Context, l relay.Link, session events.BotSession, watermark string, wait time.Duration) (relay.Heard, error) {
	e := s.ear(l, session, watermark)
	defer func() {
		if e.leave() {
			s.call(e)
		}
	}()
	batches, err := e.wait(ctx, watermark, wait)
	if err != nil {
		return relay.Heard{}, err
	}
	if len(batches) == 0 && e.dumb() {
		return s.Relaying.Listen(ctx, l, session, watermark, 0)
	}
	h := relay.Heard{Followed: !e.dumb()}
	for _, b := range batches {
		h.Spoken = append(h.Spoken, heard(session, b.said, "").Spoken...)
		if b.watermark != "" {
			h.Watermark = b.watermark
		}
	}
	return h, nil
}

// Post implements relay.Bot. Nobody listens to a conversation whose end the bot is
// told.
func (s *Streams) Post(ctx context.Context, l relay.Link, session events.BotSession, what relay.ToBot) error {
	err := s.Relaying.Post(ctx, l, session, what)
	if what.Ended {
		s.mu.Lock()
		defer s.mu.Unlock()
		if e := s.ears[session.ConversationID]; e != nil {
			e.stop()
		}
	}
	return err
}

// ear listens to one conversation.
type ear struct {
	link  relay.Link
	token string
	from  string // watermark at the beginning
	stop  context.CancelFunc

	mu        sync.Mutex
	batches   []batch
	given     int    // of the batches, to somebody who listened
	watermark string // the last one
	changed   chan struct{}
	spoke     bool // it said anything
	listeners int
	idle      *time.Timer // runs while nobody listens
	err       error
	ended     bool
}

// batch is what came at once. Its watermark is empty where it had no new one.
type batch struct {
	said      []activity.Activity
	watermark string
	bots      bool // the bot said something in it: it is not only our own words
}

// ear returns the one that listens to a conversation behind a watermark.
func (s *Streams) ear(l relay.Link, session events.BotSession, watermark string) *ear {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.ears[session.ConversationID]; e != nil {
		if e.enter(session.Token, watermark) {
			return e
		}
		e.stop()
	}
	ctx, stop := context.WithCancel(s.ctx)
	e := &ear{
		link: l, token: session.Token, from: watermark, watermark: watermark, stop: stop, changed: make(chan struct{}), listeners: 1,
		idle: time.AfterFunc(keptOpen, stop),
	}
	e.idle.Stop()
	s.ears[session.ConversationID] = e
	state := s.state(session)
	state.Watermark, state.UserID = watermark, "" // our own words come back too
	s.wg.Go(func() {
		defer stop()
		e.fail(s.bots.Stream(ctx, state, func(_ context.Context, next directline.State, fresh []activity.Activity) error {
			return s.keep(e, batch{said: fresh, watermark: next.Watermark, bots: speaks(session, fresh)})
		}))
		s.forget(session.ConversationID, e)
	})
	return e
}

func (s *Streams) forget(conversation string, e *ear) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ears[conversation] == e {
		delete(s.ears, conversation)
	}
}

// speaks reports whether the bot says anything that is of concern to a relay.
func speaks(session events.BotSession, fresh []activity.Activity) bool {
	return slices.ContainsFunc(heard(session, fresh, "").Spoken, func(p relay.Spoken) bool { return p.Mark == "" })
}

// keep takes what was said, and calls for somebody to listen where nobody does.
func (s *Streams) keep(e *ear, b batch) error {
	alone, err := e.add(b)
	if err == nil && alone {
		s.call(e)
	}
	return err
}

// call has somebody listen.
func (s *Streams) call(e *ear) {
	s.wg.Go(func() { _ = s.wake(s.ctx, e.link.Conversation) }) // wake logs
}

// enter reports whether the ear still hears what comes after a watermark, and
// counts its caller in if it does.
func (e *ear) enter(token, watermark string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.token != token || e.ended && e.err == nil || watermark != e.from && e.index(watermark) < 0 {
		return false
	}
	if e.listeners == 0 && !e.idle.Stop() {
		return false // it is just being let go
	}
	e.listeners++
	return true
}

// leave counts a listener out. It reports whether the bot said something that
// nobody got: it came when the last listener had stopped to wait.
func (e *ear) leave() (unheard bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listeners--; e.listeners > 0 {
		return false
	}
	e.idle.Reset(keptOpen)
	return slices.ContainsFunc(e.batches[e.given:], func(b batch) bool { return b.bots })
}

// index returns the last batch with a watermark, -1 for none.
func (e *ear) index(watermark string) int {
	for i, b := range slices.Backward(e.batches) {
		if b.watermark != "" && b.watermark == watermark {
			return i
		}
	}
	return -1
}

// add keeps a batch. alone says that nobody listens.
func (e *ear) add(b batch) (alone bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b.watermark == e.watermark {
		b.watermark = ""
	} else {
		e.watermark = b.watermark
	}
	e.batches, e.spoke = append(e.batches, b), true
	unheard := 0
	for _, b := range e.batches {
		unheard += len(b.said)
	}
	close(e.changed)
	e.changed = make(chan struct{})
	if unheard > maxUnheard {
		return false, fault.New(fault.Unavailable, "bot-unheard", "Nobody listens to the bot any more.")
	}
	return e.listeners == 0 && b.bots, nil
}

// fail keeps why the stream ended. One that nobody needed any more is begun anew
// when somebody does.
func (e *ear) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended = true; fault.KindOf(err).Permanent() {
		e.err = err
	}
	close(e.changed)
	e.changed = make(chan struct{})
}

// dumb reports whether nothing was ever heard.
func (e *ear) dumb() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.spoke
}

// after returns what came after a watermark, and drops the rest. news says that
// something of it was given to nobody yet.
func (e *ear) after(watermark string) (all []batch, news bool, changed <-chan struct{}, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := e.index(watermark); i >= 0 {
		e.batches, e.from, e.given = slices.Clone(e.batches[i+1:]), watermark, max(0, e.given-i-1)
	}
	news, e.given = len(e.batches) > e.given, len(e.batches)
	return slices.Clone(e.batches), news, e.changed, e.err
}

// wait returns what comes after a watermark as soon as something of it is new,
// and what there is when the time is over, or at once where the ear is known to
// hear.
func (e *ear) wait(ctx context.Context, watermark string, within time.Duration) ([]batch, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		all, news, changed, err := e.after(watermark)
		if news || err != nil || !e.dumb() {
			return all, err
		}
		select {
		case <-changed:
		case <-timer.C:
			return all, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
