// Package transcripthttp reads transcripts that bots leave at URLs: in
// Handoff's own form ({"messages": […]}) or as activities of the Bot Framework.
package transcripthttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/events"
	"handoff/infra/microsoft/botframework"
)

// MaxBytes is the greatest size of a transcript.
const MaxBytes = 10 << 20

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = 10 * time.Minute

// Fetcher reads transcripts through a client that is made for URLs of others
// (see safehttp) and that reads at least MaxBytes+1 of an answer. It is safe for
// concurrent use.
type Fetcher struct{ Client *http.Client }

// Fetch reads and parses the transcript at a URL. Its faults are Unavailable
// where another try may help, else of a permanent kind: transcript-gone,
// transcript-refused, transcript-too-large, transcript-unreadable, or what the
// client refuses.
func (f Fetcher) Fetch(ctx context.Context, url string) (*events.Transcript, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "transcript-unreadable", "The transcript's address is no URL.").Because(err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := f.Client.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, refused(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBytes+1))
	if err != nil {
		return nil, unreachable(err)
	}
	if len(body) > MaxBytes {
		return nil, fault.Newf(fault.TooLarge, "transcript-too-large", "The transcript has more than %d bytes.", MaxBytes)
	}
	return Parse(body)
}

func unreachable(err error) error {
	if f := fault.Of(err); f != nil {
		return f
	}
	return fault.New(fault.Unavailable, "transcript-unreachable", "The transcript could not be read.").Because(err)
}

// refused tells an answer that may change from one that won't.
func refused(r *http.Response) error {
	switch r.StatusCode {
	case http.StatusGone:
		return fault.New(fault.NotFound, "transcript-gone", "The transcript is not there any more.")
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest, http.StatusMethodNotAllowed:
		return fault.Newf(fault.Forbidden, "transcript-refused", "The transcript was refused with status %d.", r.StatusCode)
	}
	f := fault.Newf(fault.Unavailable, "transcript-unreachable", "The transcript's server answered with status %d.", r.StatusCode)
	if s, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && s > 0 {
		f.RetryAfter = min(time.Duration(s)*time.Second, maxRetryAfter)
	}
	return f
}

// Parse reads a transcript in either form and holds it to the limits that
// transcripts in hand-offs have.
func Parse(body []byte) (*events.Transcript, error) {
	t, err := parse(body)
	if err == nil {
		h := intake.HandOff{Context: events.Context{ConversationID: "-", Transcript: t}}
		err = h.Check()
	}
	if err != nil {
		return nil, fault.New(fault.Unprocessable, "transcript-unreadable", "The transcript can't be read.").Because(err)
	}
	return t, nil
}

func parse(body []byte) (*events.Transcript, error) {
	var own struct {
		Messages json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), &own); err != nil || own.Messages == nil {
		return botframework.ParseTranscript(body)
	}
	wrapped, err := json.Marshal(map[string]any{"conversation_id": "-", "transcript": json.RawMessage(body)})
	if err != nil {
		return nil, fmt.Errorf("read transcript: %w", err)
	}
	h, err := intake.ParsePlain(wrapped)
	if err == nil && h.Context.Transcript == nil {
		err = errors.New("it has no messages")
	}
	return h.Context.Transcript, err
}
