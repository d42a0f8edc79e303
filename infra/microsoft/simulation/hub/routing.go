package hub

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"handoff/infra/microsoft/simulation/ruleset"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/wire"
)

// Kinds of steps of a routing configuration, and of overflow actions.
const (
	classification = 192350000.0
	routeToQueue   = 192350002.0

	endConversation = 192350001.0
	queueTransfer   = 192350005.0
)

var guid = regexp.MustCompile(`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

func (c *conversation) explain(format string, args ...any) {
	c.explanation = append(c.explanation, fmt.Sprintf(format, args...))
}

// route finds the queue for a human agent and puts the conversation there.
// What goes wrong on the way leads to the fallback queue.
func (c *conversation) route() {
	candidates, err := c.candidates()
	if err != nil {
		c.explain("error: %v", err)
		c.problem("routing rules could not be used: %v", err)
		candidates = nil
	}
	if len(candidates) == 0 {
		c.explain("no rule: fallback queue")
		c.enqueue(wire.String(c.stream, "_msdyn_defaultqueue_value"))
		return
	}
	for _, queue := range candidates {
		if _, over := c.overflow(queue, "_msdyn_prequeueoverflowrulesetid_value"); !over {
			c.enqueue(queue)
			return
		}
		c.explain("queue %s overflows", queue)
	}
	first := candidates[0]
	if i := slices.IndexFunc(candidates, func(q string) bool { return !c.hub.shut[q] }); i >= 0 {
		first = candidates[i]
	}
	action, _ := c.overflow(first, "_msdyn_prequeueoverflowrulesetid_value")
	c.overflowed(first, action)
}

// candidates returns the queues that rules name, in the order of the rules.
func (c *conversation) candidates() (queues []string, err error) {
	outputs := map[string]string{}
	for _, step := range c.steps() {
		rules, err := c.rules(wire.String(step, "_msdyn_rulesetid_value"))
		if err != nil {
			return nil, err
		}
		matches := rules.Matches(c.attributes(outputs))
		switch step["msdyn_type"] {
		case classification:
			c.classify(matches, outputs)
		case routeToQueue:
			for _, m := range matches {
				queue, err := c.named(m)
				if err != nil {
					return nil, err
				}
				c.explain("rule %q: queue %s", m.Name, queue)
				queues = append(queues, queue)
			}
		}
	}
	return queues, nil
}

// steps returns the steps of the active configuration, in their order.
func (c *conversation) steps() []tables.Row {
	for _, r := range c.db.All("msdyn_routingconfigurations", "_msdyn_liveworkstreamid_value", c.stream["msdyn_liveworkstreamid"]) {
		if r["msdyn_isactiveconfiguration"] != true {
			continue
		}
		steps := c.db.All("msdyn_routingconfigurationsteps", "_msdyn_routingconfigurationid_value", r["msdyn_routingconfigurationid"])
		slices.SortStableFunc(steps, func(a, b tables.Row) int {
			x, _ := a["msdyn_steporder"].(float64)
			y, _ := b["msdyn_steporder"].(float64)
			return cmp.Compare(x, y)
		})
		return steps
	}
	return nil
}

func (c *conversation) rules(id string) (*ruleset.Ruleset, error) {
	row := c.db.Get("msdyn_decisionrulesets", id)
	if row == nil {
		return nil, fmt.Errorf("ruleset %s is not there", id)
	}
	return ruleset.Parse(wire.String(row, "msdyn_rulesetdefinition"), wire.String(row, "msdyn_disabledrules"))
}

// attributes returns how rules read the conversation: context variables (their
// names count in case), columns of the record, and what earlier rulesets set.
func (c *conversation) attributes(outputs map[string]string) func(string) any {
	variables, row := c.context(), c.db.Get("msdyn_ocliveworkitems", c.id)
	return func(attribute string) any {
		if v, ok := outputs[attribute]; ok {
			return v
		}
		if name, ok := strings.CutPrefix(attribute, "liveworkitemcontext."); ok {
			return variables[name]
		}
		if column, ok := strings.CutPrefix(attribute, "msdyn_ocliveworkitem."); ok {
			return row[column]
		}
		return nil
	}
}

// classify takes what the first match sets, at most five attributes.
func (c *conversation) classify(matches []ruleset.Rule, outputs map[string]string) {
	if len(matches) == 0 {
		return
	}
	c.explain("classified by %q", matches[0].Name)
	for i, a := range matches[0].Set {
		if i == 5 {
			c.problem("rule %q sets more than 5 attributes", matches[0].Name)
			return
		}
		outputs[a.Attribute] = a.Value
		n, err := strconv.ParseFloat(a.Value, 64)
		if a.Attribute == "msdyn_ocliveworkitem.prioritycode" && err == nil {
			c.write(tables.Row{"prioritycode": n})
		}
	}
}

// named returns the queue that a rule names, or one of its shares.
func (c *conversation) named(r ruleset.Rule) (string, error) {
	text := r.Get("assign_to.queue")
	if len(r.Shares) > 0 {
		at := c.hub.random(100)
		for _, s := range r.Shares {
			if at -= s.Percent; at < 0 {
				text = s.Queue
				break
			}
		}
	}
	id := strings.ToLower(guid.FindString(text))
	if c.db.Get("queues", id) == nil {
		return "", fmt.Errorf("rule %q names the queue %q, which is not there", r.Name, text)
	}
	return id, nil
}

// overflow evaluates a queue's overflow ruleset and returns the action that it
// asks for. A ruleset that can't be read asks for nothing.
func (c *conversation) overflow(queue, column string) (action string, over bool) {
	id := wire.String(c.db.Get("queues", queue), column)
	if id == "" {
		return "", false
	}
	rules, err := c.rules(id)
	if err != nil {
		c.problem("overflow of queue %s: %v", queue, err)
		return "", false
	}
	waiting := 0.0
	for _, other := range c.hub.conversations {
		if other != c && other.queue == queue && other.status == Open {
			waiting++
		}
	}
	values := map[string]any{
		"queue_prequeue.currentqueuesize": waiting, "queue_prequeue.iswithinoperatinghour": !c.hub.shut[queue],
		"queue_prequeue.estimatedwaittimeinminutes": waiting * 2, "queue_inqueue.lapsedwaittime": c.hub.Clock.Now().Sub(c.queued).Seconds(),
	}
	for _, m := range rules.Matches(func(a string) any { return values[a] }) {
		for _, set := range m.Set {
			over = over || strings.HasPrefix(set.Attribute, "overflow.") && strings.EqualFold(set.Value, "true")
		}
		if action == "" {
			action = m.Get("overflowaction.msdyn_overflowactionconfig.msdyn_overflowactionconfigid")
		}
	}
	return action, over
}

// overflowed does what an overflow action says; without one the conversation
// stays in the queue.
func (c *conversation) overflowed(queue, action string) {
	row := c.db.Get("msdyn_overflowactionconfigs", strings.ToLower(guid.FindString(action)))
	target := strings.ToLower(guid.FindString(wire.String(row, "msdyn_overflowactiondata")))
	switch {
	case row["msdyn_overflowactiontype"] == endConversation:
		c.explain("overflow: end the conversation")
		if err := c.close(ClosedByOverflow); err != nil {
			c.problem("overflow: %v", err)
		}
	case row["msdyn_overflowactiontype"] == queueTransfer && c.db.Get("queues", target) != nil:
		c.explain("overflow: to queue %s", target)
		c.count("msdyn_overflowtransfercount")
		c.enqueue(target)
	default:
		c.explain("overflow: stays in queue %s", queue)
		if c.queue != queue {
			c.enqueue(queue)
		}
	}
}

// count adds one to a column of the record.
func (c *conversation) count(column string) {
	n, _ := c.db.Get("msdyn_ocliveworkitems", c.id)[column].(float64)
	c.write(tables.Row{column: n + 1})
}

// enqueue puts the conversation in a queue, where it waits for a human agent.
func (c *conversation) enqueue(queue string) {
	if err := c.move(Open, AwaitingAssignment); err != nil {
		c.problem("routing: %v", err)
		return
	}
	c.queue, c.agent, c.offered, c.declined, c.queued = queue, "", "", nil, c.hub.Clock.Now()
	c.write(tables.Row{"_msdyn_cdsqueueid_value": queue, "_msdyn_activeagentid_value": nil})
	c.watchQueue()
	c.hub.assign()
}

// watchQueue looks once a minute whether the conversation has waited too long.
func (c *conversation) watchQueue() {
	if c.stopQueue != nil {
		c.stopQueue()
	}
	c.stopQueue = c.hub.Clock.AfterFunc(inQueue, func() {
		c.hub.mu.Lock()
		defer c.hub.mu.Unlock()
		if c.status != Open {
			return
		}
		if action, over := c.overflow(c.queue, "_msdyn_inqueueoverflowrulesetid_value"); over {
			c.overflowed(c.queue, action)
		}
		if c.status == Open {
			c.watchQueue()
		}
	})
}
