package dynamolog_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/tests/awstest"
	"handoff/tests/eventlogtest"
)

// wire fails requests on their way to DynamoDB or answers on their way back.
type wire struct {
	next http.RoundTripper
	fail func(req *http.Request) failing
}

// failing is what happens to one request, to nothing where it is nil.
type failing func(next http.RoundTripper, req *http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if f := w.fail(req); f != nil {
		return f(w.next, req)
	}
	return w.next.RoundTrip(req)
}

// refuses answers in the place of DynamoDB.
func refuses(status int, code string) failing {
	return func(_ http.RoundTripper, req *http.Request) (*http.Response, error) {
		_ = req.Body.Close()
		return failed(status, code, nil), nil
	}
}

// loses has DynamoDB do what it is asked for, and loses the answer.
func loses(instead func() (*http.Response, error)) failing {
	return func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return instead()
	}
}

func reset() (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

func timeout() (*http.Response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
}

// faults are what may happen to any request. Codes: "Error handling with
// DynamoDB" in its developer guide.
var faults = map[string]failing{
	"the table's throughput is used up":  refuses(http.StatusBadRequest, "ProvisionedThroughputExceededException"),
	"the account is throttled":           refuses(http.StatusBadRequest, "ThrottlingException"),
	"the account's limit is reached":     refuses(http.StatusBadRequest, "RequestLimitExceeded"),
	"DynamoDB fails":                     refuses(http.StatusInternalServerError, "InternalServerError"),
	"DynamoDB is away":                   refuses(http.StatusServiceUnavailable, "ServiceUnavailable"),
	"the connection is reset":            func(http.RoundTripper, *http.Request) (*http.Response, error) { return reset() },
	"the answer takes too long":          loses(timeout),
	"the connection is reset at the end": loses(reset),
	"DynamoDB fails after it has stored": loses(func() (*http.Response, error) {
		return failed(http.StatusInternalServerError, "InternalServerError", nil), nil
	}),
	"DynamoDB throttles what it has done": loses(func() (*http.Response, error) { return failed(http.StatusBadRequest, "ThrottlingException", nil), nil }),
}

// TestAFailedAppendMayBeRepeated: after each fault, on each request of an
// append, nothing is lost and nothing doubled.
func TestAFailedAppendMayBeRepeated(t *testing.T) {
	t.Parallel()
	for sentence, f := range faults {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for failAt := range 4 { // load, append, load, append
				tb, n := &table{page: 100}, 0
				log := dynamolog.New(client(t, &wire{tb, func(*http.Request) failing {
					if n++; n == failAt+1 {
						return f
					}
					return nil
				}}, 1), "log", new(memory))
				failures := appendTwice(t, log)
				if failures != 1 {
					t.Errorf("request %d: %d errors, want 1", failAt, failures)
				}
			}
		})
	}
}

// appendTwice loads and appends twice to a stream, each as often as it takes,
// and returns how often that failed.
func appendTwice(t *testing.T, log *dynamolog.Log) (failures int) {
	t.Helper()
	again := func(try func() error) {
		t.Helper()
		for err := try(); err != nil; err = try() {
			if failures++; fault.KindOf(err) != fault.Unavailable || failures > 9 {
				t.Fatalf("error = %v, want a fault of kind %s", err, fault.Unavailable)
			}
		}
	}
	stream := uuid.New()
	var head eventlog.Head
	for _, id := range []string{"a", "b"} {
		again(func() error {
			snap, err := log.Load(t.Context(), stream)
			head = snap.Head
			return err
		})
		c := eventlogtest.Commit(stream, id, head, eventlogtest.Facts(1, 2)...)
		again(func() error {
			got, err := log.Append(t.Context(), c)
			if err == nil && got != c.Head() {
				t.Errorf("Append = %v, want %v", got, c.Head())
			}
			return err
		})
	}
	if got := eventlogtest.MustRead(t, log, stream, 1); len(got) != 4 {
		t.Errorf("the stream has %d facts, want 4", len(got))
	}
	return failures
}

