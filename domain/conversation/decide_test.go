package conversation_test

import (
	"fmt"
	"testing"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/tests/scenario"
)

func TestRoute(t *testing.T) {
	t.Parallel()
	open := given(raised(1, "r1", "f1"))
	to := func(number int, connection string) conversation.Route {
		return conversation.Route{Fact: *routed(number, connection)}
	}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"a raised escalation is routed":               {Given: open, When: to(1, "store"), Then: given(routed(1, "store"))},
		"a routed one stays where it is":              {Given: append(open, routed(1, "store")), When: to(1, "bank"), Nothing: true},
		"one that is accepted already needs no route": {Given: append(open, &events.EscalationAccepted{Number: 1}), When: to(1, "store"), Nothing: true},
		"one that ended is not routed":                {Given: ended(1), When: to(1, "store"), Nothing: true},
		"another one than the open one is not routed": {Given: append(ended(1), raised(2, "r2", "f2")), When: to(1, "store"), Nothing: true},
		"one that is not there is not routed":         {Given: open, When: to(2, "store"), Nothing: true},
		"nothing is routed in an empty conversation":  {When: to(1, "store"), Nothing: true},
		"number nought is not routed":                 {When: to(0, "store"), Nothing: true},
	})
}

func TestMove(t *testing.T) {
	t.Parallel()
	open := given(raised(1, "r1", "f1"), routed(1, "store"))
	to := func(number int, connection string) conversation.Move {
		return conversation.Move{Fact: *routed(number, connection)}
	}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"an open escalation moves":          {Given: open, When: to(1, "bank"), Then: given(moved(1, "bank"))},
		"one that is not routed yet moves":  {Given: given(raised(1, "r1", "f1")), When: to(1, "bank"), Then: given(moved(1, "bank"))},
		"an accepted one moves":             {Given: append(open, &events.EscalationAccepted{Number: 1}), When: to(1, "bank"), Then: given(moved(1, "bank"))},
		"one that is there already stays":   {Given: open, When: to(1, "store"), Nothing: true},
		"one that ended stays":              {Given: append(open, &events.EscalationFailed{Number: 1, Code: "c"}), When: to(1, "bank"), Nothing: true},
		"another than the open one stays":   {Given: append(ended(1), raised(2, "r2", "f2")), When: to(1, "bank"), Nothing: true},
		"there is nothing to move at first": {When: to(1, "bank"), Nothing: true},
	})
}

// At the new place nobody has accepted it yet.
func TestMovedEscalationWaitsAgain(t *testing.T) {
	t.Parallel()
	s := conversation.Decider.Fold(conversation.State{}, raised(1, "r1", "f1"), routed(1, "store"), &events.EscalationAccepted{Number: 1}, moved(1, "bank"))
	if s.Last.Status != conversation.Routed || s.Last.Connection != "bank" || s.Last.RoutedAt != 4 {
		t.Errorf("after the move: %+v", s.Last)
	}
}

