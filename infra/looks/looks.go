// Package looks has relayed conversations looked at when their time has come,
// on AWS: where LookAt of package domain/relay says so.
//
// A fact that names such a time leads to a message in a standard queue of SQS,
// which stays hidden until then. Whoever takes it out asks the log: if a later
// fact says otherwise, which has a message of its own, nothing is done; if the
// time is farther off than a message can be hidden, it is hidden again; else it
// goes into the FIFO queue of the conversation's facts, so that nobody looks at a
// conversation while somebody is told of a fact in it.
//
// A message may come twice. The FIFO queue drops the repeat, and looking twice
// does no harm.
package looks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/awsbatch"
	"handoff/infra/awsfault"
	"handoff/infra/eventlog"
	"handoff/infra/fifo"
)

// MaxDelay is how long a message can be hidden (Amazon SQS Developer Guide,
// "Amazon SQS message timers").
const MaxDelay = 15 * time.Minute

// Types are the types of the facts that name a time.
func Types() []string {
	return []string{"BotConversationOpened", "MessageRelayed", "MessagesTaken", "RelayRested", "RelayStarted"}
}

// Relayed reports whether a conversation is or was relayed, as the state says
// that a commit carries. A state that can't be read here may be of one that is.
func Relayed(c *eventlog.Commit) bool {
	var s conversation.State
	return json.Unmarshal(c.State, &s) != nil || s.Relay != nil
}

// look is the body of a message: when a conversation is to be looked at.
type look struct {
	Stream events.StreamID `json:"stream"`
	At     time.Time       `json:"look_at"`
}

// Timers is the queue of messages that are hidden until their time. It is safe
// for concurrent use and has nothing to close.
type Timers struct {
	client *sqs.Client
	url    string
	codec  *events.Codec
	now    func() time.Time
}

// New returns the queue with a URL.
func New(client *sqs.Client, url string, now func() time.Time) *Timers {
	return &Timers{client: client, url: url, codec: events.Register(), now: now}
}

// Send takes the times that facts name and returns an error for each fact whose
// time was not taken. Of several facts of a conversation the last one counts.
func (t *Timers) Send(ctx context.Context, facts []events.Notification) []error {
	errs := make([]error, len(facts))
	last := make(map[events.StreamID]int) // index in looks
	var looks []look
	of := make([]int, len(facts))
	for i, n := range facts {
		at, err := t.time(n)
		if errs[i], of[i] = err, -1; err != nil || at.IsZero() {
			continue
		}
		if _, known := last[n.Stream]; !known {
			last[n.Stream] = len(looks)
			looks = append(looks, look{})
		}
		of[i] = last[n.Stream]
		looks[of[i]] = look{n.Stream, at}
	}
	sent := t.set(ctx, looks)
	for i, at := range of {
		if at >= 0 {
			errs[i] = sent[at]
		}
	}
	return errs
}

// time returns the time that a fact names, zero for none.
func (t *Timers) time(n events.Notification) (time.Time, error) {
	f, err := t.codec.Decode(n.Type, n.Schema, n.Clear)
	if err != nil {
		return time.Time{}, fmt.Errorf("read %s: %w", n.ID, err)
	}
	at, _ := relay.LookAt(f)
	return at, nil
}

// set hides a message for each look until its time, and returns an error for
// each that was not taken.
func (t *Timers) set(ctx context.Context, looks []look) []error {
	bodies, entries := make([]string, len(looks)), make([]awsbatch.Entry, len(looks))
	for i, l := range looks {
		body, err := json.Marshal(l)
		if err != nil {
			return slices.Repeat([]error{fmt.Errorf("encode a look at %s: %w", l.Stream, err)}, len(looks))
		}
		bodies[i], entries[i] = string(body), awsbatch.Entry{Bytes: len(body)}
	}
	return awsbatch.Send(ctx, entries, func(ctx context.Context, batch []int) ([]error, error) {
		in := &sqs.SendMessageBatchInput{QueueUrl: &t.url}
		for at, i := range batch {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
				Id: aws.String(strconv.Itoa(at)), MessageBody: &bodies[i], DelaySeconds: t.delay(looks[i].At),
			})
		}
		return t.send(ctx, in)
	})
}

// delay returns how long a message is hidden, rounded up to whole seconds.
func (t *Timers) delay(at time.Time) int32 {
	left := max(0, min(at.Sub(t.now()), MaxDelay))
	return int32((left + time.Second - 1) / time.Second)
}

func (t *Timers) send(ctx context.Context, in *sqs.SendMessageBatchInput) ([]error, error) {
	out, err := t.client.SendMessageBatch(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("set %d timers: %w", len(in.Entries), awsfault.Classify(err))
	}
	errs := slices.Repeat([]error{errRefused}, len(in.Entries))
	for _, e := range out.Successful {
		if at, err := strconv.Atoi(aws.ToString(e.Id)); err == nil && at < len(errs) {
			errs[at] = nil
		}
	}
	return errs, nil
}

var errRefused = errors.New("looks: the queue did not take the timer")

// Keeper takes messages out of the queue of timers. Every field is needed. It is
// safe for concurrent use.
type Keeper struct {
	Timers *Timers
	// Queue is that of the conversations' facts.
	Queue *fifo.Queue
	// Ledger tells when a conversation is to be looked at.
	Ledger *eventlog.Ledger
}

// Take does what is to be done with a message.
func (k *Keeper) Take(ctx context.Context, body string) error {
	l, err := parse(body)
	if err != nil {
		return err
	}
	c, err := eventlog.State(ctx, k.Ledger, conversation.Decider, l.Stream)
	if err != nil {
		return fmt.Errorf("look when conversation %s is to be looked at: %w", l.Stream, err)
	}
	switch r := c.State.Relay; {
	case r == nil || !r.LookAt.Equal(l.At):
		return nil // another fact says otherwise
	case l.At.After(k.Timers.now()):
		return k.Timers.set(ctx, []look{l})[0]
	}
	stream := l.Stream.String()
	return k.Queue.Put(ctx, fifo.Message{Group: stream, ID: "look:" + stream + "@" + strconv.FormatInt(l.At.UnixNano(), 10), Body: body})[0]
}

func parse(body string) (l look, err error) {
	if err := json.Unmarshal([]byte(body), &l); err != nil || l.Stream == (events.StreamID{}) || l.At.IsZero() {
		return l, fault.New(fault.Invalid, "look-unreadable", "The message names no conversation and time.").Because(err)
	}
	return l, nil
}

// Of returns the conversation that a message of the FIFO queue has to be looked
// at, or false for a message that is a fact.
func Of(body string) (events.StreamID, bool) {
	l, err := parse(body)
	return l.Stream, err == nil
}
