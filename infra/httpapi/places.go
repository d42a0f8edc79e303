package httpapi

import (
	"errors"
	"io"
	"time"

	"handoff/domain/fault"
)

// retryBusy is when a caller that found no place is to come back: by then
// whatever filled them is answered or has failed.
const retryBusy = time.Second

// enter takes one of the places for requests that are worked on, or refuses.
// It is called once the caller is known, so that strangers take none, and for
// hand-offs and messages once the body is there, so that whoever sends slowly
// takes none. A request takes one place, however often it is called.
//
// Refusing at once keeps the time that answers take bounded for everybody else:
// without a limit each request above capacity makes all others wait longer.
func (s *server) enter(x *exchange) error {
	if s.places == nil || x.placed {
		return nil
	}
	select {
	case s.places <- struct{}{}:
		x.placed = true
		return nil
	default:
		f := fault.New(fault.Unavailable, "too-busy", "The server has as much to do as it takes on at once. Send the same again in a moment.")
		f.RetryAfter = retryBusy
		return f
	}
}

// leave gives the place back.
func (s *server) leave(x *exchange) {
	if x.placed {
		x.placed = false
		<-s.places
	}
}

// entering is a body at whose end its request takes a place: for a handler that
// finds out by itself who is calling, before it reads anything.
type entering struct {
	io.ReadCloser

	enter func() error
}

func (b entering) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		if full := b.enter(); full != nil {
			return n, full
		}
	}
	return n, err
}
