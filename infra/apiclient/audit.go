package apiclient

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"handoff/events"
	"handoff/infra/httpapi"
)

// StateAt returns a connection as it was at an instant; a zero one is now.
func (c *Client) StateAt(ctx context.Context, connection string, instant time.Time) (httpapi.Past, error) {
	r := get(at("/v1/connections/%s/state", connection))
	r.slow = true
	if !instant.IsZero() {
		r.query = url.Values{"at": {instant.UTC().Format(time.RFC3339Nano)}}
	}
	return call[httpapi.Past](ctx, c, r)
}

// Verify checks the whole log, and against an earlier head if there is one.
func (c *Client) Verify(ctx context.Context, against string) (httpapi.Verified, error) {
	r := get("/v1/verify")
	r.slow = true
	if against != "" {
		r.query = url.Values{"against": {against}}
	}
	return call[httpapi.Verified](ctx, c, r)
}

// Reading says which facts are wanted, and how.
type Reading struct {
	After int64 // only facts after this position
	// Sealed asks for the sealed bytes that are stored with the facts.
	Sealed bool
}

// History yields a connection's facts as they are stored, in order. An error
// ends it.
func (c *Client) History(ctx context.Context, connection string, r Reading) iter.Seq2[events.Record, error] {
	return c.facts(ctx, at("/v1/connections/%s/history", connection), r)
}

// Facts yields all facts of the tenant as they are stored, in order. An error
// ends it.
func (c *Client) Facts(ctx context.Context, r Reading) iter.Seq2[events.Record, error] {
	return c.facts(ctx, "/v1/facts", r)
}

var errSilence = errors.New("the stream brought nothing for too long")

// facts reads a stream, or its pages where the server can't stream.
func (c *Client) facts(ctx context.Context, path string, how Reading) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for more := true; more; {
			r := get(path)
			r.query = url.Values{"after": {strconv.FormatInt(how.After, 10)}, "sealed": {strconv.FormatBool(how.Sealed)}}
			next, err := c.page(ctx, r, yield)
			if err == nil && next > 0 && next <= how.After {
				err = fmt.Errorf("%s %s: the page after position %d is told to be after %d", r.method, r.path, how.After, next)
			}
			if err != nil && !errors.Is(err, errEnough) {
				yield(events.Record{}, err)
			}
			how.After, more = next, err == nil && next > 0
		}
	}
}

// page reads one answer with facts, and returns the position after which the
// next one begins, 0 after the last. What yield did not want ends it with
// errEnough.
func (c *Client) page(ctx context.Context, r request, yield func(events.Record, error) bool) (next int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(Silence, func() { cancel(errSilence) })
	defer alarm.Stop()
	answer, err := c.send(ctx, r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	in := bufio.NewReaderSize(answer.Body, 64<<10)
	for {
		rec, err := c.next(ctx, r, in)
		if errors.Is(err, errEnd) {
			return nextAfter(answer.Header.Values("Link")), nil
		}
		if err != nil {
			return 0, err
		}
		alarm.Stop() // the caller takes the time that it needs
		if !yield(rec, nil) {
			return 0, errEnough
		}
		alarm.Reset(Silence)
	}
}

var errEnough = errors.New("the caller wants no more")

// nextAfter returns where the next page begins, 0 if there is none. Of a link
// only the position counts: the key goes to no address but the server's.
func nextAfter(links []string) int64 {
	for _, l := range links {
		target, rel, _ := strings.Cut(strings.TrimPrefix(l, "<"), ">")
		if u, err := url.Parse(target); err == nil && strings.Contains(rel, `rel="next"`) {
			n, _ := strconv.ParseInt(u.Query().Get("after"), 10, 64) // 0 is no page
			return n
		}
	}
	return 0
}

var errEnd = errors.New("the stream ended as it should")

// next reads a line. A stream that ends within one was cut off.
func (c *Client) next(ctx context.Context, r request, in *bufio.Reader) (events.Record, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return fact(line)
		case errors.Is(err, io.EOF) && len(line) == 0:
			return events.Record{}, errEnd
		case !errors.Is(err, bufio.ErrBufferFull):
			return events.Record{}, c.brokenOff(ctx, r, err)
		case len(line) > maxLine:
			return events.Record{}, fmt.Errorf("%s %s: a line is longer than %d bytes", r.method, r.path, maxLine)
		}
	}
}

// maxLine is more than any fact has: a body of 1 MiB, sealed, in base64.
const maxLine = 16 << 20

func fact(line []byte) (events.Record, error) {
	var l struct {
		httpapi.StoredFact
		httpapi.StreamEnd
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return events.Record{}, fmt.Errorf("read a fact: %w", err)
	}
	if l.Error == nil {
		return l.Record()
	}
	f := l.Error.Fault()
	if l.Error.Trace != "" {
		f = f.Because(errors.New("request " + l.Error.Trace))
	}
	return events.Record{}, f
}
