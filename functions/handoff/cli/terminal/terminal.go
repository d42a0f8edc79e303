// Package terminal writes for people: aligned tables, wrapped sentences and
// colours where a terminal shows them, the same words without them where not.
//
// Values come from customers and their bots, so nothing reaches a terminal
// unescaped: every value that is printed passes through Safe, and styles are
// values of their own that only this package turns into control sequences.
package terminal

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Options say what the reader's screen can do.
type Options struct {
	Width  int  // columns; 0: as long as the lines are
	Colour bool // control sequences for styles are understood
	Live   bool // a line can be written over, for progress
}

// Terminal is one stream of output. It is not safe for concurrent use. It
// remembers the first error, which Flush returns; after it nothing is written.
type Terminal struct {
	Options
	out  *bufio.Writer
	last string // line that is being written over, by Progress
}

// New returns a terminal that writes to w.
func New(w io.Writer, o Options) *Terminal {
	return &Terminal{Options: o, out: bufio.NewWriter(w)}
}

// Styled is a value with a style. Make one with Bold and its like.
type Styled struct {
	code  string // of ECMA-48 §8.3.117, select graphic rendition
	value any
}

// String returns the value's text without its style.
func (s Styled) String() string { return fmt.Sprint(s.value) }

// Bold returns v to be printed bold.
func Bold(v any) Styled { return Styled{"1", v} }

// Dim returns v to be printed faintly.
func Dim(v any) Styled { return Styled{"2", v} }

// Red returns v to be printed in red: something is wrong.
func Red(v any) Styled { return Styled{"31", v} }

// Green returns v to be printed in green: something is as it should be.
func Green(v any) Styled { return Styled{"32", v} }

// Yellow returns v to be printed in yellow: something waits for somebody.
func Yellow(v any) Styled { return Styled{"33", v} }

// text returns the escaped text of a value, and its style.
func text(v any) (s, code string) {
	if st, ok := v.(Styled); ok {
		s, _ = text(st.value)
		return s, st.code
	}
	return Safe(fmt.Sprint(v)), ""
}

func (t *Terminal) styled(s, code string) string {
	if code == "" || !t.Colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Printf prints by a format. Arguments that are texts, or print themselves, are
// escaped; only what stands in the format itself is printed as it is.
func (t *Terminal) Printf(format string, args ...any) {
	safe := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case bool, int, int64, float64:
			safe[i] = a
		default:
			s, code := text(a)
			safe[i] = t.styled(s, code)
		}
	}
	t.clear()
	_, _ = fmt.Fprintf(t.out, format, safe...) // the writer keeps its first error for Flush
}

// Paragraph prints a text, wrapped to the width, its further lines indented
// like its first, below what the lead takes.
func (t *Terminal) Paragraph(lead string, v any) {
	s, code := text(v)
	indent := strings.Repeat(" ", Width(lead))
	columns := 0
	if t.Width > 0 {
		columns = max(t.Width-Width(lead), 20)
	}
	t.clear()
	for i, line := range fold(s, columns) {
		if i > 0 {
			lead = indent
		}
		_, _ = fmt.Fprintln(t.out, strings.TrimRight(lead+t.styled(line, code), " "))
	}
}

// Text prints a text of several lines as it is, but for what Safe escapes.
func (t *Terminal) Text(s string) {
	t.clear()
	_, _ = t.out.WriteString(SafeText(s))
}

// Write implements io.Writer for what is safe already, such as JSON.
func (t *Terminal) Write(b []byte) (int, error) {
	t.clear()
	return t.out.Write(b)
}

// Progress shows a line that the next output writes over. Where lines can't be
// written over it shows nothing.
func (t *Terminal) Progress(format string, args ...any) {
	if !t.Live {
		return
	}
	line := Safe(fmt.Sprintf(format, args...))
	if t.Width > 0 {
		line = cut(line, t.Width-1)
	}
	if line == t.last {
		return
	}
	t.clear()
	t.last = line
	_, _ = t.out.WriteString(line)
	_ = t.out.Flush() // kept for the next Flush
}

// clear takes the line of Progress away.
func (t *Terminal) clear() {
	if t.last != "" {
		t.last = ""
		_, _ = t.out.WriteString("\r\x1b[K") // ECMA-48 §8.3.41, erase in line
	}
}

// Flush writes what is held back, and returns the first error of all writing.
func (t *Terminal) Flush() error {
	t.clear()
	return t.out.Flush()
}
