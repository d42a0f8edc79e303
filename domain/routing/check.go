package routing

import "go.yaml.in/yaml/v3"

// maxPhrase is how many characters a check may say.
const maxPhrase = 300

// Check is how end-to-end checks of the connection go. Its zero value leaves
// that to whoever checks.
type Check struct {
	Queue  string // id of the declared queue that takes them; empty: none
	Phrase string // what they say to the bot to be handed over; empty: none
}

// Check returns what the file says of end-to-end checks.
func (r *RuleSet) Check() Check { return r.check }

func (p *parser) check(n *yaml.Node) {
	entries := p.mapping(n, "check", "queue", "phrase")
	if q := entries["queue"]; q != nil {
		p.set.check.Queue = p.set.queues[p.queueRef(q, "check.queue")].ID
	}
	if t := entries["phrase"]; t != nil {
		p.set.check.Phrase, _ = p.text(t, "check.phrase", maxPhrase)
	}
}
