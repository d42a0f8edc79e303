package routing

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// locate returns the line and the column in the file of byte `at` of a scalar.
// YAML folds, strips and escapes, but only blanks; so the place is found by
// counting what is not blank, in the value and in the file. Escapes other than
// of blanks count as one.
func (p *parser) locate(n *yaml.Node, at int) (line, column int) {
	skip, end := visible(n.Value[:at]), visible(n.Value[at:]) == 0
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return seek(p.source, n.Line+1, 1, skip, end, 0)
	}
	var quote byte
	column = n.Column
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		quote = '"'
	case n.Style&yaml.SingleQuotedStyle != 0:
		quote = '\''
	}
	if quote != 0 {
		column++
	}
	return seek(p.source, n.Line, column, skip, end, quote)
}

// visible counts the characters that are not blank.
func visible(s string) int {
	count := 0
	for _, r := range s {
		if !unicode.IsSpace(r) {
			count++
		}
	}
	return count
}

// seek goes from a place in the source over skip visible characters and returns
// where the next one stands, or the place right behind them at the end of a value.
func seek(source []byte, line, column, skip int, end bool, quote byte) (int, int) {
	rest := lineAt(source, line)
	for range column - 1 {
		_, size := utf8.DecodeRune(rest)
		rest = rest[size:]
	}
	endLine, endColumn := line, column
	for len(rest) > 0 {
		r, size := utf8.DecodeRune(rest)
		blank := unicode.IsSpace(r)
		if skip == 0 && end {
			break
		}
		if skip == 0 && !blank {
			return line, column
		}
		width := size
		if e := escape(rest, quote); e > 0 {
			width, blank = e, strings.ContainsRune("nrt ", rune(rest[1])) && quote == '"'
		}
		if !blank {
			skip--
		}
		column += utf8.RuneCount(rest[:width])
		if r == '\n' {
			line, column = line+1, 1
		} else if !blank {
			endLine, endColumn = line, column
		}
		rest = rest[width:]
	}
	return endLine, endColumn
}

// escape returns the bytes of the escape at the start of rest: a doubled single
// quote, or a backslash and what follows it. It is 0 where there is none.
func escape(rest []byte, quote byte) int {
	switch {
	case len(rest) < 2:
	case quote == '\'' && rest[0] == '\'' && rest[1] == '\'':
		return 2
	case quote == '"' && rest[0] == '\\':
		_, size := utf8.DecodeRune(rest[1:])
		return 1 + size
	}
	return 0
}

// lineAt returns the source from the start of a line, counted from 1.
func lineAt(source []byte, line int) []byte {
	for ; line > 1; line-- {
		i := bytes.IndexByte(source, '\n')
		if i < 0 {
			return nil
		}
		source = source[i+1:]
	}
	return source
}
