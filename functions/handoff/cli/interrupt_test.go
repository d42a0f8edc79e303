package cli_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"handoff/functions/handoff/cli"
	"handoff/infra/settings"
)

func TestInterruptIs130(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	var stderr bytes.Buffer
	p := process(bare, []string{"demo"}, strings.NewReader(""), io.Discard, &stderr)
	demo := p.Commands.Demo
	p.Commands.Demo = func(ctx context.Context, o cli.DemoOptions, stdout, errs io.Writer) error {
		interrupt()
		return demo(ctx, o, stdout, errs)
	}
	if code := cli.Main(ctx, p); code != cli.ExitInterrupted || stderr.String() != "Interrupted.\n" {
		t.Errorf("exit code = %d, stderr %q, want 130 and a word about it", code, &stderr)
	}
}

func TestServeEndsWellWhenInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	p := process(bare, []string{"serve"}, strings.NewReader(""), io.Discard, io.Discard)
	p.Home = settings.Home{Config: t.TempDir(), Data: t.TempDir()}
	p.Commands.Serve = func(ctx context.Context, _ settings.Settings, _, _ io.Writer) error {
		interrupt()
		<-ctx.Done()
		return nil
	}
	if code := cli.Main(ctx, p); code != cli.ExitOK {
		t.Errorf("exit code = %d, want 0", code)
	}
}

// closed is an output that takes nothing.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	t.Parallel()
	p := process(bare, []string{"version"}, strings.NewReader(""), closed{}, io.Discard)
	if code := cli.Main(t.Context(), p); code != cli.ExitFailed {
		t.Errorf("exit code = %d, want %d", code, cli.ExitFailed)
	}
}
