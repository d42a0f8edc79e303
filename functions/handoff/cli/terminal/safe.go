package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe returns s with everything visible that could drive a terminal or hide
// text from its reader: control characters (C0, DEL, C1), line ends, marks that
// turn the direction of writing (Unicode TR 36 §2.4), invisible characters and
// bytes that are no UTF-8. Each is written as an escape, such as \x1b or \u202e.
func Safe(s string) string { return escape(s, "") }

// SafeText is Safe for a text of several lines: line ends and tabs stay.
func SafeText(s string) string { return escape(s, "\n\t") }

func escape(s, keep string) string {
	if harmless(s, keep) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strings.ContainsRune(keep, r):
			b.WriteRune(r)
		default:
			b.WriteString(escapeRune(r))
		}
		i += size
	}
	return b.String()
}

func escapeRune(r rune) string {
	switch {
	case !driving(r):
		return string(r)
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// harmless reports whether nothing in s needs to be escaped. It is fast for
// ASCII, which almost everything is.
func harmless(s, keep string) bool {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if (c < ' ' || c == 0x7f) && strings.IndexByte(keep, c) < 0 {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || driving(r) {
			return false
		}
		i += size
	}
	return true
}

// driving reports whether r is no visible part of a text. Joiners (U+200C and
// U+200D) stay: words of some languages are written with them.
func driving(r rune) bool {
	switch r {
	case '\u200c', '\u200d':
		return false
	case '\u2028', '\u2029': // separators of lines and paragraphs
		return true
	}
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r)
}

// SafeJSON returns JSON in which everything that Safe escapes is escaped in the
// way of JSON (RFC 8259 §7): such characters occur in its strings only, so its
// meaning stays the same.
func SafeJSON(text []byte) []byte {
	if harmless(string(text), "\n\t") {
		return text
	}
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r == '\n' || r == '\t' || !driving(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return []byte(b.String())
}
