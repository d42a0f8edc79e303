// Package cli is Handoff's command line: it reads what somebody typed, asks a
// running Handoff for it over HTTP, and prints the answer for people or, with
// --json, for programs. Replay and verify also read a data directory, without a
// server and without keys.
//
// It promises exit codes that mean something (Exit codes below), errors that
// say what to do next, and that nothing which a customer or bot wrote reaches a
// terminal as a control sequence.
package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/microsoft/provider"
	"handoff/infra/settings"
)

// Exit codes. They never change once released.
const (
	ExitOK          = 0
	ExitFailed      = 1   // a check failed, or something on this machine did
	ExitUsage       = 2   // the command line, or a file that it names, is wrong
	ExitRefused     = 3   // the server refused, or failed
	ExitUnreachable = 4   // no server answered
	ExitNotAllowed  = 5   // the key is missing, wrong, or may not do this
	ExitNotFound    = 6   // there is no such thing, or not for this key
	ExitInterrupted = 130 // by Ctrl-C: 128 + SIGINT, as shells count
)

// Process is what the operating system gives a program. Every field but
// Commands is needed.
type Process struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Env looks up a variable of the environment.
	Env func(name string) (string, bool)
	// Now tells the time, in the zone in which times are shown.
	Now     func() time.Time
	Version string
	// Home is where this user's files are.
	Home     settings.Home
	Commands Commands
	// Microsoft has the addresses of Microsoft's services; the zero value is for
	// those of the public cloud.
	Microsoft provider.Hosts
}

// Main runs one command and returns the exit code. It returns soon after ctx is
// cancelled, which is how Ctrl-C reaches it.
func Main(ctx context.Context, p Process) int {
	a := &app{Process: p, in: bufio.NewReader(p.Stdin)}
	a.out, a.note = a.screen(p.Stdout), a.screen(p.Stderr)
	root := a.root()
	root.SetArgs(p.Args)
	cmd, err := root.ExecuteContextC(ctx)
	err = errors.Join(err, a.out.Flush())
	switch {
	case err == nil:
		_ = a.note.Flush() // what could not be written to stderr can't be told
		return ExitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		a.note.Printf("Interrupted.\n")
		_ = a.note.Flush()
		return ExitInterrupted
	}
	a.complain(cmd, err)
	_ = a.note.Flush()
	return exitCode(err)
}

// app is one run of the program. It is used by one goroutine.
type app struct {
	Process

	out  *terminal.Terminal // results
	note *terminal.Terminal // progress, hints and errors
	in   *bufio.Reader

	url     string
	keyFile string
	json    bool
	quiet   bool
	utc     bool
	mute    bool // ask nothing, and say nothing but what was asked for
}

// screen returns a terminal for w, which may be a file or pipe.
func (a *app) screen(w io.Writer) *terminal.Terminal {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return terminal.New(w, terminal.Options{})
	}
	kind, _ := a.Env("TERM")
	none, _ := a.Env("NO_COLOR") // no-color.org: any text but the empty one
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns < 1 {
		columns = 80
	}
	return terminal.New(w, terminal.Options{Width: columns, Colour: none == "" && kind != "dumb", Live: kind != "dumb"})
}

// interactive reports whether there is somebody who can be asked.
func (a *app) interactive() bool {
	in, ok := a.Stdin.(*os.File)
	return ok && !a.mute && term.IsTerminal(int(in.Fd()))
}

// now is the time in the zone in which times are shown.
func (a *app) now() time.Time {
	if a.utc {
		return a.Now().UTC()
	}
	return a.Now()
}

// time writes an instant for people; nothing for the zero one.
func (a *app) time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(a.now().Location()).Format("2006-01-02 15:04:05 MST")
}
