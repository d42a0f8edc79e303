package lambdarun

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"handoff/tests/load"
)

// Instance is one process of a function. It is safe for concurrent use.
type Instance struct {
	// Name is unlike that of every other instance of the run's functions that
	// are named differently. It is also its access key, so that whoever stands
	// between a function and AWS can tell who asks.
	Name string

	function *Function
	cmd      *exec.Cmd
	api      *http.Server
	began    time.Time
	ended    chan struct{}

	mu      sync.Mutex
	current *invocation   // handed to whoever asks, until it is answered
	changed chan struct{} // closed when there is one again
	broken  *Error        // why it could not start
	start   Start
	peak    int64
}

// Start is how long an instance took from its launch on.
type Start struct {
	Init   time.Duration // until it asked for an event
	Answer time.Duration // until its first answer, to an event that was there at once
}

// invocation is one event on its way.
type invocation struct {
	id       string
	trace    string
	event    []byte
	deadline time.Time     // once taken
	taken    chan struct{} // closed when the process asked for it
	done     chan outcome  // takes one
}

type outcome struct {
	answer []byte
	err    error
}

func launch(f *Function, number int) (*Instance, error) {
	l, err := new(net.ListenConfig).Listen(f.ends, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", f.cfg.Name, err)
	}
	i := &Instance{
		Name: fmt.Sprintf("%s-%d", f.cfg.Name, number), function: f,
		changed: make(chan struct{}), ended: make(chan struct{}),
	}
	i.api = &http.Server{Handler: i.routes(), ReadHeaderTimeout: time.Minute}
	go func() { _ = i.api.Serve(l) }() // ends when the instance does
	i.cmd = exec.CommandContext(f.ends, f.cfg.Bootstrap)
	i.cmd.Dir = filepath.Dir(f.cfg.Bootstrap)
	i.cmd.Env, i.cmd.Stdout, i.cmd.Stderr = i.environment(l.Addr().String()), f.cfg.Log, f.cfg.Log
	i.began = time.Now()
	if err := i.cmd.Start(); err != nil {
		_ = i.api.Close() // nobody asked it anything
		return nil, fmt.Errorf("start %s: %w", f.cfg.Name, err)
	}
	go func() {
		_ = i.cmd.Wait() // how it ended is in cmd.ProcessState
		_ = i.api.Close()
		close(i.ended)
	}()
	return i, nil
}

// environment is what Lambda gives a function ("Defined runtime environment
// variables"), and what its configuration adds.
func (i *Instance) environment(api string) []string {
	env := []string{
		"AWS_LAMBDA_RUNTIME_API=" + api, "AWS_LAMBDA_FUNCTION_NAME=" + i.function.cfg.Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_LAMBDA_LOG_STREAM_NAME=" + i.Name, "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + i.Name, "AWS_SECRET_ACCESS_KEY=test",
		"LAMBDA_TASK_ROOT=" + i.cmd.Dir, "_HANDLER=bootstrap", "TZ=:UTC", "PATH=/usr/local/bin:/usr/bin:/bin",
	}
	for name, value := range i.function.cfg.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// errGone says that an instance that had been idle ended before it took the
// event, so that another one may.
var errGone = errors.New("the instance is gone")

// invoke has the process answer one event.
func (i *Instance) invoke(ctx context.Context, event []byte) ([]byte, error) {
	inv := newInvocation(event)
	i.offer(inv)
	select {
	case <-inv.taken:
	case <-i.ended:
		if i.Start().Answer > 0 {
			return nil, errGone
		}
		return nil, i.exit()
	case <-ctx.Done():
		if i.withdraw(inv) {
			return nil, ctx.Err()
		}
	}
	limit := time.NewTimer(i.function.cfg.Timeout)
	defer limit.Stop()
	select {
	case o := <-inv.done:
		return o.answer, o.err
	case <-i.ended:
		return nil, i.exit()
	case <-limit.C:
		i.Kill()
		return nil, i.function.failed("Sandbox.Timedout", "Task timed out after "+i.function.cfg.Timeout.String())
	}
}

func (i *Instance) offer(inv *invocation) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current = inv
	close(i.changed)
	i.changed = make(chan struct{})
}

// withdraw takes back an event, unless the process has it.
func (i *Instance) withdraw(inv *invocation) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !inv.deadline.IsZero() {
		return false
	}
	i.current = nil
	return true
}

// get returns the current invocation, if there is one, and what is closed when
// there is one again.
func (i *Instance) get() (*invocation, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if inv := i.current; inv != nil && inv.deadline.IsZero() {
		inv.deadline = time.Now().Add(i.function.cfg.Timeout)
		close(inv.taken)
	}
	return i.current, i.changed
}

// exit is the error of an invocation whose process ended.
func (i *Instance) exit() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.broken != nil {
		return i.broken
	}
	return i.function.failed("Runtime.ExitError", "the process ended: "+i.cmd.ProcessState.String())
}

// Kill ends the process without letting it notice, whatever it is at, and waits
// until it is gone.
func (i *Instance) Kill() {
	_ = i.cmd.Process.Kill() // it may have ended
	<-i.ended
}

func (i *Instance) over() bool {
	select {
	case <-i.ended:
		return true
	default:
		return false
	}
}

// Busy reports whether the instance has an event that it has not answered.
func (i *Instance) Busy() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current != nil
}

// Memory returns how many bytes of the process were in memory at most, as of its
// last answer. It is 0 where the operating system does not tell, as all but
// Linux do.
func (i *Instance) Memory() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.peak
}

// Start returns how the instance started. What has not happened is 0.
func (i *Instance) Start() Start {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.start
}

// answered ends the current invocation, if it is the one with this id.
func (i *Instance) answered(id string, o outcome) bool {
	i.note(&i.start.Answer)
	_, peak := load.Memory(i.cmd.Process.Pid)
	i.mu.Lock()
	inv := i.current
	known := inv != nil && inv.id == id
	if known {
		i.current, i.peak = nil, peak
	}
	i.mu.Unlock()
	if known {
		inv.done <- o
	}
	return known
}
