package durability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/infra/embedded"
	"handoff/infra/httpapi"
	"handoff/infra/keyring"
	"handoff/tests/durability"
	"handoff/tests/harness"
)

const (
	clients       = 8
	conversations = 15 // of each client
	settle        = 2 * time.Minute
)

func TestDurability(t *testing.T) {
	t.Parallel()
	needStrace(t)
	t.Run("no 202 leaves before its facts and its key are on disk", func(t *testing.T) {
		t.Parallel()
		trace, answers := traced(t, harness.Build(t, harness.Program), "serve")
		wrong := check(t, trace, answers)
		if len(wrong) > 0 {
			t.Fatalf("%d answers, and:\n%s", len(answers), strings.Join(wrong[:min(len(wrong), 10)], "\n"))
		}
		t.Logf("%d answers, none before its sync", len(answers))
	})
	t.Run("the same test notices a program that syncs nothing", func(t *testing.T) {
		t.Parallel()
		trace, answers := traced(t, harness.Build(t, "handoff/tests/durability/unsafeserve"))
		noticed := map[string]bool{}
		for _, w := range check(t, trace, answers) {
			request, why, _ := strings.Cut(w, ",")
			if strings.Contains(why, logFile+": no sync") {
				noticed[request] = true
			}
		}
		if len(noticed) != len(answers) {
			t.Errorf("%d of %d answers without a sync were noticed", len(noticed), len(answers))
		}
	})
}

// The files in which a commit is durable before it is anywhere else.
const (
	logFile = embedded.LogFile + "-wal"
	keyFile = keyring.FileName + "-wal"
)

// straced begins the command of a traced program. The tracer is the program's
// grandchild, so that signals reach the program. A page of SQLite and the
// largest read of a socket fit into -s.
func straced(trace string) []string {
	return []string{
		"strace", "-D", "-f", "--seccomp-bpf", "-yy", "-s", "70000", "-o", trace,
		"-e", "trace=read,write,writev,sendto,sendmsg,pwrite64,pwritev,pwritev2,fsync,fdatasync", "-e", "signal=none",
	}
}

// needStrace skips the test where programs can't be traced, and fails it where
// they have to be.
func needStrace(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("strace is a program of Linux")
	}
	command := append(straced(os.DevNull), "true")
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("strace can't be used: %v\n%s", err, out)
	default:
		t.Skipf("strace can't be used, install it and allow ptrace: %v\n%s", err, out)
	}
}

// traced runs a program under strace while clients raise, and returns the trace
// and what it must show.
func traced(t *testing.T, command ...string) (trace string, answers []durability.Answer) {
	t.Helper()
	trace = filepath.Join(t.TempDir(), "trace")
	s := harness.NewSite(t, append(straced(trace), command...)...)
	p := s.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	admin, err := s.Admin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	desk := harness.NewReceiver(t)
	made, err := admin.Connect(ctx, "store-bot", desk.Endpoint("desk", connection.ModeThin))
	if err == nil {
		err = desk.Trust(made.EndpointSecrets)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Tail())
	}
	r := raiser{bot: harness.Client{URL: s.URL, Key: made.BotKey}, streams: map[string][]request{}}
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			for i := range conversations {
				if err := r.conversation(ctx, n, i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	answers, err = r.answers(ctx, admin)
	if err == nil {
		err = p.Stop(ctx)
	}
	if err == nil {
		err = written(ctx, trace, p.PID())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Tail())
	}
	return trace, answers
}

// written waits until the tracer has told the end of the process.
func written(ctx context.Context, trace string, pid int) error {
	const tail = 4096
	return harness.Poll(ctx, func() (bool, error) {
		f, err := os.Open(trace)
		if err != nil {
			return false, err
		}
		defer func() { _ = f.Close() }()
		if _, err := f.Seek(-tail, io.SeekEnd); err != nil {
			return false, err
		}
		end, err := io.ReadAll(f)
		return bytes.Contains(end, fmt.Appendf(nil, "\n%-5d +++ ", pid)), err
	})
}

func check(t *testing.T, trace string, answers []durability.Answer) []string {
	t.Helper()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	wrong, err := durability.Check(durability.Calls(f), answers)
	if err != nil {
		t.Fatal(err)
	}
	return wrong
}

// request is one request that was acknowledged.
type request struct {
	name string // its Idempotency-Key
	adds bool   // it added context to an escalation
}

// raiser raises and takes note of the streams of the answers.
type raiser struct {
	bot harness.Client

	mu      sync.Mutex
	streams map[string][]request
}

// conversation is handed over by two requests at once, of which one is the
// repeat of the other: neither may be answered before the commit of the first
// is on disk. Then a third one adds context.
func (r *raiser) conversation(ctx context.Context, client, i int) error {
	id := fmt.Sprintf("conversation-%d-%d", client, i)
	var wg sync.WaitGroup
	var errs [2]error
	for n := range errs {
		wg.Go(func() { errs[n] = r.raise(ctx, id, request{name: fmt.Sprintf("key-%s-at-once-%d;", id, n)}, "first") })
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	return r.raise(ctx, id, request{name: fmt.Sprintf("key-%s-then;", id), adds: true}, "second")
}

func (r *raiser) raise(ctx context.Context, conversationID string, q request, said string) error {
	const large = 200 // times the sentence is more than is stored beside a fact
	text := "I would like to speak to a person, and this is why. "
	if strings.HasSuffix(conversationID, "0") {
		text = strings.Repeat(text, large)
	}
	body, err := json.Marshal(map[string]any{
		"conversation_id": conversationID, "message_to_agent": said,
		"transcript": map[string]any{"messages": []any{map[string]any{"from": "customer", "text": text}}},
	})
	if err != nil {
		return err
	}
	header := http.Header{"Idempotency-Key": {`"` + q.name + `"`}}
	status, answer, err := r.bot.Do(ctx, http.MethodPost, "/v1/connections/store-bot/escalations", header, body)
	if err != nil || status != http.StatusAccepted {
		return fmt.Errorf("raise %s: %d %s %w", conversationID, status, answer, err)
	}
	var a conversation.Answer
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("raise %s: %w", conversationID, err)
	}
	stream, _, err := escid.Parse(a.EscalationID)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams[stream.String()] = append(r.streams[stream.String()], q)
	return nil
}

// answers says which commits each request promised, as the log tells.
func (r *raiser) answers(ctx context.Context, admin harness.Client) (all []durability.Answer, err error) {
	for f, err := range admin.Facts(ctx, 0) {
		if err != nil {
			return nil, err
		}
		for _, q := range r.streams[f.Stream] {
			if promised := commits(f, q); promised != nil {
				all = append(all, durability.Answer{Request: q.name, Commits: promised})
			}
		}
	}
	if want := 3 * clients * conversations; len(all) != want {
		return nil, fmt.Errorf("the log has commits for %d answers, want %d", len(all), want)
	}
	return all, nil
}

// commits returns what a request promised if it is one that appended the fact,
// or repeats one that did.
func commits(f httpapi.StoredFact, q request) []durability.Commit {
	switch {
	case f.Type == "EscalationRaised" && !q.adds:
		return []durability.Commit{{File: keyFile, Text: f.Key}, {File: logFile, Text: f.Commit}}
	case f.Type == "EscalationContextAdded" && q.adds:
		return []durability.Commit{{File: logFile, Text: f.Commit}}
	}
	return nil
}
