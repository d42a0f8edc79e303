// Package hub is the fake's Omnichannel for Customer Service: the customer's
// chat widget, workstreams that hand a conversation to a bot first, the Bot
// Connector between both, routing by rulesets, queues with overflow, and the
// human agents.
//
// Documented are how a bot escalates and ends a conversation, what it gets
// first, the limits of messages and context variables, the order of routing
// with fallback and overflow, the states of a conversation and who may reach
// which, and that a bot conversation closes after 30 silent minutes
// (Dynamics 365 Customer Service, "Manage your bots", unified routing, and the
// reference of msdyn_ocliveworkitem). Assumptions, not verified: a request to
// the bot that fails is not repeated; the bot stays in the conversation from
// its Escalate until a human agent accepts, and is refused with 403
// BotNotInConversationRoster (documented for Teams) afterwards;
// an oversize message is refused with 413; every kind of context value but
// text and whole number, what is longer than a limit, and what is of another
// kind than its variable is dropped, which the fake tells as a problem where
// the real hub is silent; and over the Teams channel no event reaches the hub.
package hub

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/azure"
	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/signing"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// Limits of Omnichannel.
const (
	MaxMessage      = 28 << 10 // bytes of a message, with everything around it
	MaxVariableName = 100      // characters
	MaxVariable     = 4000     // characters of a value
	MaxVariables    = 100      // custom variables of a conversation
)

const (
	silence     = 30 * time.Minute // after which a bot conversation is closed
	inQueue     = time.Minute      // how often waiting conversations are looked at for overflow
	botPatience = 15 * time.Second // for the bot's endpoint to answer
)

// Options are what a hub stands on.
type Options struct {
	Clock         clock.Clock
	Directory     *tenants.Directory
	Azure         *azure.Manager
	Organisations []*tables.Database
	// ServiceURL returns where bots answer, with a slash at the end.
	ServiceURL func() string
	// Native begins a conversation with the bot of an application that is
	// connected natively; nil where it is none. It may be nil itself.
	Native func(application, conversation string) Native
}

// Hub is Omnichannel in all organisations. It is safe for concurrent use; make
// it with New, and start it before the first conversation.
type Hub struct {
	Options
	client *http.Client

	mu            sync.Mutex
	ctx           context.Context //nolint:containedctx // of the running hub, for requests that nobody waits for
	wg            sync.WaitGroup
	changed       chan struct{} // closed at every change
	conversations []*conversation
	away          map[string]bool // people who take no work
	shut          map[string]bool // queues outside of their hours
	forgeries     []signing.Forgery
	attachments   map[string]attachment
	sessions      map[string]*session // of the live chat service, by their request ids
	random        func(n int) int
}

// New returns a hub. random returns a number below n, for distributions by
// percentage.
func New(o Options, random func(n int) int) *Hub {
	h := &Hub{
		Options: o, client: &http.Client{Timeout: botPatience}, ctx: context.Background(), changed: make(chan struct{}),
		away: make(map[string]bool), shut: make(map[string]bool), attachments: make(map[string]attachment),
		sessions: make(map[string]*session), random: random,
	}
	for _, d := range o.Organisations {
		d.Guard("msdyn_ocliveworkitems", h.guard)
		d.Bind("msdyn_ocliveworkitems", "CCaaS_ForceCloseConversation", h.forceClose)
	}
	return h
}

// Start has requests to bots end with ctx.
func (h *Hub) Start(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ctx = ctx
}

// Wait returns when no request to a bot is under way.
func (h *Hub) Wait() { h.wg.Wait() }

// Forge has the next requests to bots carry wrong tokens, one each.
func (h *Hub) Forge(f ...signing.Forgery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgeries = append(h.forgeries, f...)
}

// SetAway has a person take no more work, or take it again.
func (h *Hub) SetAway(person string, away bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away[person] = away
	h.assign()
}

// SetShut has a queue, or the widget with a data-app-id, be outside of its
// operating hours, or inside again.
func (h *Hub) SetShut(queue string, shut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut[queue] = shut
}

// notify wakes whoever waits for a change. The caller holds mu.
func (h *Hub) notify() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// find returns a conversation by the id of its record. The caller holds mu.
func (h *Hub) find(id string) (*conversation, error) {
	i := slices.IndexFunc(h.conversations, func(c *conversation) bool { return c.id == id })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "conversation-not-found", "There is no such conversation.")
	}
	return h.conversations[i], nil
}

// Conversations returns all conversations, the earliest first.
func (h *Hub) Conversations() (all []Conversation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conversations {
		all = append(all, c.snapshot())
	}
	return all
}

// Conversation returns one. It fails with conversation-not-found.
func (h *Hub) Conversation(id string) (Conversation, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(id)
	if err != nil {
		return Conversation{}, err
	}
	return c.snapshot(), nil
}

// Await returns a conversation as soon as it is as wanted. It fails when ctx
// ends before, and with conversation-not-found.
func (h *Hub) Await(ctx context.Context, id string, as func(Conversation) bool) (Conversation, error) {
	for {
		h.mu.Lock()
		c, err := h.find(id)
		changed := h.changed
		var now Conversation
		if err == nil {
			now = c.snapshot()
		}
		h.mu.Unlock()
		if err != nil || as(now) {
			return now, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}

// Place is a widget on a site, or a person with a desk.
type Place struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Places returns the widgets, by their data-app-id, and the people.
func (h *Hub) Places() (widgets, people []Place) {
	for _, d := range h.Organisations {
		for _, r := range d.All("msdyn_livechatconfigs", "", nil) {
			widgets = append(widgets, Place{wire.String(r, "msdyn_widgetappid"), wire.String(r, "msdyn_name")})
		}
		for _, r := range d.All("systemusers", "applicationid", nil) {
			people = append(people, Place{wire.String(r, "systemuserid"), wire.String(r, "fullname")})
		}
	}
	return widgets, people
}
