package events

// HubQueue names a queue as the hub does.
type HubQueue struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// EscalationQueued says in which of its queues the hub has an escalation: at
// first, and again when it was transferred.
type EscalationQueued struct {
	Number int      `json:"number"`
	Queue  HubQueue `json:"queue"`
}

// RouteConfirmed says that the hub chose the queue that Handoff decided on.
type RouteConfirmed struct {
	Number int      `json:"number"`
	Queue  HubQueue `json:"queue"`
}

// RouteOverruled says that the hub chose another queue than Handoff decided on.
type RouteOverruled struct {
	Number  int      `json:"number"`
	Queue   HubQueue `json:"queue"`   // the one that it is
	Decided Queue    `json:"decided"` // the one that it should have been
}

// HumanAgentJoined says who took the conversation: at first, and again when
// another one did.
type HumanAgentJoined struct {
	Number int    `json:"number"`
	Ref    string `json:"ref"` // keyed hash of the human agent's id

	Agent *HumanAgent `json:"-"`
}

// HumanAgent is who works in the hub, by the hub's id.
type HumanAgent struct {
	ID string `json:"id"`
}

// FactType implements Fact.
func (*EscalationQueued) FactType() string { return "EscalationQueued" }

// FactType implements Fact.
func (*RouteConfirmed) FactType() string { return "RouteConfirmed" }

// FactType implements Fact.
func (*RouteOverruled) FactType() string { return "RouteOverruled" }

// FactType implements Fact.
func (*HumanAgentJoined) FactType() string { return "HumanAgentJoined" }

// Private implements Confidential.
func (f *HumanAgentJoined) Private() any { return fill(&f.Agent) }

// HasPrivate implements Confidential.
func (f *HumanAgentJoined) HasPrivate() bool { return f.Agent != nil }
