package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"handoff/events"
)

// MediaFacts is the media type of a stream of facts: JSON texts, one a line.
const MediaFacts = "application/x-ndjson"

// A stream is flushed after so many facts, and each flush may take so long.
const (
	flushEvery = 64
	flushTime  = time.Minute
)

func (s *server) history(x *exchange, r *http.Request) error {
	return s.stream(x, r, func(after int64) iter.Seq2[events.Record, error] {
		return s.api.History(r.Context(), x.by, r.PathValue("connection"), after)
	})
}

func (s *server) facts(x *exchange, r *http.Request) error {
	return s.stream(x, r, func(after int64) iter.Seq2[events.Record, error] {
		return s.api.Facts(r.Context(), x.by, after)
	})
}

// StreamEnd is the last line of a stream of facts that broke off.
type StreamEnd struct {
	Error *Problem `json:"error"`
}

// stream answers with facts, one JSON text a line, however many there are. What
// goes wrong before the first is a problem as always; after it the last line
// tells it, for the status was sent by then.
func (s *server) stream(x *exchange, r *http.Request, facts func(after int64) iter.Seq2[events.Record, error]) error {
	after, err := position(r.URL.Query())
	if err != nil {
		return err
	}
	sealed, err := oneOf(r.URL.Query(), "sealed", "true", "false")
	if err != nil {
		return err
	}
	x.Header().Set("Content-Type", MediaFacts)
	if r.Method == http.MethodHead {
		x.WriteHeader(http.StatusOK)
		return nil
	}
	if s.FactsBytes > 0 {
		return s.factsPage(x, r, facts(after), sealed == "true")
	}
	out := s.newLines(x)
	for rec, err := range facts(after) {
		if err != nil && out.count == 0 {
			return err
		}
		if err == nil && isMark(rec) {
			continue
		}
		if err != nil {
			x.err = err
			p := problemOf(err)
			p.Instance, p.Trace = withoutKeys(r.URL.EscapedPath()), x.id
			return out.end(StreamEnd{Error: &p})
		}
		if err := out.write(StoredFactOf(rec, sealed == "true")); err != nil {
			x.err, x.aborted = fmt.Errorf("%w: %w", errGone, err), true
			return nil
		}
	}
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	return out.flush()
}

// isMark reports whether a record is no fact, and says only how far was read.
func isMark(r events.Record) bool { return r.Type == "" }

// factsPage answers with facts up to the bounds. If there may be more, a Link
// goes on after the last position that was read, be it of a fact or not.
func (s *server) factsPage(x *exchange, r *http.Request, facts iter.Seq2[events.Record, error], sealed bool) error {
	var page bytes.Buffer
	began := s.Now()
	for rec, err := range facts {
		if err != nil {
			return err // nothing was sent, so it is a problem as always
		}
		if !isMark(rec) {
			line, err := json.Marshal(StoredFactOf(rec, sealed))
			if err != nil {
				return fmt.Errorf("write a fact: %w", err)
			}
			if page.Len() > 0 && page.Len()+len(line) >= s.FactsBytes {
				s.linkNext(x, r, "after", strconv.FormatInt(rec.Position-1, 10))
				break
			}
			page.Write(append(line, '\n'))
		}
		if s.FactsTime > 0 && s.Now().Sub(began) >= s.FactsTime {
			s.linkNext(x, r, "after", strconv.FormatInt(rec.Position, 10))
			break
		}
	}
	x.body(http.StatusOK, MediaFacts, page.Bytes())
	return nil
}

func position(q url.Values) (int64, error) {
	if !q.Has("after") {
		return 0, nil
	}
	n, err := strconv.ParseInt(q.Get("after"), 10, 64)
	if err != nil || n < 0 {
		return 0, badParameter("after", "It is the position of a fact, a whole number.")
	}
	return n, nil
}

// lines writes JSON texts, one a line.
type lines struct {
	buffer  *bufio.Writer
	control *http.ResponseController
	now     func() time.Time
	count   int
}

func (s *server) newLines(x *exchange) *lines {
	return &lines{buffer: bufio.NewWriterSize(x, 32<<10), control: http.NewResponseController(x), now: s.Now}
}

func (l *lines) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write a fact: %w", err)
	}
	if _, err := l.buffer.Write(append(line, '\n')); err != nil {
		return err
	}
	if l.count++; l.count%flushEvery != 0 {
		return nil
	}
	return l.flush()
}

// end writes the last line.
func (l *lines) end(v any) error {
	if err := l.write(v); err != nil {
		return err
	}
	return l.flush()
}

// flush sends what was written. A stream may take longer than the server
// allows an answer, as long as it moves on.
func (l *lines) flush() error {
	_ = l.control.SetWriteDeadline(l.now().Add(flushTime)) // not every writer has one
	if err := l.buffer.Flush(); err != nil {
		return err
	}
	_ = l.control.Flush() // nor can every writer flush
	return nil
}

// takeTime lets an answer take as long as it takes that needs the whole log. A
// caller that hangs up ends the work.
func takeTime(x *exchange) {
	_ = http.NewResponseController(x).SetWriteDeadline(time.Time{}) // not every writer has one
}

func (s *server) stateAt(x *exchange, r *http.Request) error {
	at := s.Now()
	if written := r.URL.Query().Get("at"); written != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, written); err != nil {
			return badParameter("at", "It is an instant in RFC 3339, such as 2026-11-22T09:10:12Z; write + as %2B.")
		}
	}
	takeTime(x)
	past, err := s.api.StateAt(r.Context(), x.by, r.PathValue("connection"), at.UTC())
	if err != nil {
		return err
	}
	past.Escalations = notNil(past.Escalations)
	return x.json(http.StatusOK, past)
}

const maxHead = 256

func (s *server) verify(x *exchange, r *http.Request) error {
	against := r.URL.Query().Get("against")
	if len(against) > maxHead {
		return badParameter("against", "It is the head that an earlier verification printed.")
	}
	takeTime(x)
	v, err := s.api.Verify(r.Context(), x.by, against)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, v)
}
