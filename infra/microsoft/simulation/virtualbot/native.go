package virtualbot

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"

	"handoff/infra/microsoft/simulation/wire"
)

// Native is a conversation that Omnichannel has with a bot by the bot's native
// connection. That a bot of Power Virtual Agents escalates as every other bot of
// the hub's does, with nothing to configure, is documented ("Integrate a Power
// Virtual Agents bot"). What passes between both is not public: the fake has them
// exchange activities in memory. Assumptions are that what the hub knows at the
// beginning become variables of the bot, that all variables become context, and
// that lists are joined by commas and everything else that is no text and no
// whole number is written as JSON.
type Native struct {
	conversation *conversation
	stream       *stream
	said         []wire.Object // not yet taken by Next, which is for one goroutine
}

// Native begins a conversation with the bot of a native connection; nil where no
// bot has that application.
func (s *Service) Native(application, thread string) *Native {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bot(func(b *Bot) bool { return b.ApplicationID != "" && strings.EqualFold(b.ApplicationID, application) })
	if b == nil {
		return nil
	}
	c := &conversation{service: s, bot: b, id: thread, started: true, variables: wire.Object{}}
	c.stream = &stream{wake: make(chan struct{}, 1), out: make(chan struct{})}
	s.conversations[c.id] = c
	s.order = append(s.order, c.id)
	return &Native{conversation: c, stream: c.stream}
}

// Hear gives the bot an activity of the hub's.
func (n *Native) Hear(a wire.Object) {
	c := n.conversation
	c.service.mu.Lock()
	defer c.service.mu.Unlock()
	if a["name"] == "startConversation" {
		known := maps.Clone(wire.Child(a, "value"))
		maps.DeleteFunc(known, func(name string, _ any) bool { return strings.HasPrefix(name, "msdyn_") })
		maps.Copy(c.variables, known)
	}
	c.hear(a)
}

// Next waits for the next activity that the bot sends to the hub. It fails when
// ctx ends.
func (n *Native) Next(ctx context.Context) (wire.Object, error) {
	for len(n.said) == 0 {
		select {
		case <-n.stream.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		for _, set := range n.conversation.service.pending(n.conversation, n.stream) {
			all, _ := set["activities"].([]wire.Object)
			for _, a := range all {
				if out := toHub(a); out != nil {
					n.said = append(n.said, out)
				}
			}
		}
	}
	next := n.said[0]
	n.said = n.said[1:]
	return next, nil
}

// toHub returns what the hub gets of an activity; nil of those that are the
// customer's or do not travel.
func toHub(a wire.Object) wire.Object {
	switch {
	case wire.String(wire.Child(a, "from"), "role") != "bot":
		return nil
	case a["type"] == "message":
		return wire.Object{"type": "message", "text": a["text"], "channelData": wire.Object{"deliveryMode": "bridged"}}
	case a["name"] != "handoff.initiate":
		return nil
	}
	value := wire.Child(a, "value")
	variables := make(wire.Object, len(value))
	for name, v := range value {
		variables[name] = flat(v)
	}
	tags, _ := json.Marshal(wire.Object{"type": "Escalate", "context": variables}) //nolint:errchkjson // it is made of JSON
	return wire.Object{
		"type": "message", "text": value["va_AgentMessage"], "channelData": wire.Object{"tags": string(tags)},
	}
}

// flat returns a value as tags may have it: a text or a whole number.
func flat(v any) any {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		if v == math.Trunc(v) {
			return v
		}
	case []any:
		var texts []string
		for _, e := range v {
			texts = append(texts, fmt.Sprint(e))
		}
		return strings.Join(texts, ",")
	}
	raw, _ := json.Marshal(v) //nolint:errchkjson // it came as JSON
	return string(raw)
}
