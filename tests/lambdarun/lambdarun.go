// Package lambdarun runs compiled Lambda functions as Lambda does, without
// containers and without AWS: each instance of a function is a process that
// asks a Runtime API of its own for invocations and is given one at a time.
// Instances are started when they are needed, killed when they take too long,
// and replaced when they end. What it does not do: freeze an instance between
// invocations, limit its processor or memory, or retry; see Pump for retries.
//
// Facts about Lambda are from AWS's documentation ("Using the Lambda runtime
// API", "Lambda quotas", "Using Lambda environment variables"); nothing here
// was compared with Lambda itself.
package lambdarun

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Config says what function is run, and how.
type Config struct {
	Name        string
	Bootstrap   string            // path of the executable
	Env         map[string]string // beside what Lambda sets; nothing of the test's own environment is handed on
	Timeout     time.Duration     // of one invocation; 0: Lambda's default, 3 seconds
	Concurrency int               // how many instances there may be at once; 0: 1
	Log         io.Writer         // takes what instances write; it must be safe for concurrent use; nil: nowhere
}

// Lambda's default, and the most it takes and gives for an invocation that
// somebody waits for.
const (
	defaultTimeout = 3 * time.Second
	maxPayload     = 6 << 20
)

// Function is a function with its instances. It is safe for concurrent use; the
// one who made it stops it.
type Function struct {
	cfg   Config
	slots chan struct{}   // as many as instances may run at once
	ends  context.Context //nolint:containedctx // of every process
	stop  context.CancelFunc

	mu     sync.Mutex
	idle   []*Instance // the last one is taken first, so that few are kept busy
	all    map[*Instance]bool
	number int
}

// New returns a function of which nothing runs yet.
func New(cfg Config) *Function {
	cfg.Concurrency = max(1, cfg.Concurrency)
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	f := &Function{cfg: cfg, slots: make(chan struct{}, cfg.Concurrency), all: map[*Instance]bool{}}
	f.ends, f.stop = context.WithCancel(context.Background())
	return f
}

// Name returns the function's name.
func (f *Function) Name() string { return f.cfg.Name }

// Invoke hands the function an event and returns its answer. It waits while as
// many instances as there may be are busy. Errors are a *Error, whether the
// function, its process or its time ended badly, or that of ctx, which is looked
// at until an instance has the event: what has begun goes on without the caller.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	if len(event) > maxPayload {
		return nil, f.failed("RequestEntityTooLarge", "the event has more than 6 MiB")
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		i, err := f.take()
		if err != nil {
			return nil, err
		}
		answer, err := i.invoke(ctx, event)
		f.put(i)
		if !errors.Is(err, errGone) {
			return answer, err
		}
	}
}

func (f *Function) failed(typ, message string) *Error {
	return &Error{Function: f.cfg.Name, Type: typ, Message: message}
}

// take returns an idle instance or starts one.
func (f *Function) take() (*Instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.idle) > 0 {
		i := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if !i.over() {
			return i, nil
		}
	}
	f.number++
	i, err := launch(f, f.number)
	if err == nil {
		f.all[i] = true
	}
	return i, err
}

func (f *Function) put(i *Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i.over() {
		delete(f.all, i)
		return
	}
	f.idle = append(f.idle, i)
}

// Instances returns those that run.
func (f *Function) Instances() (running []*Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.all {
		if !i.over() {
			running = append(running, i)
		}
	}
	return running
}

// Stop kills every instance and waits until they are gone. The function can't
// be used any more.
func (f *Function) Stop() {
	f.stop()
	for _, i := range f.Instances() {
		i.Kill()
	}
}
