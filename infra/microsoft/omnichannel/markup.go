package omnichannel

import (
	"html"
	"strings"
)

// element is the opening tag of an element: its name and attributes in lower
// case, entities of the values resolved.
type element struct {
	name       string
	attributes map[string]string
}

// markup returns the opening tags of a piece of HTML, as browsers read them
// (HTML, "Tokenization", as far as tags go): attributes in any order, quoted in
// either way or not at all, in any case, across lines; the first of a name
// counts. Comments and the insides of scripts have no tags.
func markup(s string) (all []element) {
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return all
		}
		s = s[i+1:]
		if rest, ok := strings.CutPrefix(s, "!--"); ok {
			_, s, _ = strings.Cut(rest, "-->")
			continue
		}
		if s == "" || !letter(s[0]) {
			continue
		}
		var e element
		e, s = readElement(s)
		all = append(all, e)
		if e.name == "script" {
			s = afterScript(s)
		}
	}
}

// afterScript returns what follows a script's inside: nothing where its end is
// missing, as in a snippet that was copied in part.
func afterScript(s string) string {
	const end = "</script"
	for {
		i := strings.Index(s, "</")
		if i < 0 {
			return ""
		}
		if s = s[i:]; len(s) >= len(end) && strings.EqualFold(s[:len(end)], end) {
			return s
		}
		s = s[2:]
	}
}

func readElement(s string) (element, string) {
	end := endOf(s, func(c byte) bool { return space(c) || c == '/' || c == '>' })
	e := element{name: strings.ToLower(s[:end]), attributes: make(map[string]string)}
	for s = s[end:]; s != ""; {
		if s[0] == '>' {
			return e, s[1:]
		}
		if space(s[0]) || s[0] == '/' {
			s = s[1:]
			continue
		}
		var name, value string
		name, value, s = readAttribute(s)
		if _, there := e.attributes[name]; !there {
			e.attributes[name] = value
		}
	}
	return e, ""
}

func readAttribute(s string) (name, value, rest string) {
	// A = at the beginning is part of the name, so that something is read.
	end := 1 + endOf(s[1:], func(c byte) bool { return space(c) || c == '/' || c == '>' || c == '=' })
	name, rest = strings.ToLower(s[:end]), s[end:]
	after := strings.TrimLeft(rest, blanks)
	if !strings.HasPrefix(after, "=") {
		return name, "", rest
	}
	after = strings.TrimLeft(after[1:], blanks)
	if after != "" && (after[0] == '"' || after[0] == '\'') {
		value, rest, _ = strings.Cut(after[1:], after[:1])
		return name, html.UnescapeString(value), rest
	}
	end = endOf(after, func(c byte) bool { return space(c) || c == '>' })
	return name, html.UnescapeString(after[:end]), after[end:]
}

const blanks = " \t\r\n\f"

func space(c byte) bool  { return strings.IndexByte(blanks, c) >= 0 }
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// endOf returns the index of the first byte that stops, or the length.
func endOf(s string, stops func(byte) bool) int {
	for i := range len(s) {
		if stops(s[i]) {
			return i
		}
	}
	return len(s)
}
