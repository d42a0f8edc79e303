package demo

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"handoff/domain/conversation"
	"handoff/domain/listing"
	"handoff/infra/httpapi"
)

//go:embed testdata/activities.json
var activities []byte

//go:embed testdata/escalation.json
var escalation []byte

//go:embed testdata/second.json
var second []byte

// recorded is the time of the hand-off in activities.
const recorded = "2026-11-22T09:10:11.1234567Z"

// powerVirtualAgents raises in the exact shape in which Power Virtual Agents
// does.
func (s *story) powerVirtualAgents(ctx context.Context) error {
	began := s.Now()
	now := []byte(began.UTC().Format("2006-01-02T15:04:05.0000000Z"))
	set, err := s.bot.RaiseActivities(ctx, "store-bot", bytes.Replace(activities, []byte(recorded), now, 1), "")
	if err != nil || len(set.Escalations) != 1 {
		return fmt.Errorf("raise as Power Virtual Agents: %d escalations: %w", len(set.Escalations), err)
	}
	took := s.Now().Sub(began)
	s.first = set.Escalations[0].EscalationID
	s.say("raised", "%s  by a Power Virtual Agents activity: sealed, on disk and answered in %s", short(s.first), round(took))
	return s.routedAndSent(ctx, set.Escalations[0], 6, 11)
}

// plain raises with plain JSON, as any bot can.
func (s *story) plain(ctx context.Context) error {
	began := s.Now()
	a, err := s.bot.RaiseRaw(ctx, "store-bot", escalation, "")
	if err != nil {
		return fmt.Errorf("raise with plain JSON: %w", err)
	}
	took := s.Now().Sub(began)
	s.second = a.EscalationID
	s.say("raised", "%s  by plain JSON: sealed, on disk and answered in %s", short(s.second), round(took))
	return s.routedAndSent(ctx, a, 2, 3)
}

// routedAndSent tells where an escalation went and why, and what arrived.
func (s *story) routedAndSent(ctx context.Context, a httpapi.Raised, turns, variables int) error {
	why, err := s.client.Why(ctx, a.EscalationID)
	if err != nil {
		return fmt.Errorf("ask why: %w", err)
	}
	s.say("routed", "%s", sentence(why.Sentence))
	for _, l := range why.Lines {
		if strings.Contains(l, ": no, because ") { // the others matched, or were not asked
			s.say("", "            %s", l)
		}
	}
	got, err := s.desk.has(ctx, a.EscalationID)
	if err != nil {
		return err
	}
	if len(got.Transcript.Messages) != turns || len(got.Variables) != variables {
		return fmt.Errorf("the desk got %d turns and %d variables, want %d and %d", len(got.Transcript.Messages), len(got.Variables), turns, variables)
	}
	s.say("sent", "desk: signature verified, context complete: %d turns, %d variables", turns, variables)
	return nil
}

// twiceAndKill raises a third escalation twice and kills the server before the
// desk could answer.
func (s *story) twiceAndKill(ctx context.Context) error {
	release := s.desk.hold()
	a, err := s.bot.RaiseRaw(ctx, "store-bot", second, "order-4712")
	if err != nil {
		return fmt.Errorf("raise the third: %w", err)
	}
	s.third = a.EscalationID
	s.say("raised", "%s  into %s", short(s.third), a.Queue)
	again, err := s.bot.RaiseRaw(ctx, "store-bot", second, "order-4712")
	if err != nil {
		return fmt.Errorf("repeat the third: %w", err)
	}
	if again.EscalationID != a.EscalationID || !again.Duplicate {
		return fmt.Errorf("the repeat was answered %+v, want %s as a duplicate", again, a.EscalationID)
	}
	s.say("again", "the same request once more: same answer, still one escalation")
	select { // the delivery is on its way: the desk has been asked
	case <-s.desk.asked:
	case <-ctx.Done():
		return fmt.Errorf("wait for the delivery: %w", ctx.Err())
	}
	if err := s.server.kill(); err != nil {
		return err
	}
	release()
	took, err := s.server.start(ctx)
	if err != nil {
		return err
	}
	return s.afterKill(ctx, round(took))
}

func (s *story) afterKill(ctx context.Context, took string) error {
	if _, err := s.desk.has(ctx, s.third); err != nil {
		return err
	}
	list, err := s.client.Escalations(ctx, listing.EscalationQuery{})
	if err != nil {
		return fmt.Errorf("list escalations: %w", err)
	}
	const acknowledged = 3
	delivered, doubled := s.desk.count()
	lost := acknowledged - min(len(list.Items), delivered)
	doubled += len(list.Items) - acknowledged
	s.say("kill -9", "in the middle of a delivery… restarted in %s. Acknowledged %d, lost %d, doubled %d.", took, acknowledged, lost, doubled)
	if lost != 0 || doubled != 0 {
		return errors.New("escalations were lost or doubled")
	}
	return nil
}

// audit verifies the log and goes back to when the third escalation waited.
func (s *story) audit(ctx context.Context) error {
	s.waiting = s.Now()
	if _, err := s.client.Report(ctx, s.third, conversation.Accepted, "", "I take this one"); err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	past, err := s.client.StateAt(ctx, "store-bot", s.waiting)
	if err != nil {
		return fmt.Errorf("go back in time: %w", err)
	}
	v, err := s.client.Verify(ctx, "")
	if err != nil || !v.OK {
		return fmt.Errorf("verify: %+v: %w", v.Problems, err)
	}
	var then conversation.Escalation
	for _, e := range past.Escalations {
		if e.ID == s.third {
			then = e.Escalation
		}
	}
	if then.Status != conversation.Routed {
		return fmt.Errorf("at %s the escalation was %q, want routed", s.waiting, then.Status)
	}
	s.say("audit", "%d facts, chain intact · as of %s: %s was waiting in %s, nobody assigned (now: accepted)",
		v.Facts, s.waiting.Format("15:04:05.000"), short(s.third), then.Queue.ID)
	return nil
}

// erase makes the first conversation unreadable.
func (s *story) erase(ctx context.Context) error {
	done, err := s.client.Erase(ctx, conversation.Erasure{Escalation: s.first, Reason: "demo"})
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	if err := s.desk.knows(ctx, s.first); err != nil {
		return fmt.Errorf("wait for the desk to hear of the erasure: %w", err)
	}
	v, err := s.client.Verify(ctx, "")
	if err != nil || !v.OK {
		return fmt.Errorf("verify after erasing: %+v: %w", v.Problems, err)
	}
	s.say("erase", "%s  its key is destroyed, %d sealed facts unreadable, desk told, chain still intact", short(s.first), done.Facts)
	return nil
}
