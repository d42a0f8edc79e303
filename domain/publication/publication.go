// Package publication is whether a bot can be talked to, as its maker says.
//
// A bot that is not published answers nobody, so who connected it is told. What
// could not be found out is Unknown, and that is never taken for unpublished: it
// changes nothing of what was known before.
package publication

// State is whether a bot is published. The zero value is Unknown.
type State string

// The states.
const (
	Unknown State = ""
	// Published is a bot that answers.
	Published State = "published"
	// Outdated is a published bot whose last publication failed: an earlier
	// version answers.
	Outdated State = "published-outdated"
	// Unpublished is a bot that was never published, or is switched off.
	Unpublished State = "unpublished"
	// Deleted is a bot that is gone.
	Deleted State = "deleted"
)

// Finding is a state and why it is taken to be so.
type Finding struct {
	State State
	// Reason is stable, kebab-case, for facts and clients: never-published.
	Reason string
	// Detail is a sentence for people.
	Detail string
}

// Live reports whether some version of the bot answers. Of Unknown nothing is
// known.
func (s State) Live() (live, known bool) {
	return s == Published || s == Outdated, s != Unknown
}

// Changed reports whether a finding says something else than what was known.
func (f Finding) Changed(before State) bool {
	return f.State != Unknown && f.State != before
}
