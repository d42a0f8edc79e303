package load_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/directline"
	"handoff/tests/load"
)

// talker is one side of a conversation with a bot. ask returns when the bot has
// answered.
type talker interface {
	ask(ctx context.Context) error
}

// crowd are talkers who ask in turns. Nobody asks twice at once.
type crowd struct {
	free chan talker
	size int
}

// gather opens conversations until there are n, a few at once.
func (c *crowd) gather(t testing.TB, n int, open func(context.Context) (talker, error)) {
	t.Helper()
	next := make(chan talker, n)
	for range c.size {
		next <- <-c.free
	}
	var wg sync.WaitGroup
	places := make(chan struct{}, 16)
	for range n - c.size {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(t.Context(), settle)
			defer cancel()
			one, err := open(ctx)
			if err != nil {
				t.Error(err)
			}
			next <- one
		})
	}
	wg.Wait()
	c.free, c.size = next, n
	if t.Failed() {
		t.FailNow()
	}
}

// send is a load.Send.
func (c *crowd) send(ctx context.Context, _ int64) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	one := <-c.free
	defer func() { c.free <- one }()
	return one.ask(ctx)
}

// chatter talks to the bot without Handoff: over Direct Line, as a chat widget
// of the bot's own does.
type chatter struct {
	client *directline.Client
	state  directline.State
	heard  chan struct{} // a message of the bot's
}

// chats returns what opens conversations with the bot, and closes their streams
// with the test.
func (s *shop) chats(t testing.TB) func(context.Context) (talker, error) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 4096}
	loopback := []string{"127.0.0.1"}
	client := directline.New(directline.Options{HTTP: &http.Client{Transport: transport}, Now: time.Now, Hosts: loopback, TokenHosts: loopback})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		transport.CloseIdleConnections()
	})
	return func(asked context.Context) (talker, error) {
		c := &chatter{client: client, heard: make(chan struct{}, 16)}
		var err error
		if c.state, err = client.Start(asked, directline.Bot{TokenEndpoint: s.tokenEndpoint(), Base: s.urls.DirectLine}, "load"); err != nil {
			return nil, err
		}
		wg.Go(func() { _ = client.Stream(ctx, c.state, c.keep) }) // whoever waits for it in vain says so
		return c, c.say(asked, directline.Greet())
	}
}

func (c *chatter) keep(_ context.Context, _ directline.State, fresh []activity.Activity) error {
	for _, a := range fresh {
		if a.Type() == activity.TypeMessage && a.From() != c.state.UserID {
			c.heard <- struct{}{}
		}
	}
	return nil
}

func (c *chatter) ask(ctx context.Context) error { return c.say(ctx, activity.Message(question)) }

func (c *chatter) say(ctx context.Context, a activity.Activity) error {
	if _, _, err := c.client.Post(ctx, c.state, a); err != nil {
		return err
	}
	select {
	case <-c.heard:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// talk is how long after a customer's message the bot's answer is there.
type talk struct {
	relayed, direct load.Result
	endpoint        load.Result   // of the requests of the hub meanwhile
	ours, fakes     time.Duration // of a processor, for each answer that was relayed
	share           load.Share
}

// pace is how often a customer writes.
const pace = 16

// measureTalk has customers of open conversations write, each every 16 s (one
// alone every second), and as many talk to the bot directly, in turns.
func measureTalk(t testing.TB, s *shop, relayed, direct *crowd, size scale) (m talk) {
	t.Helper()
	perSecond := max(1, relayed.size/pace)
	watched := s.watch()
	s.gate.taken()
	for range rounds {
		ours, fakes := load.CPU(s.process.PID()), load.CPU(s.fake.PID())
		m.relayed.Add(checked(t, s.load.Open(t.Context(), perSecond, size.span/rounds, relayed.send)))
		m.ours += load.CPU(s.process.PID()) - ours
		m.fakes += load.CPU(s.fake.PID()) - fakes
		m.direct.Add(checked(t, s.load.Open(t.Context(), perSecond, size.span/rounds, direct.send)))
	}
	m.endpoint, m.share = s.gate.taken(), watched()
	n := time.Duration(max(1, len(m.relayed.Latencies)))
	m.ours, m.fakes = m.ours/n, m.fakes/n
	return m
}
