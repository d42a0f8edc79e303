package routing

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fold returns s in the form in which text is compared: without case. Going
// through upper case makes one of the letters that share one, such as the
// two small sigmas.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf {
			return strings.ToLower(strings.ToUpper(s))
		}
	}
	return strings.ToLower(s)
}

// hasWord reports whether word stands in text with no letter, digit or mark on
// either side. Both are folded.
func hasWord(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		start := from + i
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[start+len(word):])
		if !wordly(before) && !wordly(after) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[start:])
		from = start + size
	}
}

// wordly reports whether r is part of a word. The RuneError of an empty text is not.
func wordly(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// compare reports whether text stands in the operator's relation to any of the
// folded operands.
func (c *condition) compare(text string) bool {
	switch c.op {
	case opStartsWith:
		return slices.ContainsFunc(c.texts, func(t string) bool { return strings.HasPrefix(text, t) })
	case opEndsWith:
		return slices.ContainsFunc(c.texts, func(t string) bool { return strings.HasSuffix(text, t) })
	case opContains:
		return slices.ContainsFunc(c.texts, func(t string) bool { return strings.Contains(text, t) })
	case opHasWord:
		return slices.ContainsFunc(c.texts, func(t string) bool { return hasWord(text, t) })
	case opMatches:
		return c.pattern.MatchString(text)
	}
	return slices.Contains(c.texts, text)
}
