package publication

import "handoff/events"

// Fact returns the fact that a finding leads to, or nil where it says nothing
// new. That a bot is not live for another reason than before is nothing new.
func (f Finding) Fact(before State) events.Fact {
	if !f.Changed(before) {
		return nil
	}
	if live, _ := f.State.Live(); live {
		return &events.BotPublished{LastPublishFailed: f.State == Outdated, Detail: f.Detail}
	}
	return &events.BotUnpublished{Code: f.Reason, Deleted: f.State == Deleted, Detail: f.Detail}
}

// After returns what is known after a fact; ok is false for one that is about
// something else.
func After(fact events.Fact) (f Finding, ok bool) {
	switch fact := fact.(type) {
	case *events.BotPublished:
		f = Finding{State: Published, Detail: fact.Detail}
		if fact.LastPublishFailed {
			f.State = Outdated
		}
	case *events.BotUnpublished:
		f = Finding{State: Unpublished, Reason: fact.Code, Detail: fact.Detail}
		if fact.Deleted {
			f.State = Deleted
		}
	default:
		return Finding{}, false
	}
	return f, true
}
