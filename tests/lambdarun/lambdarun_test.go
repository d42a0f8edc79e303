package lambdarun_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/tests/harness"
	"handoff/tests/lambdarun"
)

const tiny = "handoff/tests/lambdarun/tiny"

// TestFunction builds one function, which all that is told of functions is
// tested with.
func TestFunction(t *testing.T) {
	t.Parallel()
	bootstrap, err := lambdarun.Build(t.Context(), t.TempDir(), tiny)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, test := range map[string]func(*testing.T, lambdarun.Config){
		"it answers":                                    answers,
		"it waits until there is something":             waits,
		"an invocation may fail":                        fails,
		"an instance that is killed is replaced":        replaced,
		"there are no more instances than there may be": bounded,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			test(t, lambdarun.Config{Name: "tiny", Bootstrap: bootstrap, Timeout: 20 * time.Second, Log: t.Output()})
		})
	}
}

// function returns the function, which is stopped when the test ends.
func function(t *testing.T, cfg lambdarun.Config) *lambdarun.Function {
	t.Helper()
	f := lambdarun.New(cfg)
	t.Cleanup(f.Stop)
	return f
}

func event(do, with string) []byte { return fmt.Appendf(nil, `{"do":%q,"with":%q}`, do, with) }

// exists waits until a file does.
func exists(t *testing.T, name string) {
	t.Helper()
	if err := harness.Poll(t.Context(), func() (bool, error) { _, err := os.Stat(name); return err == nil, nil }); err != nil {
		t.Fatal(err)
	}
}

func answers(t *testing.T, cfg lambdarun.Config) {
	cfg.Env = map[string]string{"TINY": "yes"}
	f := function(t, cfg)
	ids := map[string]bool{}
	for range 3 {
		b, err := f.Invoke(t.Context(), event("", "hello"))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if got["said"] != "hello" || !strings.HasSuffix(got["arn"], ":function:tiny") || got["key"] != "tiny-1" || got["tiny"] != "yes" || got["home"] != "" {
			t.Errorf("the answer is %s", b)
		}
		ids[got["id"]] = true
	}
	if len(ids) != 3 {
		t.Errorf("3 invocations had the ids %v", ids)
	}
	running := f.Instances()
	if len(running) != 1 || running[0].Busy() || running[0].Memory() == 0 {
		t.Fatalf("there are %d instances, want an idle one", len(running))
	}
	if s := running[0].Start(); s.Init <= 0 || s.Answer < s.Init {
		t.Errorf("start = %+v", s)
	}
}

func waits(t *testing.T, cfg lambdarun.Config) {
	done := filepath.Join(t.TempDir(), "done")
	cfg.Env = map[string]string{"TINY": "hasty", "TINY_DONE": done}
	f := function(t, cfg)
	if _, err := f.Invoke(t.Context(), event("", "")); err != nil {
		t.Fatal(err)
	}
	exists(t, done)
	if b, err := f.Invoke(t.Context(), event("", "first")); err != nil || !bytes.Contains(b, []byte("first")) {
		t.Errorf("after a question that was dropped it answers %s, %v", b, err)
	}
}

func fails(t *testing.T, cfg lambdarun.Config) {
	for sentence, c := range map[string]struct {
		event []byte
		typ   string
		tiny  string
		limit time.Duration
		left  int // instances that run afterwards
	}{
		"by what the handler returns":      {event: event("fail", "no"), typ: "errorString", left: 1},
		"by the end of its process":        {event: event("exit", ""), typ: "Runtime.ExitError"},
		"by an answer that is too long":    {event: event("much", ""), typ: "Function.ResponseSizeTooLarge", left: 1},
		"by an event that is too long":     {event: event("", strings.Repeat("x", 7<<20)), typ: "RequestEntityTooLarge"},
		"by its time":                      {event: event("wait", os.DevNull), typ: "Sandbox.Timedout", limit: 300 * time.Millisecond},
		"by a process that does not start": {event: event("", ""), typ: "Tiny.Broken", tiny: "broken"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			cfg := cfg
			cfg.Env, cfg.Log = map[string]string{"TINY": c.tiny}, t.Output()
			cfg.Timeout = cmp.Or(c.limit, cfg.Timeout)
			f := function(t, cfg)
			_, err := f.Invoke(t.Context(), c.event)
			if e, ok := errors.AsType[*lambdarun.Error](err); !ok || e.Type != c.typ {
				t.Errorf("error = %v, want one of type %s", err, c.typ)
			}
			if n := len(f.Instances()); n > c.left {
				t.Errorf("%d instances run, want %d", n, c.left)
			}
		})
	}
}

func replaced(t *testing.T, cfg lambdarun.Config) {
	f := function(t, cfg)
	began := filepath.Join(t.TempDir(), "began")
	failed := make(chan error, 1)
	go func() {
		_, err := f.Invoke(context.Background(), event("wait", began))
		failed <- err
	}()
	exists(t, began)
	victim := f.Instances()[0]
	if !victim.Busy() {
		t.Error("the instance is not busy")
	}
	victim.Kill()
	if e, ok := errors.AsType[*lambdarun.Error](<-failed); !ok || e.Type != "Runtime.ExitError" || !strings.Contains(e.Message, "killed") {
		t.Errorf("error = %v, want that the process was killed", e)
	}
	if b, err := f.Invoke(t.Context(), event("", "again")); err != nil || !bytes.Contains(b, []byte("tiny-2")) {
		t.Errorf("the next one answers %s, %v", b, err)
	}
}

func bounded(t *testing.T, cfg lambdarun.Config) {
	cfg.Concurrency = 2
	f := function(t, cfg)
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			said := fmt.Sprint(n)
			if b, err := f.Invoke(t.Context(), event("", said)); err != nil || !bytes.Contains(b, fmt.Appendf(nil, `"said":%q`, said)) {
				t.Errorf("invocation %d answered %s, %v", n, b, err)
			}
		})
	}
	all.Wait()
	if n := len(f.Instances()); n == 0 || n > 2 {
		t.Errorf("%d instances run, want 1 or 2", n)
	}
}
