package publisher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"handoff/domain"
	"handoff/domain/fault"
	"handoff/domain/refold"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Why a commit is poison.
const (
	ReasonUnreadable  = "commit-unreadable" // or a hash that differs
	ReasonChain       = "chain-broken"
	ReasonFact        = "fact-unreadable"
	ReasonState       = "state-differs"
	ReasonTooLarge    = "fact-too-large"
	ReasonUnknownKind = "kind-unknown"
)

// maxClear bounds the clear part of a fact that is published. The bus and the
// queue take 256 KiB with the headers, which are a few KiB at most.
const maxClear = 200 << 10

// inspect returns why a commit must not be published, empty if it may. An error
// means that it could not be told for now.
func (b *burst) inspect(ctx context.Context, c *eventlog.Change) (reason string, err error) {
	if c.Err != nil {
		return ReasonUnreadable, nil //nolint:nilerr // it is the finding
	}
	for _, r := range c.Facts {
		if len(r.Clear) > maxClear && b.selects(r.Type) {
			return ReasonTooLarge, nil
		}
		if !json.Valid(r.Clear) {
			return ReasonFact, nil
		}
	}
	before, err := b.previous(ctx, &c.Commit)
	if fault.KindOf(err) == fault.NotFound {
		return ReasonChain, nil
	} else if err != nil {
		return "", err
	}
	if before != nil && before.Head() != c.After {
		return ReasonChain, nil
	}
	reason, err = b.refold(ctx, before, &c.Commit)
	if reason == "" && err == nil {
		b.before[c.Stream] = &c.Commit
	}
	return reason, err
}

// selects reports whether facts of a type are published at all. A rules file is
// large, and nobody is told of it.
func (b *burst) selects(typ string) bool {
	return slices.ContainsFunc(b.Routes, func(r Route) bool { return slices.Contains(r.Types, typ) })
}

// previous returns the commit before another one, nil for the first of a stream.
func (b *burst) previous(ctx context.Context, c *eventlog.Commit) (*eventlog.Commit, error) {
	if c.After.Version == 0 {
		return nil, nil //nolint:nilnil // nothing is before the first
	}
	if p := b.before[c.Stream]; p != nil && p.Head().Version == c.After.Version {
		return p, nil
	}
	p, err := b.Log.Commit(ctx, c.Stream, c.After.Version)
	return &p, err
}

// refold checks that the state which a commit carries follows from the one
// before it and its facts. A state of another version of Handoff it can't check.
func (b *burst) refold(ctx context.Context, before, c *eventlog.Commit) (reason string, err error) {
	f := refold.New(c.Kind, c.Stream)
	if f == nil {
		return ReasonUnknownKind, nil
	}
	_, version, err := f.CarriedState()
	if err != nil || version != c.StateVersion {
		return "", err
	}
	if before != nil {
		if reason, err := b.restore(ctx, f, before); reason != "" || err != nil {
			return reason, err
		}
	}
	for _, r := range c.Facts {
		if !b.fold(f, r) {
			return ReasonFact, nil
		}
	}
	state, _, err := f.CarriedState()
	if err == nil && !bytes.Equal(state, c.State) {
		reason = ReasonState
	}
	return reason, err
}

// restore brings a folder to a commit: by the state that is carried there, or,
// where that is of another version, by the facts.
func (b *burst) restore(ctx context.Context, f refold.Folder, at *eventlog.Commit) (reason string, err error) {
	head := at.Head().Version
	err = f.Restore(at.State, at.StateVersion, head)
	if err == nil {
		return "", nil
	}
	if !errors.Is(err, domain.ErrStateVersion) {
		return ReasonState, nil
	}
	for r, err := range b.Log.Read(ctx, at.Stream, 1) {
		if err != nil {
			return "", err
		}
		if r.Version > head {
			break
		}
		if !b.fold(f, r) {
			return ReasonFact, nil
		}
	}
	return "", nil
}

func (b *burst) fold(f refold.Folder, r events.Record) bool {
	fact, err := b.Codec.Decode(r.Type, r.Schema, r.Clear)
	if err == nil {
		f.Fold(fact)
	}
	return err == nil
}
