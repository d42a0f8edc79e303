package websocket

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

// farewell is how long a close frame may take to be written.
const farewell = time.Second

// errSilence ends a connection on which nothing comes any more.
var errSilence = errors.New("websocket: the server is silent")

// Conn is an open connection. Read is for one goroutine at a time; Close may be
// called from any, and again.
type Conn struct {
	stream io.ReadWriteCloser
	in     *bufio.Reader
	o      Options
	ended  error // why Read fails from now on

	writing sync.Mutex
	closing sync.Once
}

func newConn(stream io.ReadWriteCloser, o Options) *Conn {
	return &Conn{stream: stream, in: bufio.NewReader(stream), o: o}
}

// Read returns the next text message, which may be empty. Pings are answered
// meanwhile. It fails with a *CloseError where the connection was closed with a
// word, with what the network says where it was not, and with the context's
// cause; after any of them the connection is of no more use.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	if c.ended != nil {
		return nil, c.ended
	}
	stop := context.AfterFunc(ctx, c.drop)
	message, err := c.message()
	if !stop() && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.ended = err
		c.drop()
		return nil, err
	}
	return message, nil
}

// message puts the frames of one text message together (§5.4).
func (c *Conn) message() ([]byte, error) {
	message, begun := []byte{}, false
	for {
		f, err := c.next(c.o.MaxMessage - len(message))
		if err != nil {
			return nil, c.give(err)
		}
		switch {
		case f.opcode == opBinary:
			return nil, c.give(fail(CodeUnsupported, "a binary message"))
		case begun != (f.opcode == opContinuation):
			return nil, c.give(fail(CodeProtocol, "a fragment in the wrong place"))
		}
		message, begun = append(message, f.payload...), true
		if !f.final {
			continue
		}
		if !utf8.Valid(message) {
			return nil, c.give(fail(CodeInvalidText, "a text is not UTF-8"))
		}
		return message, nil
	}
}

// next returns the next data frame and deals with control frames in between
// (§5.5).
func (c *Conn) next(limit int) (frame, error) {
	for {
		f, err := c.frame(max(limit, maxControl))
		switch {
		case err != nil:
			return frame{}, err
		case f.opcode == opPing:
			c.write(control(opPong, f.payload))
		case f.opcode == opClose:
			return frame{}, closed(f.payload)
		case f.opcode != opPong && len(f.payload) > limit:
			return frame{}, fail(CodeTooLarge, "a message is too large")
		case f.opcode != opPong:
			return f, nil
		}
	}
}

// frame reads a frame. In silence it sends a ping, and gives up if even that
// brings nothing.
func (c *Conn) frame(limit int) (frame, error) {
	silent := make(chan struct{})
	ping := time.AfterFunc(c.o.Silence, func() { c.write(control(opPing, nil)) })
	end := time.AfterFunc(2*c.o.Silence, func() { close(silent); c.drop() })
	defer ping.Stop()
	f, err := readFrame(c.in, limit)
	if !end.Stop() && err != nil {
		<-silent
		return frame{}, errSilence
	}
	return f, err
}

// give tells the server why we close, if it is not the server's own end, or
// echoes its close frame (§5.5.1, §7.1.7).
func (c *Conn) give(err error) error {
	e, ok := errors.AsType[*CloseError](err)
	if !ok {
		return err
	}
	var payload []byte
	if e.Code != CodeNone {
		payload = binary.BigEndian.AppendUint16(nil, uint16(e.Code))
	}
	c.part(payload)
	return err
}

// Close says goodbye and closes the connection. It does not wait for the
// server's answer, which changes nothing for one who only reads.
func (c *Conn) Close() error {
	c.part(binary.BigEndian.AppendUint16(nil, CodeNormal))
	c.drop()
	return nil
}

// part sends one close frame, within a bounded time.
func (c *Conn) part(payload []byte) {
	c.closing.Do(func() {
		late := time.AfterFunc(farewell, c.drop)
		defer late.Stop()
		c.write(control(opClose, payload))
	})
}

// write sends a frame. That it fails is seen by the next read.
func (c *Conn) write(frame []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, _ = c.stream.Write(frame)
}

// drop ends what blocks on the connection.
func (c *Conn) drop() { _ = c.stream.Close() }
