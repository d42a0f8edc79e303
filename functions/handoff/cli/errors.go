package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"handoff/domain/fault"
	"handoff/functions/handoff/cli/terminal"
)

// usageError says that the command line, or a file that it names, is wrong.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// asUsage marks an error as one of what was typed; nil stays nil.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

// checkError says that a check came out badly; what was found is printed.
type checkError struct{ text string }

func (e *checkError) Error() string { return e.text }

func exitCode(err error) int {
	if _, ok := errors.AsType[*usageError](err); ok {
		return ExitUsage
	}
	f := fault.Of(err)
	if f == nil {
		return ExitFailed
	}
	switch f.Kind {
	case fault.Unavailable:
		return ExitUnreachable
	case fault.Unauthenticated, fault.Forbidden:
		return ExitNotAllowed
	case fault.NotFound:
		return ExitNotFound
	default:
		return ExitRefused
	}
}

// complain prints what went wrong, its code, and what to do next.
func (a *app) complain(cmd *cobra.Command, err error) {
	f := fault.Of(err)
	text := err.Error()
	if f != nil && f.Detail != "" {
		text = f.Detail
	}
	if errors.Is(err, context.DeadlineExceeded) {
		text = "It took too long."
	}
	if f != nil && f.Code != "" && !strings.Contains(text, f.Code) {
		text += " (" + f.Code + place(f) + ")"
	}
	lead := cmd.CommandPath() + ": "
	for line := range strings.SplitSeq(text, "\n") {
		a.note.Paragraph("", terminal.Red(lead+line))
		lead = "  "
	}
	if f != nil && len(f.Problems) > 1 && !strings.Contains(text, "\n") {
		for _, p := range f.Problems {
			a.note.Paragraph("  ", problemText(p))
		}
	}
	if h := hint(cmd, err); h != "" {
		a.note.Paragraph("  ", h)
	}
}

// place says where in the input, if it is known, and which request it was.
func place(f *fault.Error) string {
	s := ""
	if f.Pointer != "" {
		s = " at " + f.Pointer
	}
	if f.Kind == fault.Internal && f.Err != nil {
		s += "; " + f.Err.Error() // names the request, by which the server's log tells more
	}
	return s
}

func problemText(p fault.Problem) string {
	var at []string
	if p.Line > 0 {
		at = append(at, fmt.Sprintf("line %d", p.Line))
	}
	if p.Column > 0 {
		at = append(at, fmt.Sprintf("column %d", p.Column))
	}
	if p.Rule != "" {
		at = append(at, fmt.Sprintf("rule %q", p.Rule))
	}
	if p.Pointer != "" {
		at = append(at, p.Pointer)
	}
	if len(at) == 0 {
		return p.Detail
	}
	return strings.Join(at, ", ") + ": " + p.Detail
}

// hint says what to do next about an error; nothing where its text does.
func hint(cmd *cobra.Command, err error) string {
	if _, ok := errors.AsType[*usageError](err); ok && fault.Of(err) == nil {
		return "Help: " + cmd.CommandPath() + " --help"
	}
	switch fault.CodeOf(err) {
	case "server-unreachable":
		return "Is `handoff serve` running? Its address is taken from --url, HANDOFF_URL, or the file that serve writes."
	case "server-timeout":
		return "Try again; the server's log tells what it is busy with."
	case "key-invalid", "key-expired", "key-revoked":
		return "Check HANDOFF_API_KEY or --api-key-file. An administrator makes keys: handoff keys create"
	case "not-allowed":
		return "Use a key with another role; an administrator makes one: handoff keys create --role …"
	case "connection-not-found":
		return "List them: handoff connections list"
	case "escalation-not-found", "escalation-id-ambiguous":
		return "List them: handoff escalations list"
	case "delivery-not-found":
		return "List them: handoff deliveries list"
	case "key-not-found":
		return "List them: handoff keys list"
	case "connection-disconnected":
		return "Connect the bot again with handoff connect, or raise on another connection."
	case "connection-not-ready":
		return "See what it waits for: handoff connections show NAME"
	case "rules-invalid":
		return "Check the file until it is right: handoff rules check FILE"
	case "rules-changed":
		return "See what is in force now: handoff rules show CONNECTION"
	case "not-routed-yet":
		return "See where it stands: handoff status ESCALATION"
	case "endpoint-address-refused":
		return "For an endpoint on a private network start the server with HANDOFF_ALLOW_PRIVATE."
	case "context-erased":
		return "Why it was routed can still be asked: handoff why ESCALATION"
	case "answer-not-understood":
		return "The address is taken from --url, HANDOFF_URL, or the file that handoff serve writes."
	}
	return ""
}