func TestSetDeadline(t *testing.T) {
	t.Parallel()
	open := given(raised(1, "r1", "f1"))
	by := func(number, minute int, code string) conversation.SetDeadline {
		return conversation.SetDeadline{Fact: *deadline(number, minute, code)}
	}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"a deadline is brought forward":                       {Given: open, When: by(1, 30, "drained"), Then: given(deadline(1, 30, "drained"))},
		"it is never put off":                                 {Given: open, When: by(1, 59, "drained"), Then: given(deadline(1, 50, "drained"))},
		"the same again is nothing":                           {Given: append(open, deadline(1, 30, "drained")), When: by(1, 30, "drained"), Nothing: true},
		"a later one for the same reason is nothing":          {Given: append(open, deadline(1, 30, "drained")), When: by(1, 40, "drained"), Nothing: true},
		"an earlier one for the same reason counts":           {Given: append(open, deadline(1, 30, "drained")), When: by(1, 20, "drained"), Then: given(deadline(1, 20, "drained"))},
		"an earlier one for another reason counts":            {Given: append(open, deadline(1, 30, "drained")), When: by(1, 20, "stuck"), Then: given(deadline(1, 20, "stuck"))},
		"a later one for another reason changes no reason":    {Given: append(open, deadline(1, 30, "drained")), When: by(1, 40, "stuck"), Nothing: true},
		"without a reason it is brought forward":              {Given: open, When: by(1, 30, ""), Then: given(deadline(1, 30, ""))},
		"without a reason a later one is nothing":             {Given: open, When: by(1, 59, ""), Nothing: true},
		"one that ended has no deadline":                      {Given: ended(1), When: by(1, 30, "drained"), Nothing: true},
		"another than the open one has none":                  {Given: append(ended(1), raised(2, "r2", "f2")), When: by(1, 30, "drained"), Nothing: true},
		"the next escalation begins without the old deadline": {Given: append(open, deadline(1, 30, "drained"), &events.EscalationExpired{Number: 1}, raised(2, "r2", "f2")), When: by(2, 30, "drained"), Then: given(deadline(2, 30, "drained"))},
	})
}

func TestReport(t *testing.T) {
	t.Parallel()
	open := given(raised(1, "r1", "f1"), routed(1, "store"))
	words := &events.Words{Message: "We are on it."}
	is := func(number int, status conversation.Status) conversation.Report {
		return conversation.Report{Number: number, Status: status, Code: "c", Words: words}
	}
	accepted := &events.EscalationAccepted{Number: 1, Code: "c", Words: words}
	completed := &events.EscalationCompleted{Number: 1, Code: "c", Words: words}
	failed := &events.EscalationFailed{Number: 1, Code: "c", Words: words}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"accepted":                             {Given: open, When: is(1, conversation.Accepted), Then: given(accepted)},
		"accepted before it is routed":         {Given: open[:1], When: is(1, conversation.Accepted), Then: given(accepted)},
		"accepted twice":                       {Given: append(open, accepted), When: is(1, conversation.Accepted), Nothing: true},
		"completed":                            {Given: append(open, accepted), When: is(1, conversation.Completed), Then: given(completed)},
		"completed by a hub that says no more": {Given: open, When: is(1, conversation.Completed), Then: given(completed)},
		"completed twice":                      {Given: append(open, completed), When: is(1, conversation.Completed), Nothing: true},
		"failed":                               {Given: open, When: is(1, conversation.Failed), Then: given(failed)},
		"failed twice":                         {Given: append(open, failed), When: is(1, conversation.Failed), Nothing: true},
		"accepted after it was completed":      {Given: append(open, completed), When: is(1, conversation.Accepted), Fault: "escalation-ended"},
		"completed after it failed":            {Given: append(open, failed), When: is(1, conversation.Completed), Fault: "escalation-ended"},
		"completed after it expired":           {Given: ended(1), When: is(1, conversation.Completed), Fault: "escalation-ended"},
		"an earlier one, again as it ended":    {Given: append(open, completed, raised(2, "r2", "f2")), When: is(1, conversation.Completed), Nothing: true},
		"an earlier one, otherwise":            {Given: append(open, completed, raised(2, "r2", "f2")), When: is(1, conversation.Failed), Fault: "escalation-ended"},
		"one so early that the state forgot":   {Given: ended(conversation.MaxEarlier + 2), When: is(1, conversation.Completed), Fault: "escalation-ended"},
		"one that never was":                   {Given: open, When: is(2, conversation.Accepted), Fault: "escalation-not-found"},
		"number nought":                        {Given: open, When: is(0, conversation.Accepted), Fault: "escalation-not-found"},
		"a negative number":                    {Given: open, When: is(-1, conversation.Accepted), Fault: "escalation-not-found"},
		"in an empty conversation":             {When: is(1, conversation.Accepted), Fault: "escalation-not-found"},
		"a state that nobody knows":            {Given: open, When: is(1, "lost"), Fault: "state-unknown"},
		"a state that is not the hub's":        {Given: open, When: is(1, conversation.Routed), Fault: "state-unknown"},
		"no state":                             {Given: open, When: is(1, ""), Fault: "state-unknown"},
		"an unknown state after the end":       {Given: append(open, failed), When: is(1, "lost"), Fault: "state-unknown"},
		"expired, by a hub":                    {Given: ended(1), When: is(1, conversation.Expired), Fault: "state-unknown"},
	})
}

