package virtualbot

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"handoff/infra/microsoft/simulation/wire"
)

// conversation is one talk of a user with a bot. The service's lock guards it.
type conversation struct {
	service *Service
	bot     *Bot
	id      string
	started bool
	ended   bool

	activities []wire.Object
	next       int // number of the next activity
	stream     *stream

	user        wire.Object
	heard       wire.Object // what the user said last, as it was kept
	steps       []Node      // still to be done of the topic
	waiting     string      // the variable that the next message fills
	busy        bool        // a step comes later
	queue       []string
	misses      int // phrases in a row that were not understood
	transferred bool

	variables     wire.Object
	topics        []any
	phrases       []any
	lastTopic     string
	lastPhrase    string
	afterTransfer int
	statuses      []wire.Object
}

// stamp writes an instant as Direct Line does: seven digits of a second, UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// add gives an activity what the channel gives, keeps it, and returns its id.
func (c *conversation) add(a wire.Object) string {
	id := fmt.Sprintf("%s|%07d", c.id, c.next)
	c.next++
	a["id"], a["timestamp"], a["channelId"] = id, stamp(c.service.Clock.Now()), "directline"
	a["conversation"] = wire.Object{"id": c.id}
	if a["type"] == "typing" {
		if c.stream != nil {
			c.stream.typing = append(c.stream.typing, a)
			c.stream.ring()
		}
		return id
	}
	c.activities = append(c.activities, a)
	if c.stream != nil {
		c.stream.ring()
	}
	return id
}

func (c *conversation) self() wire.Object {
	return wire.Object{"id": c.bot.ID, "name": c.bot.Name, "role": "bot"}
}

// say has the bot send an activity.
func (c *conversation) say(a wire.Object) {
	a["from"], a["attachments"], a["entities"] = c.self(), []any{}, []any{}
	if a["type"] == "message" {
		a["inputHint"] = "acceptingInput"
	}
	if last := len(c.activities); last > 0 {
		a["replyToId"] = c.activities[last-1]["id"]
	}
	c.add(a)
}

// hear takes an activity of the user's.
func (c *conversation) hear(a wire.Object) string {
	given := maps.Clone(a)
	c.user = wire.Child(given, "from")
	id := c.add(given)
	c.heard = given
	switch a["type"] {
	case "message":
		if c.transferred {
			c.afterTransfer++
		}
		if c.bot.External == nil {
			c.next++ // a trace of the bot's that is not delivered
			c.message(wire.String(a, "text"))
		}
	case "event":
		c.event(wire.String(a, "name"), a["value"])
	case "endOfConversation":
		c.ended = true
	}
	return id
}

// event takes those events that the bot knows; others are ignored.
func (c *conversation) event(name string, value any) {
	o, _ := value.(wire.Object)
	switch name {
	case "startConversation", "startsConversation":
		if t := c.topic(Greeting); t != nil && c.published() {
			c.begin(t)
		}
	case "pvaSetContext":
		maps.Copy(c.variables, o)
	case "handoff.status":
		c.statuses = append(c.statuses, o)
		if state := wire.String(o, "state"); state == "completed" || state == "failed" {
			c.transferred = false
		}
	}
}

func (c *conversation) published() bool {
	if c.service.Published(c.bot.ID) {
		return true
	}
	c.say(wire.Object{"type": "message", "text": "Sorry, something went wrong. Error code: LatestPublishedVersionNotFound. Conversation Id: " + c.id + "."})
	return false
}

// message takes what the user says, in its order.
func (c *conversation) message(text string) {
	if c.busy {
		c.queue = append(c.queue, text)
		return
	}
	if !c.published() {
		return
	}
	if c.waiting != "" {
		c.variables[c.waiting] = text
		c.waiting = ""
		c.run()
		return
	}
	for _, t := range c.bot.Topics {
		for _, phrase := range t.Phrases {
			if strings.Contains(strings.ToLower(text), phrase) {
				c.understood(t.Name, text)
				c.begin(&t)
				return
			}
		}
	}
	c.missed()
}

// understood remembers a phrase that began a topic.
func (c *conversation) understood(topic, phrase string) {
	c.misses, c.lastTopic, c.lastPhrase = 0, topic, phrase
	c.topics, c.phrases = append(c.topics, topic), append(c.phrases, phrase)
}

func (c *conversation) missed() {
	c.misses++
	if t := c.topic(Escalate); t != nil && c.misses >= 3 {
		c.misses = 0
		c.begin(t)
		return
	}
	c.say(wire.Object{"type": "message", "text": "I'm sorry, I'm not sure how to help with that. Can you try rephrasing?"})
}

// topic returns a topic by its name; nil where the bot has none of it, as a
// program of its own has none at all.
func (c *conversation) topic(name string) *Topic {
	if c.bot.External != nil {
		return nil
	}
	for _, t := range c.bot.Topics {
		if t.Name == name {
			return &t
		}
	}
	return nil
}

func (c *conversation) begin(t *Topic) {
	c.steps = t.Nodes
	c.run()
}

// run does the steps of a topic until one of them waits.
func (c *conversation) run() {
	for len(c.steps) > 0 {
		n := c.steps[0]
		c.steps = c.steps[1:]
		if n.After > 0 {
			c.later(n)
			return
		}
		if n.Request != nil {
			c.ask(*n.Request)
			return
		}
		if c.do(n); c.waiting != "" {
			return
		}
	}
}

// later does a step when its time has come, and then what follows.
func (c *conversation) later(n Node) {
	c.busy = true
	c.add(wire.Object{"type": "typing", "from": c.self()})
	c.service.Clock.AfterFunc(n.After, func() {
		c.service.mu.Lock()
		defer c.service.mu.Unlock()
		c.do(n)
		c.goOn()
	})
}

// goOn does what follows a step that came later, and hears what was said
// meanwhile.
func (c *conversation) goOn() {
	c.busy = false
	if c.waiting == "" {
		c.run()
	}
	for len(c.queue) > 0 && !c.busy {
		text := c.queue[0]
		c.queue = c.queue[1:]
		c.message(text)
	}
}

func (c *conversation) do(n Node) {
	maps.Copy(c.variables, n.Set)
	if n.Say != "" {
		c.say(wire.Object{"type": "message", "text": n.Say})
	}
	c.waiting = n.Ask
	if n.Transfer {
		c.transfer(n.Message)
	}
}
