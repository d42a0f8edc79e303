package routing_test

import (
	"encoding/json"
	"fmt"
	"time"

	"handoff/domain/fault"
	"handoff/domain/routing"
)

const rules = `version: 1
name: store-bot
time_zone: Europe/Amsterdam
fallback: general
queues:
  - {id: general, name: General help}
  - {id: seniors, name: Senior agents}
  - {id: refunds, name: Refunds}
rules:
  - name: big refunds
    all: [{topic: {is: Refund}}, {variable: order_total, at_least: 500}]
    then: {queue: seniors, priority: 80}
  - name: refunds by day
    all: [{topic: {is: Refund}}, {time: {within: "mon-fri 08:00-18:00"}}]
    then: {queue: refunds, priority: 60}
tests:
  - {given: {topic: Refund, at: "2026-11-23T10:00"}, expect: refunds}
`

func Example() {
	set, err := routing.Parse([]byte(rules))
	if err != nil {
		fmt.Println(err)
		return
	}
	decision := set.Route(routing.Input{
		Topic:     "refund",
		Variables: map[string]json.RawMessage{"order_total": json.RawMessage("380")},
		At:        time.Date(2026, 11, 23, 9, 10, 12, 0, time.UTC),
	})
	fmt.Println(decision.Queue.Name, decision.Priority)
	lines, err := set.Explain(decision)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range lines {
		fmt.Println(line)
	}
	// Output:
	// Refunds 60
	// rule "big refunds": no, because order_total is 380, needs at least 500
	// rule "refunds by day": yes: topic is Refund, Mon-Fri 08:00-18:00
}

func ExampleParse() {
	_, err := routing.Parse([]byte(`version: 1
fallback: general
queues: [{id: general}]
rules:
  - name: big refunds
    all: [{topik: {is: Refund}}]
    when: order_total >= 500
    then: {queue: senior}
`))
	for _, p := range fault.Of(err).Problems {
		fmt.Printf("%d:%d: rule %q: %s\n", p.Line, p.Column, p.Rule, p.Detail)
	}
	// Output:
	// 6:12: rule "big refunds": "topik" is no field, did you mean "topic"?
	// 7:11: rule "big refunds": when: 'order_total' is no field, no function and not declared under variables
	// 8:19: rule "big refunds": queue "senior" is not declared under queues
}

func ExampleRuleSet_Rules() {
	set, err := routing.Parse([]byte(rules))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range set.Rules() {
		fmt.Println(r.Name, r.Conditions, "->", r.Queue.ID)
	}
	// Output:
	// big refunds [topic is Refund order_total is at least 500] -> seniors
	// refunds by day [topic is Refund Mon-Fri 08:00-18:00] -> refunds
}
