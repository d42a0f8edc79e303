package directline

import (
	"context"
	"net/http"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/rest"
)

// Read returns what is new in the conversation, in its order.
func (c *Client) Read(ctx context.Context, s State) (State, []activity.Activity, error) {
	s, err := c.fresh(ctx, s)
	if err != nil {
		return s, nil, err
	}
	address, err := c.conversation(s, "/activities", s.Watermark)
	if err != nil {
		return s, nil, err
	}
	a, err := c.service.Do(ctx, rest.Request{Method: http.MethodGet, URL: address, Bearer: s.Token, Repeatable: true})
	if err != nil {
		return s, nil, explain(err)
	}
	set, err := activity.ParseSet(a.Body)
	if err != nil {
		return s, nil, c.service.Fault(fault.Unavailable, "answer-invalid", "answered with something that can't be read.").Because(err)
	}
	next, fresh := s.Take(set)
	return next, fresh, nil
}

// Await is Read until there is something new, or until within is over: then
// there is nothing, and no error. It looks at once, and then once an Interval.
func (c *Client) Await(ctx context.Context, s State, within time.Duration) (State, []activity.Activity, error) {
	end := c.o.Now().Add(within)
	for {
		next, fresh, err := c.Read(ctx, s)
		s = next
		if err != nil || len(fresh) > 0 || c.o.Now().Add(c.o.Interval).After(end) {
			return s, fresh, err
		}
		if err := sleep(ctx, c.o.Interval); err != nil {
			return s, nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
