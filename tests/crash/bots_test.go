package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/domain/conversation"
)

// bots are as many clients as raise at once.
const bots = 48

// patient returns a client that keeps its connections.
func patient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: bots}, Timeout: 10 * time.Second}
}

// raised is an escalation that was acknowledged.
type raised struct {
	id           string
	connection   string
	conversation string
	added        int // context that was acknowledged beside it
}

// swarm raises escalations, each until it is acknowledged.
type swarm struct {
	*stand
	t    *testing.T
	next atomic.Int64
	end  chan struct{}
	wg   sync.WaitGroup

	mu  sync.Mutex
	all []raised
}

// raiseWithRetries starts the bots. They end by stop.
func raiseWithRetries(ctx context.Context, t *testing.T, s *stand) *swarm {
	t.Helper()
	b := &swarm{stand: s, t: t, end: make(chan struct{})}
	random := seeded(t)
	for range bots {
		one := bot{swarm: b, rand: rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))}
		b.wg.Go(func() { one.work(ctx) })
	}
	return b
}

// stop has the bots finish what they began. The program must be running.
func (b *swarm) stop() {
	close(b.end)
	b.wg.Wait()
}

func (b *swarm) acknowledged() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all)
}

// raised returns what was acknowledged. Call it after stop.
func (b *swarm) raised() []raised { return b.all }

// bot is one client.
type bot struct {
	*swarm
	rand *rand.Rand
}

func (b *bot) work(ctx context.Context) {
	for {
		select {
		case <-b.end:
			return
		default:
		}
		r, err := b.conversation(ctx, int(b.next.Add(1)))
		if err != nil {
			b.t.Errorf("conversation %s on %s: %v", r.conversation, r.connection, err)
			return
		}
		b.mu.Lock()
		b.all = append(b.all, r)
		b.mu.Unlock()
	}
}

// conversation hands one conversation over. Some bots repeat themselves, and
// some have more to say.
func (b *bot) conversation(ctx context.Context, n int) (raised, error) {
	r := raised{connection: b.names[n%len(b.names)], conversation: fmt.Sprintf("conversation-%06d", n)}
	first := request{connection: n % len(b.names), body: body(r.conversation, n, "first")}
	if b.rand.IntN(2) == 0 {
		first.key = r.conversation + "/1"
	}
	a, err := b.insist(ctx, first)
	if err != nil {
		return r, err
	}
	r.id = a.EscalationID
	if b.rand.IntN(5) == 0 {
		if err := b.repeat(ctx, first, r.id); err != nil {
			return r, fmt.Errorf("repeat: %w", err)
		}
	}
	if b.rand.IntN(8) == 0 {
		more := request{connection: first.connection, body: body(r.conversation, n, "second"), key: r.conversation + "/2"}
		if err := b.repeat(ctx, more, r.id); err != nil {
			return r, fmt.Errorf("add context: %w", err)
		}
		r.added++
	}
	return r, nil
}

// repeat hands the conversation over again, which must be answered as it was.
func (b *bot) repeat(ctx context.Context, r request, want string) error {
	a, err := b.insist(ctx, r)
	if err == nil && (a.EscalationID != want || !a.Duplicate) {
		err = fmt.Errorf("answered %s (duplicate: %t), want %s again", a.EscalationID, a.Duplicate, want)
	}
	return err
}

// request is one hand-off, as often as it is sent.
type request struct {
	connection int
	key        string // Idempotency-Key, or none
	body       []byte
}

// insist sends a request until it is acknowledged. One in ten times the bot
// does not wait for the answer and sends it again at once.
func (b *bot) insist(ctx context.Context, r request) (conversation.Answer, error) {
	const between = 5 * time.Millisecond
	for {
		a, err := b.send(ctx, r, b.rand.IntN(10) == 0)
		if err == nil || !errors.Is(err, errAgain) {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(between):
		}
	}
}

// errAgain is wrapped where nobody knows whether the request was taken.
var errAgain = errors.New("no answer")

func (b *bot) send(ctx context.Context, r request, hasty bool) (a conversation.Answer, err error) {
	if hasty {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(b.rand.Int64N(int64(5*time.Millisecond))))
		defer cancel()
	}
	header := http.Header{}
	if r.key != "" {
		header.Set("Idempotency-Key", `"`+r.key+`"`)
	}
	status, answer, err := b.bots[r.connection].Do(ctx, http.MethodPost, "/v1/connections/"+b.names[r.connection]+"/escalations", header, r.body)
	switch {
	case err != nil, status == http.StatusServiceUnavailable:
		return a, fmt.Errorf("%w: %d %w", errAgain, status, err)
	case status != http.StatusAccepted:
		return a, fmt.Errorf("answered %d: %s", status, answer)
	}
	return a, json.Unmarshal(answer, &a)
}

// body returns a hand-off. One in sixteen is too large to be stored beside its
// fact.
func body(id string, n int, what string) []byte {
	text := "I would like to speak to a person. "
	if n%16 == 0 {
		text = strings.Repeat(text, 400)
	}
	b, err := json.Marshal(map[string]any{
		"conversation_id": id, "topic": "Refund", "language": "en-US", "reason": "customer_asked",
		"variables":  map[string]any{"order_number": n, "said": what, "of": id},
		"transcript": map[string]any{"messages": []any{map[string]any{"from": "customer", "text": text}}},
	})
	if err != nil {
		panic(err) // there is nothing in it that JSON has not
	}
	return b
}
