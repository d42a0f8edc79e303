// Package bill computes what Handoff on AWS costs, from prices and assumptions
// that anyone may replace.
//
// Prices are list prices of one region (us-east-1) without free tiers and
// discounts, as public pages quote them; they were not compared with a bill.
package bill

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
)

//go:embed inputs.json
var defaults []byte

// Price is what something costs.
type Price struct {
	Name string  `json:"name"`
	USD  float64 `json:"usd"`
	Per  float64 `json:"per"` // of how many
	Of   string  `json:"of"`
}

// Assumption is a figure that is not a price.
type Assumption struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Why   string  `json:"why"`
}

// Quota is how much of something an account gets before it asks for more.
type Quota struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Of    string  `json:"of"`
	Fixed bool    `json:"fixed,omitempty"` // nobody gets more
	Then  string  `json:"then"`            // what to do where it is not enough
}

// Inputs are all prices, assumptions and quotas. Default makes them.
type Inputs struct {
	Prices      []Price      `json:"prices"`
	Assumptions []Assumption `json:"assumptions"`
	Quotas      []Quota      `json:"quotas"`
}

// Default returns the inputs that README's figures come from.
func Default() (Inputs, error) {
	var in Inputs
	if err := json.Unmarshal(defaults, &in); err != nil {
		return in, fmt.Errorf("read inputs: %w", err)
	}
	return in, nil
}

// Set changes a price, an assumption or a quota.
func (in *Inputs) Set(name string, value float64) error {
	if i := slices.IndexFunc(in.Prices, func(p Price) bool { return p.Name == name }); i >= 0 {
		in.Prices[i].USD = value
		return nil
	}
	if i := slices.IndexFunc(in.Assumptions, func(a Assumption) bool { return a.Name == name }); i >= 0 {
		in.Assumptions[i].Value = value
		return nil
	}
	if i := slices.IndexFunc(in.Quotas, func(q Quota) bool { return q.Name == name }); i >= 0 {
		in.Quotas[i].Value = value
		return nil
	}
	return fmt.Errorf("there is no price, assumption or quota %q", name)
}

// Assume returns an assumption. Asking for one that is not in the file is a
// mistake in the program, and panics.
func (in Inputs) Assume(name string) float64 {
	i := slices.IndexFunc(in.Assumptions, func(a Assumption) bool { return a.Name == name })
	return in.Assumptions[i].Value
}

// Quota returns a quota by its name, as Assume does an assumption.
func (in Inputs) Quota(name string) Quota {
	return in.Quotas[slices.IndexFunc(in.Quotas, func(q Quota) bool { return q.Name == name })]
}

func (in Inputs) cost(price string, quantity float64) float64 {
	i := slices.IndexFunc(in.Prices, func(p Price) bool { return p.Name == price })
	return quantity * in.Prices[i].USD / in.Prices[i].Per
}

// Part says what a line of a bill is counted with.
type Part string

// The parts of a bill.
const (
	Table     Part = "table"     // DynamoDB until the escalation is delivered
	Delivered Part = "delivered" // everything else until then
	Reported  Part = "reported"  // what the hub's reports add
	Told      Part = "told"      // what it adds that the agent desk is told of those
	Stored    Part = "stored"    // what a month of keeping it costs
	Fixed     Part = "fixed"     // what is paid without any escalation
	Relayed   Part = "relayed"   // what passing messages on between a bot and a hub costs
	Watched   Part = "watched"   // what looking at a connection's hub and bot costs
)

// Line is one kind of cost in a month.
type Line struct {
	Part     Part
	Service  string
	What     string
	Price    string
	Quantity float64
	USD      float64
}

// Month returns the bill of a month with so many escalations.
func (in Inputs) Month(escalations float64) []Line {
	m := month{Inputs: in, n: escalations, commits: 2 * (1 + in.Assume("reports"))}
	m.table()
	m.delivered()
	m.reported()
	m.told()
	m.fixed()
	return m.lines
}

// Sum adds up the lines of some parts, or of all.
func Sum(lines []Line, parts ...Part) (usd float64) {
	for _, l := range lines {
		if len(parts) == 0 || slices.Contains(parts, l.Part) {
			usd += l.USD
		}
	}
	return usd
}
