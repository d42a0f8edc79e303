package harness

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"syscall"
	"time"
)

// Process is one run of the program. It is safe for concurrent use.
type Process struct {
	site  *Site
	cmd   *exec.Cmd
	began time.Time
	ended chan struct{}
	err   error // once ended is closed
}

// ready is how long a process may take until it answers, and a connection until
// it is ready. With the race detector or a tracer it takes a while.
const ready = 30 * time.Second

// Ready waits until the process answers.
func (p *Process) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !p.answers(ctx, &client) {
		select {
		case <-p.ended:
			return fmt.Errorf("the program ended before it was ready: %w", p.exit())
		case <-ctx.Done():
			return fmt.Errorf("the program is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func (p *Process) answers(ctx context.Context, client *http.Client) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.site.URL+"/healthz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode < http.StatusMultipleChoices
}

// PID returns the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Began returns when the process was launched.
func (p *Process) Began() time.Time { return p.began }

// Kill ends the process without letting it notice, and waits until it is gone.
// A process that ended already stays as it was.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// Killed reports whether the process ended by SIGKILL rather than by itself.
func (p *Process) Killed() bool {
	if !p.over() {
		return false
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func (p *Process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Interrupt asks the process to end and does not wait.
func (p *Process) Interrupt() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("interrupt the program: %w", err)
	}
	return nil
}

// Wait waits for the end of the process and returns an error if it ended badly.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
		return p.exit()
	case <-ctx.Done():
		return fmt.Errorf("wait for the program to end: %w", ctx.Err())
	}
}

// Stop asks the process to end and waits until it did.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Interrupt(); err != nil {
		return err
	}
	return p.Wait(ctx)
}

func (p *Process) exit() error {
	if p.err != nil {
		return fmt.Errorf("the program failed: %w", p.err)
	}
	return nil
}
