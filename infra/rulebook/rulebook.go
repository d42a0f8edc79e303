// Package rulebook decides routes by the rules that a connection adopted. It
// reads their source from the fact that adopted them, and keeps the compiled
// rule sets of the connections in use.
package rulebook

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"handoff/domain/connection"
	"handoff/domain/routing"
	"handoff/events"
	"handoff/infra/eventlog"
)

// maxCompiled is how many compiled rule sets are kept, a few hundred KiB each.
const maxCompiled = 64

// Rulebook is safe for concurrent use.
type Rulebook struct {
	ledger *eventlog.Ledger

	mu       sync.Mutex
	compiled map[string]*routing.RuleSet // by hash
}

// New returns a rulebook that reads from the ledger's log.
func New(l *eventlog.Ledger) *Rulebook {
	return &Rulebook{ledger: l, compiled: make(map[string]*routing.RuleSet)}
}

// RuleSet returns the rule set with a hash, which a fact at the given version
// of a connection's stream adopted.
func (b *Rulebook) RuleSet(ctx context.Context, stream events.StreamID, rules connection.Rules) (*routing.RuleSet, error) {
	b.mu.Lock()
	set := b.compiled[rules.Set]
	b.mu.Unlock()
	if set != nil {
		return set, nil
	}
	f, err := b.adopted(ctx, stream, rules.Version)
	if err != nil {
		return nil, fmt.Errorf("read rule set %s: %w", rules.Set, err)
	}
	if set, err = routing.Load([]byte(f.Source)); err != nil {
		return nil, fmt.Errorf("compile rule set %s: %w", rules.Set, err)
	}
	if set.Hash() != rules.Set {
		return nil, fmt.Errorf("version %d of %s adopted rule set %s, not %s", rules.Version, stream, set.Hash(), rules.Set)
	}
	b.keep(rules.Set, set)
	return set, nil
}

// Find returns the rule set with a hash that the stream adopted at any time,
// for explaining old decisions.
func (b *Rulebook) Find(ctx context.Context, stream events.StreamID, hash string) (*routing.RuleSet, error) {
	version := 0
	for r, err := range b.ledger.Log().Read(ctx, stream, 1) {
		if err != nil {
			return nil, fmt.Errorf("find rule set %s: %w", hash, err)
		}
		if f, err := b.ledger.Decode(r); err == nil {
			if a, ok := f.(*events.RulesAdopted); ok && a.RuleSet == hash {
				version = r.Version
			}
		}
	}
	return b.RuleSet(ctx, stream, connection.Rules{Set: hash, Version: version})
}

func (b *Rulebook) adopted(ctx context.Context, stream events.StreamID, version int) (*events.RulesAdopted, error) {
	for r, err := range b.ledger.Log().Read(ctx, stream, max(version, 1)) {
		if err != nil {
			return nil, err
		}
		f, err := b.ledger.Decode(r)
		if err != nil {
			return nil, err
		}
		if a, ok := f.(*events.RulesAdopted); ok && r.Version == version {
			return a, nil
		}
		break
	}
	return nil, fmt.Errorf("no rules were adopted at %s@%d", stream, version)
}

// keep adds a compiled set, dropping any other where there are too many.
func (b *Rulebook) keep(hash string, set *routing.RuleSet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for other := range b.compiled {
		if len(b.compiled) < maxCompiled {
			break
		}
		delete(b.compiled, other)
	}
	b.compiled[hash] = set
}

// Decide routes an escalation by the rules of a connection, whose stream and
// state are given, at an instant. Nothing is appended.
func (b *Rulebook) Decide(ctx context.Context, stream events.StreamID, c connection.State, raised *events.EscalationRaised, at time.Time) (*events.EscalationRouted, error) {
	set, err := b.RuleSet(ctx, stream, c.Rules)
	if err != nil {
		return nil, err
	}
	d := set.Route(input(raised, at))
	routed := &events.EscalationRouted{
		Number: raised.Number, Connection: c.ID, ConnectionVersion: c.Version, DecidedAt: at.UTC(),
		Queue:    events.Queue{ID: d.Queue.ID, Name: d.Queue.Name, HubQueue: d.Queue.HubQueue},
		Priority: d.Priority, Skills: d.Skills,
		Route: events.Route{
			RuleSet: d.RuleSet, Rule: d.Rule, RuleIndex: d.RuleIndex, Fallback: d.Fallback, Outcomes: d.Outcomes,
			Evaluator: d.Evaluator, TimeZones: d.TimeZones,
		},
	}
	if len(d.Misses) > 0 {
		if routed.Misses, err = json.Marshal(d.Misses); err != nil {
			return nil, fmt.Errorf("encode misses: %w", err)
		}
	}
	return routed, nil
}

// Decision returns a recorded route as the rules engine gave it. Without the
// misses (they may be erased) it explains less.
func Decision(f *events.EscalationRouted) (routing.Decision, error) {
	d := routing.Decision{
		Queue:    routing.Queue{ID: f.Queue.ID, Name: f.Queue.Name, HubQueue: f.Queue.HubQueue},
		Priority: f.Priority, Skills: f.Skills, Rule: f.Route.Rule, RuleIndex: f.Route.RuleIndex, Fallback: f.Route.Fallback,
		RuleSet: f.Route.RuleSet, Outcomes: f.Route.Outcomes, Evaluator: f.Route.Evaluator, TimeZones: f.Route.TimeZones,
	}
	if len(f.Misses) > 0 {
		if err := json.Unmarshal(f.Misses, &d.Misses); err != nil {
			return d, fmt.Errorf("decode misses: %w", err)
		}
	}
	return d, nil
}

// input is what rules may look at of an escalation.
func input(raised *events.EscalationRaised, at time.Time) routing.Input {
	in := routing.Input{
		Topic: raised.Topic, Language: raised.Language, Channel: raised.Channel, Reason: raised.Reason,
		BotID: raised.Bot.ID, BotName: raised.Bot.Name, At: at,
	}
	c := raised.Context
	if c == nil {
		return in
	}
	in.Topics, in.LastPhrase, in.Phrases, in.Variables = c.Topics, c.LastPhrase, c.Phrases, c.Variables
	if p := c.Customer; p != nil {
		in.Customer = routing.Customer{
			ID: p.ID, Name: p.Name, Email: p.Email, Phone: p.Phone, Verified: p.Verified, PageURL: p.PageURL, TimeZone: p.TimeZone,
		}
	}
	if w := c.Wishes; w != nil {
		in.WishedQueue, in.WishedSkills, in.WishedPriority = w.Queue, w.Skills, w.Priority
	}
	return in
}
