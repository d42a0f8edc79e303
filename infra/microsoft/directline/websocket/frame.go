package websocket

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"
)

// Opcodes (RFC 6455 §5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// Close codes (RFC 6455 §7.4.1).
const (
	CodeNormal      = 1000
	CodeProtocol    = 1002
	CodeUnsupported = 1003
	CodeNone        = 1005 // a close frame without a code; never sent
	CodeInvalidText = 1007
	CodeTooLarge    = 1009
)

const maxControl = 125 // bytes of a control frame's payload (§5.5)

// CloseError is why a connection ended: the server's words, or ours where the
// server broke the protocol.
type CloseError struct {
	Code   int
	Reason string
	Ours   bool
}

// Error says who closed the connection and why.
func (e *CloseError) Error() string {
	who := "server"
	if e.Ours {
		who = "client"
	}
	return fmt.Sprintf("websocket closed by the %s: %d %s", who, e.Code, e.Reason)
}

func fail(code int, reason string) error { return &CloseError{Code: code, Reason: reason, Ours: true} }

type frame struct {
	final   bool
	opcode  byte
	payload []byte
}

// readFrame reads one frame with at most limit bytes. Errors of the protocol
// are CloseErrors.
func readFrame(r *bufio.Reader, limit int) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{final: head[0]&0x80 != 0, opcode: head[0] & 0x0F}
	length, err := readLength(r, head[1]&0x7F)
	if err != nil {
		return frame{}, err
	}
	control := f.opcode&0x8 != 0
	switch {
	case head[0]&0x70 != 0:
		return frame{}, fail(CodeProtocol, "a reserved bit is set")
	case head[1]&0x80 != 0:
		return frame{}, fail(CodeProtocol, "a server masked a frame")
	case f.opcode > opBinary && !control || f.opcode > opPong:
		return frame{}, fail(CodeProtocol, "an opcode is not known")
	case control && (!f.final || length > maxControl):
		return frame{}, fail(CodeProtocol, "a control frame is fragmented or too long")
	case length > uint64(limit):
		return frame{}, fail(CodeTooLarge, "a message is too large")
	}
	f.payload = make([]byte, length)
	_, err = io.ReadFull(r, f.payload)
	return f, err
}

// readLength reads the rest of a payload's length, which must be written in as
// few bytes as possible (§5.2).
func readLength(r *bufio.Reader, short byte) (uint64, error) {
	var b [8]byte
	n, size, least := uint64(short), 0, uint64(0)
	switch short {
	case 126:
		size, least = 2, 126
	case 127:
		size, least = 8, 1<<16
	}
	if size > 0 {
		if _, err := io.ReadFull(r, b[8-size:]); err != nil {
			return 0, err
		}
		n = binary.BigEndian.Uint64(b[:])
	}
	if n < least || n > 1<<63-1 {
		return 0, fail(CodeProtocol, "a length is not written as it must be")
	}
	return n, nil
}

// control returns a masked control frame with as much of the payload as fits
// (§5.3: a client masks all it sends).
func control(opcode byte, payload []byte) []byte {
	payload = payload[:min(len(payload), maxControl)]
	b := make([]byte, 6, 6+len(payload))
	b[0], b[1] = 0x80|opcode, 0x80|byte(len(payload))
	mask := b[2:6]
	_, _ = rand.Read(mask) // never fails (crypto/rand.Read)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// closed reads the payload of a close frame (§5.5.1, §7.4).
func closed(payload []byte) *CloseError {
	if len(payload) == 0 {
		return &CloseError{Code: CodeNone}
	}
	if len(payload) == 1 {
		return &CloseError{Code: CodeProtocol, Reason: "half a close code", Ours: true}
	}
	e := &CloseError{Code: int(binary.BigEndian.Uint16(payload)), Reason: string(payload[2:])}
	switch {
	case !utf8.Valid(payload[2:]):
		return &CloseError{Code: CodeInvalidText, Reason: "the reason of a close frame is not UTF-8", Ours: true}
	case e.Code < 1000 || e.Code >= 1004 && e.Code <= 1006 || e.Code > 1014 && e.Code < 3000 || e.Code > 4999:
		return &CloseError{Code: CodeProtocol, Reason: "a close code that nobody may send", Ours: true}
	}
	return e
}
