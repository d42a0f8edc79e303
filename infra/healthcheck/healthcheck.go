// Package healthcheck asks a bot of any maker, at a URL that it names for this,
// whether it works: with GET, and by the status of the answer alone.
package healthcheck

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"handoff/domain/fault"
	"handoff/domain/publication"
)

// Timeout is how long a bot has to answer.
const Timeout = 10 * time.Second

// longest is what a Retry-After is cut to.
const longest = time.Hour

// maxBody is how much of an answer is read, so that its connection can be used
// again.
const maxBody = 4 << 10

// Checker asks bots. Its client decides which addresses may be reached, and must
// be given. It is safe for concurrent use.
type Checker struct{ Client *http.Client }

// Check asks once. A success means that the bot works; 404 and 410 that it is
// not there. Whatever else happens tells of the way to it, or of a moment, and
// leaves the state unknown, with a fault that has RetryAfter where the answer
// named a time in seconds.
func (c Checker) Check(ctx context.Context, url string) (publication.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return publication.Finding{}, fault.New(fault.Unprocessable, "health-url-invalid", "The health URL can't be read.").Because(err)
	}
	resp, err := c.Client.Do(req)
	if err != nil {
		return publication.Finding{}, unknown("the bot can't be reached").Because(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)) // what it says is not looked at
	switch {
	case resp.StatusCode/100 == 2:
		return publication.Finding{State: publication.Published, Reason: "health-check-positive", Detail: "The bot says that it works."}, nil
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return publication.Finding{
			State: publication.Unpublished, Reason: "health-check-negative",
			Detail: fmt.Sprintf("The bot is not there: its health URL answers %d.", resp.StatusCode),
		}, nil
	}
	f := unknown(fmt.Sprintf("its health URL answers %d", resp.StatusCode))
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		f.RetryAfter = time.Duration(min(seconds, int(longest/time.Second))) * time.Second
	}
	return publication.Finding{}, f
}

func unknown(why string) *fault.Error {
	return fault.Newf(fault.Unavailable, "health-unknown", "Whether the bot works is not known: %s.", why)
}
