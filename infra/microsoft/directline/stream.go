package directline

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/rest"
)

// Pauses between connections that end at once.
const (
	firstPause  = time.Second
	longPause   = 30 * time.Second
	maxFailures = 8 // in a row, then the fault is the caller's to deal with
	shortest    = 10 * time.Second
)

// Keep is told of each new state with the activities that led to it, which may
// be none. Stream ends with its error.
type Keep func(ctx context.Context, s State, fresh []activity.Activity) error

// Stream listens to the conversation and hands over what is new, in its order,
// as soon as it is said (typing comes this way only). It connects again where
// the connection ends, goes on behind the watermark, and refreshes the token in
// time.
//
// A conversation has one stream: Direct Line ends the older one when another
// begins, so two of them would take it from each other in turns. Stream returns
// when ctx ends or keep fails, and on a permanent fault; what is worth another
// try is returned after some failures in a row, with minutes between the first
// and the last.
func (c *Client) Stream(ctx context.Context, s State, keep Keep) error {
	l := listener{client: c, state: s, keep: keep}
	for failures := 0; ; {
		heard, err := l.connect(ctx)
		if failures++; heard || err == nil {
			failures = 1
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case l.kept != nil:
			return l.kept
		case err == nil:
			continue // it was time for another token
		case fault.Of(err) != nil && fault.KindOf(err).Permanent(), failures > maxFailures:
			return err
		}
		if err := sleep(ctx, min(firstPause<<(failures-1), longPause)); err != nil {
			return err
		}
	}
}

// listener is one Stream.
type listener struct {
	client *Client
	state  State
	keep   Keep
	kept   error // of keep
}

// connect listens on one connection until it ends, or, without an error, until
// the token is to be refreshed. It reports whether anything was heard.
func (l *listener) connect(ctx context.Context) (heard bool, err error) {
	c := l.client
	address, err := l.resume(ctx)
	if err != nil {
		return false, err
	}
	conn, err := listenAt(ctx, address, c.o.Upgrader)
	if err != nil {
		return false, fault.New(fault.Unavailable, "direct-line-unreachable", "The bot's Direct Line can't be listened to.").Because(err)
	}
	defer conn.close()
	life := max(l.state.Expires.Add(-early).Sub(c.o.Now()), shortest)
	within, cancel := context.WithTimeoutCause(ctx, life, errRefresh)
	defer cancel()
	for {
		message, err := conn.read(within)
		if errors.Is(err, errRefresh) {
			return heard, nil
		}
		if err == nil {
			err = l.hear(ctx, message)
		}
		if err != nil {
			return heard, err
		}
		heard = true
	}
}

// resume returns the address to listen at. Without a watermark the stream has
// only what is said from here on (documented), so what was said before is read.
func (l *listener) resume(ctx context.Context) (address string, err error) {
	before := l.state
	if l.state, address, err = l.client.Resume(ctx, l.state); err != nil {
		return "", err
	}
	var fresh []activity.Activity
	if before.Watermark == "" {
		if l.state, fresh, err = l.client.Read(ctx, l.state); err != nil {
			return "", err
		}
	}
	if l.state.Token != before.Token || len(fresh) > 0 {
		l.kept = l.keep(ctx, l.state, fresh)
	}
	return address, l.kept
}

// errRefresh ends a connection whose token is to be refreshed.
var errRefresh = errors.New("time to refresh the token")

// hear takes one frame. An empty one keeps the connection alive and says
// nothing.
func (l *listener) hear(ctx context.Context, message []byte) error {
	if len(strings.TrimSpace(string(message))) == 0 {
		return nil
	}
	set, err := activity.ParseSet(message)
	if err != nil {
		return l.client.service.Fault(fault.Unavailable, "answer-invalid", "said something that can't be read.").Because(err)
	}
	next, fresh := l.state.Take(set)
	if len(fresh) > 0 || next.Watermark != l.state.Watermark {
		if l.kept = l.keep(ctx, next, fresh); l.kept != nil {
			return l.kept
		}
	}
	l.state = next
	return nil
}

// Resume returns the address of a WebSocket on which the conversation goes on
// behind the watermark. It holds a token, and must be used within a minute
// (documented).
func (c *Client) Resume(ctx context.Context, s State) (next State, address string, err error) {
	if s, err = c.fresh(ctx, s); err != nil {
		return s, "", err
	}
	from, err := c.conversation(s, "", s.Watermark)
	if err != nil {
		return s, "", err
	}
	var g granted
	now := c.o.Now()
	if err := c.call(ctx, rest.Request{Method: http.MethodGet, URL: from, Bearer: s.Token, Repeatable: true}, &g); err != nil {
		return s, "", err
	}
	if g.Token != "" {
		s.Token, s.Expires = g.Token, g.expires(now)
	}
	return s, g.StreamURL, c.checkStream(g.StreamURL)
}

// checkStream holds the address of a stream to what holds for Direct Line's
// own, for it has a token in it.
func (c *Client) checkStream(address string) error {
	schemes := map[string]string{"wss": "https://", "ws": "http://"}
	u, err := url.Parse(address)
	if err != nil || schemes[u.Scheme] == "" || u.User != nil {
		return c.service.Fault(fault.Unavailable, "answer-invalid", "named no address to listen at.")
	}
	_, err = rest.Trusted(schemes[u.Scheme]+u.Host, c.o.Hosts)
	return err
}
