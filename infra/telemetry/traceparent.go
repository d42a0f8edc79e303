package telemetry

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// position is a span as W3C Trace Context names it (version 00, §3.2.2).
type position struct {
	trace   string // 32 hexadecimal digits
	span    string // 16
	sampled bool
}

const (
	traceDigits = 32
	spanDigits  = 16
)

// parsePosition reads a traceparent of version 00, as facts carry it.
func parsePosition(s string) (p position, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 4 || parts[0] != "00" || !isHex(parts[1], traceDigits) || !isHex(parts[2], spanDigits) || !isHex(parts[3], 2) {
		return position{}, false
	}
	flags, _ := hex.DecodeString(parts[3]) // it is hexadecimal
	return position{trace: parts[1], span: parts[2], sampled: flags[0]&1 != 0}, true
}

// isHex reports whether s has n digits in lower case that are not all zero;
// flags may be.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" && (n == 2 || strings.Trim(s, "0") != "")
}

// String returns the traceparent.
func (p position) String() string {
	flags := "00"
	if p.sampled {
		flags = "01"
	}
	return "00-" + p.trace + "-" + p.span + "-" + flags
}

// newID returns n random hexadecimal digits, which are not all zero but for an
// accident that nobody will see.
func newID(n int) string {
	b := make([]byte, n/2)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}
