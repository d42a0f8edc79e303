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

// commits is how many commits an escalation's life has: its beginning, the
// reports, and a delivery of each.
func commits(in bill.Inputs) float64 { return 2 * (1 + in.Assume("reports")) }

// headroom is the share of a partition that is planned with: load is spread by
// chance, not evenly.
const headroom = 0.7

// For makes the plan for a rate.
func For(in bill.Inputs, rate float64) Plan {
	commits := commits(in)
	logUnits := rate * (in.Assume("raise_units") + (1+in.Assume("reports"))*in.Assume("delivery_units") + in.Assume("reports")*in.Assume("report_units"))
	p := Plan{Rate: rate, LogUnits: logUnits, Partitions: math.Ceil(logUnits / headroom / in.Quota("partition_units").Value)}
	p.Month = bill.Sum(in.Month(rate * bill.Seconds))
	working := rate * (1 + in.Assume("reports")) * (in.Assume("endpoint_ms") + in.Assume("deliver_ms")) / 1000
	shards := p.Partitions
	p.Functions = rate*(in.Assume("webhook_ms")+in.Assume("reports")*in.Assume("api_ms")+in.Assume("bus_ms")/10)/1000 +
		2*shards*min(1, rate*commits/shards/100*in.Assume("batch_ms")/1000) + working/10
	need := func(name string, needs float64) {
		p.Uses = append(p.Uses, Use{in.Quota(name), needs})
	}
	busEvents := 1 + (1+in.Assume("reports"))*in.Assume("bus_events")
	segments := min(shards, rate*commits)
	need("partition_units", logUnits/p.Partitions)
	need("table_units", logUnits)
	need("new_table_units", logUnits)
	need("connection_units", rate*in.Assume("connection_reads")/in.Assume("busy_connections"))
	need("feed_units", segments*math.Ceil(rate*commits*in.Assume("feed_bytes")/segments/1024))
	need("feed_segments", segments)
	need("api_requests", rate*(1+in.Assume("reports")))
	need("concurrency", p.Functions)
	need("deliver_conversations", working)
	need("bus_puts", rate*busEvents/min(10, max(1, rate*commits/shards/in.Assume("poll_hz"))))
	need("bus_targets", rate*busEvents)
	need("fifo_requests", rate*(1+in.Assume("reports"))/min(10, max(1, rate*commits/shards/in.Assume("poll_hz"))))
	// An instance lives for an hour or two, and a flood starts all of them
	// within ten seconds.
	need("parameter_reads", p.Functions/10)
	slices.SortStableFunc(p.Uses, func(a, b Use) int { return cmp.Compare(b.Share(), a.Share()) })
	return p
}