// TestTheClientsOwnRetriesStoreNothingTwice: the caller sees no fault that ends
// before the client gives up.
func TestTheClientsOwnRetriesStoreNothingTwice(t *testing.T) {
	t.Parallel()
	for sentence, f := range faults {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			tb, n := &table{page: 100}, 0
			log := dynamolog.New(client(t, &wire{tb, func(*http.Request) failing {
				if n++; n%2 == 1 {
					return f
				}
				return nil
			}}, 3), "log", new(memory))
			if failures := appendTwice(t, log); failures > 0 {
				t.Errorf("%d errors, want none", failures)
			}
		})
	}
}

func TestAnErrorThatStaysIsNoReasonToTryAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"AccessDeniedException", "ResourceNotFoundException", "ValidationException"} {
		log := dynamolog.New(client(t, &wire{nil, func(*http.Request) failing { return refuses(http.StatusBadRequest, code) }}, 3), "log", new(memory))
		_, load := log.Load(t.Context(), uuid.New())
		_, put := log.Append(t.Context(), eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, eventlogtest.Fact(1)))
		_, read := eventlogtest.Collect(log.Read(t.Context(), uuid.New(), 1))
		for _, err := range []error{load, put, read} {
			if err == nil || fault.Of(err) != nil {
				t.Errorf("%s = %v, want an unclassified error", code, err)
			}
		}
	}
}

// TestRacingWritersOnAWireThatFails has 16 writers append to one stream, each
// through a log of its own, while every other request or answer is lost.
func TestRacingWritersOnAWireThatFails(t *testing.T) {
	t.Parallel()
	tb := &table{page: 5}
	race(t, 16, 8, func(random func(int) int) *dynamolog.Log {
		return dynamolog.New(client(t, &wire{tb, anyFault(random)}, 2), "log", new(memory))
	})
}

func TestRacingWritersOnAWireThatFailsOnEngines(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		name := e.LogTable(t)
		race(t, 16, 2, func(random func(int) int) *dynamolog.Log {
			cfg := e.Config()
			next := cfg.HTTPClient
			cfg.HTTPClient = &http.Client{Transport: &wire{sender{next}, anyFault(random)}}
			cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
			return dynamolog.New(dynamodb.NewFromConfig(cfg), name, new(memory))
		})
	})
}

// sender sends requests by the client of a configuration.
type sender struct{ aws.HTTPClient }

// RoundTrip implements http.RoundTripper.
func (s sender) RoundTrip(req *http.Request) (*http.Response, error) { return s.Do(req) }

// anyFault fails half of the requests, each in another way.
func anyFault(random func(int) int) func(*http.Request) failing {
	all := make([]failing, 0, len(faults))
	for _, f := range faults {
		all = append(all, f)
	}
	return func(*http.Request) failing {
		if i := random(2 * len(all)); i < len(all) {
			return all[i]
		}
		return nil
	}
}

// race has writers append commits to one stream until each has stored all its
// own, and fails the test if one is lost or there twice.
func race(t *testing.T, writers, each int, open func(random func(int) int) *dynamolog.Log) {
	t.Helper()
	stream := uuid.New()
	var wg sync.WaitGroup
	for w := range writers {
		var mu sync.Mutex
		source := rand.New(rand.NewPCG(uint64(w), 5))
		log := open(func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return source.IntN(n)
		})
		wg.Go(func() {
			for i := range each {
				if err := insist(t, log, stream, fmt.Sprintf("%d-%d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	calm := open(func(n int) int { return n - 1 })
	seen := make(map[string]int)
	for _, r := range eventlogtest.MustRead(t, calm, stream, 1) {
		seen[r.Commit]++
	}
	for id, n := range seen {
		if n != 2 {
			t.Errorf("commit %s is there with %d facts, want 2", id, n)
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d commits are there, want %d", len(seen), writers*each)
	}
}

// insist appends a commit of two facts: after an error that leaves open what
// happened the same again, after a conflict where the stream ends now.
func insist(t *testing.T, log *dynamolog.Log, stream uuid.UUID, id string) error {
	for {
		snap, err := log.Load(t.Context(), stream)
		c := eventlogtest.Commit(stream, id, snap.Head, eventlogtest.Facts(1, 2)...)
		for err == nil {
			if _, err = log.Append(t.Context(), c); err == nil {
				return nil
			}
			if fault.KindOf(err) == fault.Unavailable {
				err = nil
			}
		}
		if _, conflict := errors.AsType[*eventlog.ConflictError](err); !conflict && fault.KindOf(err) != fault.Unavailable {
			return err
		}
	}
}
