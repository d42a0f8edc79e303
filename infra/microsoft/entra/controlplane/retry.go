package controlplane

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"handoff/domain/fault"
)

// backoff is the first wait where a service names none; it doubles.
const backoff = 500 * time.Millisecond

// wait returns when the service takes calls again, or at once with a fault that
// says when that is, if the context ends before.
func (c *Client) wait(ctx context.Context) error {
	c.mu.Lock()
	pause := c.open.Sub(c.now())
	c.mu.Unlock()
	if pause <= 0 {
		return nil
	}
	if end, ok := ctx.Deadline(); ok && c.now().Add(pause).After(end) {
		return c.throttled(pause)
	}
	return sleep(ctx, pause)
}

// again reports whether a call that failed is to be made once more, and pauses
// before that. Where the service named a time, the client as a whole holds back
// until then: under pressure that goes on, Dataverse makes the times longer
// (documented: service protection API limits).
func (c *Client) again(ctx context.Context, r Request, a Answer, err error, attempt int) bool {
	pause := retryAfter(a.Header, c.now())
	if pause > 0 && (a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable) {
		c.hold(pause)
	}
	if attempt == attempts || ctx.Err() != nil || !repeatable(r, a, err) {
		return false
	}
	if pause == 0 {
		pause = backoff << (attempt - 1)
	}
	if end, ok := ctx.Deadline(); ok && c.now().Add(pause).After(end) {
		return false
	}
	return sleep(ctx, pause) == nil
}

func (c *Client) hold(pause time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until := c.now().Add(pause); until.After(c.open) {
		c.open = until
	}
}

// repeatable reports whether another request may succeed and does no harm. A
// request that was answered 429 was not carried out.
func repeatable(r Request, a Answer, err error) bool {
	harmless := r.Repeatable || r.Method != http.MethodPost
	switch {
	case errors.Is(err, errTooLarge):
		return false
	case err != nil:
		return harmless
	case a.Status == http.StatusTooManyRequests:
		return true
	}
	passing := []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	return harmless && slices.Contains(passing, a.Status)
}

// throttled is the fault of a call that has to wait longer than it may.
func (c *Client) throttled(pause time.Duration) error {
	f := fault.Newf(fault.Unavailable, c.api.Code+"-throttled",
		"%s takes no more calls of this application for now; it is tried again in %s.", c.api.Name, pause.Round(time.Second))
	f.RetryAfter = pause
	return f
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3), 0 for neither. More
// than a day is taken as a day.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = 24 * time.Hour
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, most)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), most)
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
