package eventlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/lru"
)

// maxAttempts bounds how often a decision is made again because another writer
// was faster. Each round, somebody's commit succeeded.
const maxAttempts = 200

// CodeErased is the code of the fault, of kind Gone, for a key that was
// destroyed.
const CodeErased = "context-erased"

// Sealer keeps what is private. Sealing makes the key at its first use, durably;
// sealing or opening with a destroyed key is a fault CodeErased.
type Sealer interface {
	Seal(ctx context.Context, tenant string, key events.KeyID, aad, plain []byte) ([]byte, error)
	Open(ctx context.Context, tenant string, key events.KeyID, aad, sealed []byte) ([]byte, error)
}

// Ledger rebuilds aggregates from a log, and appends what they decide. It is
// the only place where facts are encoded, sealed, decoded and opened. It is
// safe for concurrent use.
type Ledger struct {
	log    Log
	codec  *events.Codec
	sealer Sealer
	now    func() time.Time
	newID  func() string
	// decoded are states of connections, which every hand-off needs several
	// times and which seldom change.
	decoded *lru.Cache[events.StreamID, decoded]
}

// decoded is a state at a head.
type decoded struct {
	hash  events.Hash
	state any
}

// keptDecoded is how many decoded states are kept.
const keptDecoded = 1024

// NewLedger returns a ledger over log. newID makes ids for commits of callers
// that bring none.
func NewLedger(log Log, codec *events.Codec, sealer Sealer, now func() time.Time, newID func() string) *Ledger {
	return &Ledger{log: log, codec: codec, sealer: sealer, now: now, newID: newID, decoded: lru.New[events.StreamID, decoded](keptDecoded)}
}

// Log returns the log underneath.
func (l *Ledger) Log() Log { return l.log }

// Stream says where an aggregate lives.
type Stream struct {
	ID         events.StreamID
	Tenant     string
	Connection string // empty where the stream belongs to none
}

// Origin says who wants a command carried out, and because of what.
type Origin struct {
	Actor       string // principal id
	Causation   string // id of the fact or request that led to it
	Correlation string
	Trace       string // W3C traceparent
	// Commit identifies the command over repeated calls; empty makes one.
	Commit string
}

// Result is an aggregate after a command.
type Result[S any] struct {
	Head
	Home  Stream // where it lives; zero for one that does not exist
	State S
	// Facts are those that the command appended: none if there was nothing
	// to do.
	Facts []events.Fact
}

// State rebuilds an aggregate: in one read from the carried state, or from the
// facts where that state is of another version.
func State[S any](ctx context.Context, l *Ledger, d domain.Decider[S], stream events.StreamID) (Result[S], error) {
	a, snap, err := load(ctx, l, d, stream)
	if err != nil {
		return Result[S]{}, err
	}
	return Result[S]{Head: snap.Head, Home: Stream{ID: stream, Tenant: snap.Tenant, Connection: snap.Connection}, State: a.State()}, nil
}

// Execute carries out one command on one stream: it rebuilds the aggregate, has
// it decide, and appends the facts in one commit. The command is prepared from
// the state it will be decided upon; where another writer was faster, all of it
// is done again. When it returns nil the facts are durable.
func Execute[S any](ctx context.Context, l *Ledger, d domain.Decider[S], at Stream, by Origin, prepare func(S) (eh.Command, error)) (Result[S], error) {
	if by.Commit == "" {
		by.Commit = l.newID()
	}
	for range maxAttempts {
		r, err := try(ctx, l, d, at, by, prepare)
		if !outdated(err) {
			return r, err
		}
	}
	return Result[S]{}, fault.Newf(fault.Unavailable, "too-many-writers", "Too many requests change the same %s at once; try again.", d.Kind)
}

// outdated reports whether a decision failed because the state it was made upon
// is old: another writer was faster, or erased the stream and destroyed the key
// that was to be sealed with.
func outdated(err error) bool {
	_, conflict := errors.AsType[*ConflictError](err)
	return conflict || fault.Is(err, CodeErased)
}

