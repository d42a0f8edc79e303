// Package durability shows that an answer is never earlier than the disk.
//
// A program that survives being killed has proved nothing about fsync: the
// operating system keeps what was written. So the program runs under strace,
// and the order of its system calls is compared with what it promised: before a
// 202 leaves through a socket, the commit of that request was written to the
// log, and a sync that began after the write has returned.
//
// strace sees a call begin before the kernel carries it out and end after, so
// in its output whatever the program did because of a sync stands after the
// sync's end.
package durability

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"
)

// Call is one system call on a file or a socket.
type Call struct {
	// Begin and End are the lines of the trace where it began and where it had
	// returned. They order calls of all threads.
	Begin, End int
	Name       string // such as fsync
	File       string // a path, or TCP:[from->to]
	Data       []byte // what was read or written
	Result     int64  // -1: it failed
}

// maxLine is the length of a line: each byte of a large write may take four.
const maxLine = 64 << 20

// Calls yields the calls of a trace that strace wrote with -f and -yy, in the
// order in which they returned. What is no call on a file is passed over, such
// as signals. A line that can't be understood is an error, since it may be the
// one that matters; so is data that strace cut short.
func Calls(r io.Reader) iter.Seq2[Call, error] {
	return func(yield func(Call, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxLine)
		t := tracer{begun: map[string]begun{}}
		for lines.Scan() {
			t.line++
			c, ok, err := t.read(lines.Text())
			if err != nil {
				err = fmt.Errorf("line %d of the trace: %w", t.line, err)
			}
			if (ok || err != nil) && (!yield(c, err) || err != nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Call{}, fmt.Errorf("read the trace: %w", err))
		}
	}
}

// begun is the first half of a call that other threads interrupted in the trace.
type begun struct {
	line int
	text string
}

type tracer struct {
	line  int
	begun map[string]begun // by thread
}

const unfinished = " <unfinished ...>"

var (
	threadLine  = regexp.MustCompile(`^(\d+) +(.*)$`)
	resumedLine = regexp.MustCompile(`^<\.\.\. (\w+) resumed>(.*)$`)
	callLine    = regexp.MustCompile(`^(\w+)\(\d+<((?:->|[^<>])*)>(?:\([a-z]+\))?(.*)$`)
	resultPart  = regexp.MustCompile(`\) += (-?\d+)(?: [^"]*)?$`)
	noResult    = regexp.MustCompile(`\) += \?(?: ERESTART[^"]*)?$`)
)

// read reads one line, which ends a call, begins one, or means nothing.
func (t *tracer) read(line string) (c Call, ok bool, err error) {
	parts := threadLine.FindStringSubmatch(line)
	if parts == nil {
		return Call{}, false, fmt.Errorf("it names no thread: %.80q", line)
	}
	thread, text, began := parts[1], parts[2], t.line
	if strings.HasPrefix(text, "---") || strings.HasPrefix(text, "+++") || strings.HasPrefix(text, "strace:") {
		return Call{}, false, nil
	}
	if resumed := resumedLine.FindStringSubmatch(text); resumed != nil {
		first, there := t.begun[thread]
		if !there || !strings.HasPrefix(first.text, resumed[1]+"(") {
			return Call{}, false, fmt.Errorf("%s resumes what did not begin", resumed[1])
		}
		delete(t.begun, thread)
		text, began = first.text+resumed[2], first.line
	}
	if start, cut := strings.CutSuffix(text, unfinished); cut {
		t.begun[thread] = begun{line: began, text: start}
		return Call{}, false, nil
	}
	return parseCall(text, began, t.line)
}

// parseCall reads a whole call. One on no file is none of ours, nor is one that
// never returned: because its process ended, or because a signal interrupted it
// before it did anything (ERESTARTSYS and its like); it is begun anew then.
func parseCall(text string, begin, end int) (Call, bool, error) {
	head := callLine.FindStringSubmatch(text)
	if head == nil || noResult.MatchString(text) {
		return Call{}, false, nil
	}
	c := Call{Begin: begin, End: end, Name: head[1], File: head[2]}
	rest := head[3]
	if quoted, ok := strings.CutPrefix(rest, `, "`); ok {
		var err error
		if c.Data, rest, err = unquote(quoted); err != nil {
			return Call{}, false, fmt.Errorf("%s: %w", c.Name, err)
		}
		if strings.HasPrefix(rest, "...") {
			return Call{}, false, fmt.Errorf("%s: its data were cut short: strace needs a larger -s", c.Name)
		}
	}
	result := resultPart.FindStringSubmatch(rest)
	if result == nil {
		return Call{}, false, fmt.Errorf("%s has no result: %.80q", c.Name, rest)
	}
	var err error
	if c.Result, err = strconv.ParseInt(result[1], 10, 64); err != nil {
		return Call{}, false, fmt.Errorf("%s: %w", c.Name, err)
	}
	return c, true, nil
}

// unquote reads a string as strace writes it, after its first quote, and returns
// what follows it.
func unquote(s string) (data []byte, rest string, err error) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return data, s[i+1:], nil
		case c != '\\':
			data = append(data, c)
		default:
			b, n, ok := escape(s[i+1:])
			if !ok {
				return nil, "", fmt.Errorf("an escape that strace does not write: %.8q", s[i:])
			}
			data, i = append(data, b), i+n
		}
	}
	return nil, "", fmt.Errorf("a string without an end")
}

// escape reads what follows a backslash: a letter, or one to three octal digits.
func escape(s string) (b byte, n int, ok bool) {
	const letters, meant = `tnvfr"\`, "\t\n\v\f\r\"\\"
	if s == "" {
		return 0, 0, false
	}
	if i := strings.IndexByte(letters, s[0]); i >= 0 {
		return meant[i], 1, true
	}
	value := 0
	for n < 3 && n < len(s) && '0' <= s[n] && s[n] <= '7' {
		value = value*8 + int(s[n]-'0')
		n++
	}
	return byte(value), n, n > 0 && value <= 0xff
}