func TestExpire(t *testing.T) {
	t.Parallel()
	open := given(raised(1, "r1", "f1"))
	now := func(number, minute int) conversation.Expire {
		return conversation.Expire{Number: number, Now: at(minute)}
	}
	expired := given(&events.EscalationExpired{Number: 1})
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"at its deadline":                    {Given: open, When: now(1, 50), Then: expired},
		"after its deadline":                 {Given: open, When: now(1, 55), Then: expired},
		"before its deadline":                {Given: open, When: now(1, 49), Nothing: true},
		"an accepted one too":                {Given: append(open, &events.EscalationAccepted{Number: 1}), When: now(1, 50), Then: expired},
		"with a code it fails":               {Given: append(open, deadline(1, 30, "drained")), When: now(1, 30), Then: given(&events.EscalationFailed{Number: 1, Code: "drained"})},
		"twice":                              {Given: ended(1), When: now(1, 55), Nothing: true},
		"another than the open one":          {Given: append(ended(1), raised(2, "r2", "f2")), When: now(1, 55), Nothing: true},
		"one that never was":                 {Given: open, When: now(2, 55), Nothing: true},
		"number nought in an empty stream":   {When: now(0, 55), Nothing: true},
		"a moved one keeps its deadline":     {Given: append(open, routed(1, "a"), moved(1, "b")), When: now(1, 50), Then: expired},
		"a timer that fires late, in winter": {Given: open, When: conversation.Expire{Number: 1, Now: at(50).AddDate(1, 0, 0)}, Then: expired},
	})
}

func TestTranscript(t *testing.T) {
	t.Parallel()
	open := given(pending(1, "r1", "f1"))
	stored := &events.TranscriptStored{Number: 1, Messages: 3, Transcript: &events.Transcript{URL: scenario.Private}}
	missing := &events.TranscriptMissing{Number: 1, Code: "timeout"}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"a pending transcript is stored":             {Given: open, When: conversation.StoreTranscript{Fact: *stored}, Then: given(stored)},
		"a pending transcript is given up":           {Given: open, When: conversation.MissTranscript{Fact: *missing}, Then: given(missing)},
		"it is stored once":                          {Given: append(open, stored), When: conversation.StoreTranscript{Fact: *stored}, Nothing: true},
		"it is not given up once it is stored":       {Given: append(open, stored), When: conversation.MissTranscript{Fact: *missing}, Nothing: true},
		"it is not stored once it is given up":       {Given: append(open, missing), When: conversation.StoreTranscript{Fact: *stored}, Nothing: true},
		"it is stored after the end":                 {Given: append(open, &events.EscalationExpired{Number: 1}), When: conversation.StoreTranscript{Fact: *stored}, Then: given(stored)},
		"it is stored after the next was raised":     {Given: append(open, &events.EscalationExpired{Number: 1}, raised(2, "r2", "f2")), When: conversation.StoreTranscript{Fact: *stored}, Then: given(stored)},
		"it is given up after the next was raised":   {Given: append(open, &events.EscalationExpired{Number: 1}, raised(2, "r2", "f2")), When: conversation.MissTranscript{Fact: *missing}, Then: given(missing)},
		"what is stored of one leaves another alone": {Given: append(open, &events.EscalationExpired{Number: 1}, pending(2, "r2", "f2"), stored), When: conversation.MissTranscript{Fact: events.TranscriptMissing{Number: 2, Code: "timeout"}}, Then: given(&events.TranscriptMissing{Number: 2, Code: "timeout"})},
		"it is not stored once it is erased":         {Given: append(open, &events.ContextErased{}), When: conversation.StoreTranscript{Fact: *stored}, Nothing: true},
		"nor that of an earlier one":                 {Given: append(open, &events.EscalationExpired{Number: 1}, raised(2, "r2", "f2"), &events.ContextErased{}), When: conversation.StoreTranscript{Fact: *stored}, Nothing: true},
		"none is pending":                            {Given: given(raised(1, "r1", "f1")), When: conversation.StoreTranscript{Fact: *stored}, Nothing: true},
		"of one that never was":                      {When: conversation.StoreTranscript{Fact: *stored}, Nothing: true},
	})
}