func try[S any](ctx context.Context, l *Ledger, d domain.Decider[S], at Stream, by Origin, prepare func(S) (eh.Command, error)) (Result[S], error) {
	a, snap, err := load(ctx, l, d, at.ID)
	if err != nil {
		return Result[S]{}, err
	}
	head := snap.Head
	generation := a.KeyGeneration()
	cmd, err := prepare(a.State())
	if err != nil {
		return Result[S]{}, err
	}
	if err := a.HandleCommand(ctx, cmd); err != nil {
		return Result[S]{}, err
	}
	r := Result[S]{Head: head, Home: at, State: a.State()}
	uncommitted := a.UncommittedEvents()
	if len(uncommitted) == 0 {
		return r, nil
	}
	c := Commit{Stream: at.ID, Tenant: at.Tenant, Kind: d.Kind, Connection: at.Connection, ID: by.Commit, After: head}
	if c.State, c.StateVersion, err = a.CarriedState(); err != nil {
		return Result[S]{}, err
	}
	key := events.NewKeyID(at.ID, generation)
	for i, e := range uncommitted {
		rec, f, err := l.encode(ctx, &c, i, e, by, key)
		if err != nil {
			return Result[S]{}, err
		}
		c.Facts, r.Facts = append(c.Facts, rec), append(r.Facts, f)
	}
	ChainCommit(&c)
	if r.Head, err = l.log.Append(ctx, c); err != nil {
		return Result[S]{}, fmt.Errorf("append %d facts to %s %s: %w", len(c.Facts), d.Kind, at.ID, err)
	}
	return r, nil
}

// load rebuilds an aggregate to decide upon, and returns what is stored at its
// head.
func load[S any](ctx context.Context, l *Ledger, d domain.Decider[S], stream events.StreamID) (*domain.Aggregate[S], Snapshot, error) {
	a := d.NewAggregate(stream, l.now())
	snap, err := l.log.Load(ctx, stream)
	if err != nil {
		return nil, Snapshot{}, fmt.Errorf("load %s %s: %w", d.Kind, stream, err)
	}
	if snap.Version == 0 {
		return a, Snapshot{}, nil
	}
	if kept, ok := l.decoded.Get(stream); ok && kept.hash == snap.Hash {
		if s, ok := kept.state.(S); ok {
			a.Adopt(s, snap.Version)
			return a, snap, nil
		}
	}
	err = a.Restore(snap.State, snap.StateVersion, snap.Version)
	if errors.Is(err, domain.ErrStateVersion) {
		a, snap.Head, err = refold(ctx, l, d, stream)
	}
	if err == nil && d.Kind == events.KindConnection {
		l.decoded.Put(stream, decoded{snap.Hash, a.State()}, l.decoded.Mark(stream))
	}
	return a, snap, err
}

// refold rebuilds an aggregate from its facts alone.
func refold[S any](ctx context.Context, l *Ledger, d domain.Decider[S], stream events.StreamID) (*domain.Aggregate[S], Head, error) {
	a := d.NewAggregate(stream, l.now())
	var head Head
	for rec, err := range l.log.Read(ctx, stream, 1) {
		if err != nil {
			return nil, Head{}, fmt.Errorf("refold %s %s: %w", d.Kind, stream, err)
		}
		e, err := l.event(rec)
		if err == nil {
			err = a.ApplyEvent(ctx, e)
		}
		if err != nil {
			return nil, Head{}, fmt.Errorf("refold %s: %w", rec.ID(), err)
		}
		head = Head{Version: rec.Version, Hash: rec.Hash}
	}
	a.SetAggregateVersion(head.Version)
	return a, head, nil
}

