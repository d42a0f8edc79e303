package httpapi

import (
	"strings"

	"handoff/domain/fault"
)

// maxKey is how long an Idempotency-Key or webhook-id may be.
const maxKey = 256

// parseIdempotencyKey reads the values of the Idempotency-Key header, of which
// there is none or one. It is a string in quotes (draft-ietf-httpapi-idempotency-key-header-07
// §2.1, RFC 9651 §3.3.3); a bare word is read too, since most clients send that.
// Parameters after the string, of which the draft has none, are refused.
func parseIdempotencyKey(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", badKey("It was sent more than once.")
	}
	v := strings.Trim(values[0], " ")
	key, ok := v, isWord(v)
	if strings.HasPrefix(v, `"`) {
		key, ok = unquote(v)
	}
	switch {
	case !ok || key == "":
		return "", badKey(`Send one string in double quotes, such as "8e03978e-40d5-43dd-bc93-6894a57f9324".`)
	case len(key) > maxKey:
		return "", badKey("It may have 256 characters at most.")
	}
	return key, nil
}

// unquote reads a string as RFC 9651 §4.2.5 does.
func unquote(v string) (string, bool) {
	out := make([]byte, 0, len(v))
	for i := 1; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			return string(out), i == len(v)-1
		case c == '\\':
			if i++; i >= len(v) || v[i] != '"' && v[i] != '\\' {
				return "", false
			}
			out = append(out, v[i])
		case c < ' ' || c > '~':
			return "", false
		default:
			out = append(out, c)
		}
	}
	return "", false
}

// isWord reports whether s has visible ASCII only, and nothing that would have
// a meaning in a structured field.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte(`",;\`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

func badKey(why string) error {
	return fault.New(fault.Invalid, "idempotency-key-invalid", "The Idempotency-Key can't be read. "+why)
}

// traceparent is a valid W3C traceparent of version 00.
type traceparent string

func (t traceparent) traceID() string { return string(t[3:35]) }

const traceparentLength = 55 // of version 00

// parseTraceparent reads the values of the traceparent header as
// www.w3.org/TR/trace-context §3.2 and §4.3 say. One that is not valid, or that
// came twice, counts as none. Of a later version the parts of version 00 are
// read.
func parseTraceparent(values []string) (traceparent, bool) {
	if len(values) != 1 || len(values[0]) < traceparentLength {
		return "", false
	}
	v := values[0]
	version, trace, parent, flags := v[:2], v[3:35], v[36:52], v[53:55]
	switch {
	case v[2] != '-' || v[35] != '-' || v[52] != '-':
		return "", false
	case !isHex(version) || !isHex(trace) || !isHex(parent) || !isHex(flags), version == "ff", isZero(trace), isZero(parent):
		return "", false
	case len(v) > traceparentLength && (version == "00" || v[traceparentLength] != '-'):
		return "", false
	case version == "00":
		return traceparent(v), true
	}
	// Only the flag "sampled" is known to mean the same in every version.
	sampled := strings.IndexByte(hexDigits, flags[1]) & 1
	return traceparent("00-" + trace + "-" + parent + "-0" + hexDigits[sampled:sampled+1]), true
}

const hexDigits = "0123456789abcdef" // in lower case only, §3.2.2.1

func isHex(s string) bool { return strings.Trim(s, hexDigits) == "" }

func isZero(s string) bool { return strings.Trim(s, "0") == "" }

// parseIfMatch returns the one entity tag of an If-Match header, or nothing for
// none and for *, which any rules match.
func parseIfMatch(values []string) (string, error) {
	v := strings.TrimSpace(strings.Join(values, ","))
	if v == "" || v == "*" {
		return "", nil
	}
	tag, ok := strings.CutPrefix(v, `"`)
	if ok {
		tag, ok = strings.CutSuffix(tag, `"`)
	}
	if !ok || strings.Contains(tag, `"`) {
		return "", fault.New(fault.Invalid, "if-match-invalid", "If-Match must have one entity tag, as the ETag of an answer gave it.")
	}
	return tag, nil
}
