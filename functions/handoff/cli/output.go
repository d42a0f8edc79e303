package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"handoff/functions/handoff/cli/terminal"
)

// print prints v as JSON if that was asked for, and otherwise in words.
func (a *app) print(v any, words func()) error {
	if a.json {
		return a.printJSON(v, "  ")
	}
	words()
	return nil
}

// printJSON prints one JSON text and a line end. Without an indent it takes one
// line, for streams.
func (a *app) printJSON(v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	_, err := a.out.Write(terminal.SafeJSON(b.Bytes()))
	return err
}

// next says what may be done now. Programs and quiet people don't want it.
func (a *app) next(commands ...string) {
	if a.quiet || a.json {
		return
	}
	_ = a.out.Flush() // an error is kept for the end
	a.note.Paragraph("Next: ", terminal.Dim(strings.Join(commands, " · ")))
}

// tell prints a remark that is no result.
func (a *app) tell(format string, args ...any) {
	if !a.quiet && !a.mute {
		a.note.Printf(format, args...)
	}
}

// pair prints a name and a value below each other's; nothing without a value.
func (a *app) pair(name string, v any) {
	if s := fmt.Sprint(v); s != "" && s != "0" {
		a.out.Paragraph(fmt.Sprintf("  %-14s ", name), v)
	}
}

const tick = 200 * time.Millisecond

// patiently calls do, which takes long, and shows meanwhile for how long.
func (a *app) patiently(ctx context.Context, what string, do func(context.Context) error) error {
	if !a.note.Live || a.quiet {
		return do(ctx)
	}
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	began := a.Now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ticker.C:
			a.note.Progress("%s … %d s", what, int(a.Now().Sub(began).Seconds()))
		}
	}
}

// progress returns a function that shows a count now and then.
func (a *app) progress(what string) func(done, total int64) {
	if !a.note.Live || a.quiet {
		return func(int64, int64) {}
	}
	var last time.Time
	return func(done, total int64) {
		if now := a.Now(); now.Sub(last) >= tick {
			last = now
			a.note.Progress("%s: %s", what, share(done, total))
		}
	}
}

func share(done, total int64) string {
	if total <= 0 {
		return group(done) + " facts"
	}
	return fmt.Sprintf("%s of %s facts, %d %%", group(done), group(total), min(100*done/total, 100))
}

// group writes a number with commas between its thousands.
func group(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural returns "1 fact", "2 facts".
func plural(n int64, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return group(n) + " " + of + "s"
}