// encode turns the i-th event of a commit into a record, its private part
// sealed.
func (l *Ledger) encode(ctx context.Context, c *Commit, i int, e eh.Event, by Origin, key events.KeyID) (events.Record, events.Fact, error) {
	f, ok := e.Data().(events.Fact)
	if !ok {
		return events.Record{}, nil, fmt.Errorf("encode %s: its data is no fact", e)
	}
	clear, private, schema, err := l.codec.Encode(f)
	if err != nil {
		return events.Record{}, nil, err
	}
	r := events.Record{Clear: clear, Header: events.Header{
		Stream: c.Stream, Version: c.After.Version + i + 1, Kind: c.Kind, Type: f.FactType(), Schema: schema,
		Tenant: c.Tenant, Connection: c.Connection, Time: e.Timestamp().UnixNano(), Commit: c.ID,
		Causation: by.Causation, Correlation: by.Correlation, Actor: by.Actor, Trace: by.Trace,
	}}
	if private == nil {
		return r, f, nil
	}
	r.Key = key
	if r.Sealed, err = l.sealer.Seal(ctx, c.Tenant, key, events.AssociatedData(r.Header), private); err != nil {
		return events.Record{}, nil, fmt.Errorf("seal %s: %w", r.ID(), err)
	}
	return r, f, nil
}

// event returns a record as eventhorizon knows events, its private part left
// sealed.
func (l *Ledger) event(r events.Record) (eh.Event, error) {
	f, err := l.Decode(r)
	if err != nil {
		return nil, err
	}
	return eh.NewEvent(eh.EventType(r.Type), f, r.At(), eh.ForAggregate(eh.AggregateType(r.Kind), r.Stream, r.Version)), nil
}

// Decode returns the fact of a record, its private part left sealed.
func (l *Ledger) Decode(r events.Record) (events.Fact, error) {
	return l.codec.Decode(r.Type, r.Schema, r.Clear)
}

// Open returns the fact of a record with its private part. Where the key is
// destroyed it returns the fact without it and erased set.
func (l *Ledger) Open(ctx context.Context, r events.Record) (f events.Fact, erased bool, err error) {
	if f, err = l.Decode(r); err != nil || !r.HasSealed() {
		return f, false, err
	}
	sealed := r.Sealed
	if len(sealed) == 0 {
		if sealed, err = l.log.Blob(ctx, r.SealedSum); err != nil {
			return nil, false, fmt.Errorf("open %s: %w", r.ID(), err)
		}
	}
	private, err := l.sealer.Open(ctx, r.Tenant, r.Key, events.AssociatedData(r.Header), sealed)
	if fault.KindOf(err) == fault.Gone {
		return f, true, nil
	}
	if err == nil {
		err = l.codec.DecodePrivate(f, private)
	}
	if err != nil {
		return nil, false, fmt.Errorf("open %s: %w", r.ID(), err)
	}
	return f, false, nil
}

// Opened is a record with its decoded fact.
type Opened struct {
	events.Record
	Fact   events.Fact
	Erased bool // it had a private part whose key is destroyed
}

// ReadOpen yields the facts of a stream with their private parts.
func (l *Ledger) ReadOpen(ctx context.Context, stream events.StreamID) iter.Seq2[Opened, error] {
	return func(yield func(Opened, error) bool) {
		for r, err := range l.log.Read(ctx, stream, 1) {
			if err != nil {
				yield(Opened{}, err)
				return
			}
			f, erased, err := l.Open(ctx, r)
			if !yield(Opened{Record: r, Fact: f, Erased: erased}, err) || err != nil {
				return
			}
		}
	}
}

// Home returns the stream of the fact that a function was told of.
func Home(n events.Notification) Stream {
	return Stream{ID: n.Stream, Tenant: n.Tenant, Connection: n.Connection}
}

// Because returns the origin of what a function does about a fact. The function
// acts in its own name.
func Because(n events.Notification, function string) Origin {
	return Origin{Actor: "function:" + function, Causation: n.ID, Correlation: n.Correlation, Trace: n.Trace}
}