func TestErase(t *testing.T) {
	t.Parallel()
	cmd := conversation.Erase{Reason: "asked"}
	erased := func(generation int) *events.ContextErased {
		return &events.ContextErased{Generation: generation, Reason: "asked"}
	}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"an open escalation is erased":         {Given: given(raised(1, "r1", "f1")), When: cmd, Then: given(erased(0))},
		"an ended one is erased":               {Given: ended(3), When: cmd, Then: given(erased(0))},
		"twice is once":                        {Given: append(ended(1), erased(0)), When: cmd, Nothing: true},
		"what came after it is erased too":     {Given: append(ended(1), erased(0), raised(2, "r2", "f2")), When: cmd, Then: given(erased(1))},
		"there is nothing to erase in nothing": {When: cmd, Fault: "escalation-not-found"},
	})
}

func TestUnknownCommandIsAnError(t *testing.T) {
	t.Parallel()
	facts, err := conversation.Decider.Decide(conversation.State{}, stranger{})
	if err == nil || fault.Of(err) != nil || facts != nil {
		t.Errorf("Decide = %v, %v; want an error that is no fault, for it is ours", facts, err)
	}
}

type stranger struct{ conversation.To }

func (stranger) CommandType() eh.CommandType { return "Stranger" }

func TestCommandsAreAddressed(t *testing.T) {
	t.Parallel()
	to := conversation.To{1, 2, 3}
	for _, c := range []eh.Command{
		conversation.Raise{To: to},
		conversation.Route{To: to},
		conversation.Move{To: to},
		conversation.SetDeadline{To: to},
		conversation.Report{To: to},
		conversation.Expire{To: to},
		conversation.StoreTranscript{To: to},
		conversation.MissTranscript{To: to},
		conversation.Erase{To: to},
	} {
		if c.AggregateID() != [16]byte(to) || c.AggregateType() != "conversation" || c.CommandType() == "" {
			t.Errorf("%T is addressed to %s %s", c, c.AggregateType(), c.AggregateID())
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	reading := func(number int, ref string) conversation.Read {
		return conversation.Read{Fact: events.ContextRead{Number: number, Ref: ref, Until: at(60)}}
	}
	read := &events.ContextRead{Number: 1, Ref: "r1", Until: at(60)}
	raised := raise("q1", "f1").Fact
	raised.Number = 1
	often := []events.Fact{&raised}
	for n := range conversation.MaxReads {
		often = append(often, &events.ContextRead{Number: 1, Ref: fmt.Sprint(n)})
	}
	scenario.Run(t, conversation.Decider, map[string]scenario.Case{
		"each reading is a fact":             {Given: []events.Fact{&raised, read}, When: reading(1, "r2"), Then: []events.Fact{&events.ContextRead{Number: 1, Ref: "r2", Until: at(60)}}},
		"the same reading is one":            {Given: []events.Fact{&raised, read}, When: reading(1, "r1"), Nothing: true},
		"nobody reads without end":           {Given: often, When: reading(1, "r1"), Fault: "context-read-too-often"},
		"there is nothing to read elsewhere": {Given: []events.Fact{&raised}, When: reading(2, "r1"), Fault: "escalation-not-found"},
	})
}
