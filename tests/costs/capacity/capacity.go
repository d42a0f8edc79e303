// Package capacity computes how much of each limit a rate of escalations takes,
// and simulates how long the work waits on its way. Quotas are those of a new
// account in us-east-1 as AWS's documentation gives them; nothing here was
// measured on AWS.
package capacity

import (
	"cmp"
	"math"
	"slices"

	"handoff/tests/costs/bill"
)

// Use is how much of a quota a rate takes.
type Use struct {
	Quota bill.Quota
	Needs float64
}

// Share is the part of the quota that is taken; above 1 it is not enough.
func (u Use) Share() float64 { return u.Needs / u.Quota.Value }

// Plan says what a steady rate of escalations a second takes.
type Plan struct {
	Rate       float64
	LogUnits   float64 // write units a second
	Partitions float64 // of the log's table, and shards of its stream, at 70 % use
	Functions  float64 // running at once
	Month      float64 // dollars
	Uses       []Use   // the tightest first
}

// headroom is the share of a partition that is planned with: load is spread by
// chance, not evenly.
const headroom = 0.7

// For makes the plan for a rate.
func For(in bill.Inputs, rate float64) Plan {
	commits := 2 + in.Assume("reports")
	logUnits := rate * (in.Assume("raise_units") + in.Assume("delivery_units") + in.Assume("reports")*in.Assume("report_units"))
	p := Plan{Rate: rate, LogUnits: logUnits, Partitions: math.Ceil(logUnits / headroom / in.Quota("partition_units").Value)}
	p.Month = bill.Sum(in.Month(rate * bill.Seconds))
	working := rate * (in.Assume("endpoint_ms") + in.Assume("deliver_ms")) / 1000
	planning := rate * in.Assume("reports") * in.Assume("plan_ms") / 1000
	delivering := (working + planning) / 10
	shards := p.Partitions
	p.Functions = rate*(in.Assume("webhook_ms")+in.Assume("reports")*in.Assume("api_ms")+in.Assume("bus_ms")/10)/1000 +
		2*shards*min(1, rate*commits/shards/100*in.Assume("batch_ms")/1000) + delivering
	need := func(name string, needs float64) {
		p.Uses = append(p.Uses, Use{in.Quota(name), needs})
	}
	segments := min(shards, rate*commits)
	need("partition_units", logUnits/p.Partitions)
	need("table_units", logUnits)
	need("new_table_units", logUnits)
	need("connection_units", rate*in.Assume("connection_reads")/in.Assume("busy_connections"))
	need("feed_units", segments*math.Ceil(rate*commits*in.Assume("feed_bytes")/segments/1024))
	need("feed_segments", segments)
	need("api_requests", rate*(1+in.Assume("reports")))
	need("concurrency", p.Functions)
	need("deliver_conversations", working+planning)
	need("bus_puts", rate*(1+in.Assume("bus_events"))/min(10, max(1, rate*commits/shards/in.Assume("poll_hz"))))
	need("bus_targets", rate*(1+in.Assume("bus_events")))
	need("fifo_requests", rate*(1+in.Assume("reports"))/min(10, max(1, rate*commits/shards/in.Assume("poll_hz"))))
	// An instance lives for an hour or two, and a flood starts all of them
	// within ten seconds.
	need("parameter_reads", p.Functions/10)
	slices.SortStableFunc(p.Uses, func(a, b Use) int { return cmp.Compare(b.Share(), a.Share()) })
	return p
}
