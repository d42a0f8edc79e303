package capacity

import (
	"math"
	"math/rand/v2"
	"slices"

	"handoff/tests/costs/bill"
)

// Wait is how long work stands in front of a stage, in milliseconds.
type Wait struct {
	Stage    string
	P50, P99 float64
	Behind   float64 // how much more comes in a second than goes out; 0 if it keeps up
}

// The simulation goes on in steps of a tenth of a second for a minute.
const (
	step  = 0.1
	steps = 600
)

// stage is a queue in front of something that does so much a second. Where it
// has several lanes, work is spread over them by the hash of its key: evenly on
// average, and by chance at each step.
type stage struct {
	name  string
	lanes int
	rate  float64 // of one lane, in what it is counted in
	units float64 // that one commit takes of it

	backlog []float64
	waits   []float64
	came    float64
	went    float64
}

// take lets commits come in and returns how many went through in this step.
func (s *stage) take(r *rand.Rand, commits float64) (through float64) {
	if s.backlog == nil {
		s.backlog = make([]float64, s.lanes)
	}
	worst := 0.0
	for i := range s.backlog {
		came := poisson(r, commits/float64(s.lanes)) * s.units
		s.backlog[i] += came
		s.came += came
		went := min(s.backlog[i], s.rate*step)
		s.backlog[i] -= went
		s.went += went
		through += went / s.units
		worst = max(worst, s.backlog[i]/s.rate*1000)
	}
	s.waits = append(s.waits, worst)
	return through
}

func (s *stage) wait() Wait {
	slices.Sort(s.waits)
	w := Wait{Stage: s.name, P50: s.waits[len(s.waits)/2], P99: s.waits[len(s.waits)*99/100]}
	if behind := (s.came - s.went) / (step * steps); behind/s.units > s.came/s.units/(step*steps)*0.02 {
		w.Behind = behind / s.units
	}
	return w
}

// Simulate sends a rate of escalations down the path, with as many partitions
// as the plan has and with the quotas of bill.Inputs, and tells how long commits
// wait in front of the worst lane of each stage.
func Simulate(in bill.Inputs, p Plan, seed uint64) []Wait {
	r := rand.New(rand.NewPCG(seed, 0))
	commits := commits(in)
	shards := int(p.Partitions)
	batch := 100 / (in.Assume("batch_ms") / 1000)
	log := &stage{name: "log: write units of a partition", lanes: shards, rate: in.Quota("partition_units").Value, units: p.LogUnits / p.Rate / commits}
	table := &stage{name: "log: write units of the table", lanes: 1, rate: in.Quota("table_units").Value, units: log.units}
	publisher := &stage{name: "publisher: batches of a shard", lanes: shards, rate: batch, units: 1}
	feed := &stage{name: "indexer: the one feed", lanes: 1, rate: in.Quota("feed_units").Value * 1024 / in.Assume("feed_bytes"), units: 1}
	busy := (in.Assume("endpoint_ms") + in.Assume("deliver_ms")) / 1000 / 2 // every other commit is a delivery
	deliver := &stage{name: "deliver: conversations at once", lanes: 1, rate: in.Quota("deliver_conversations").Value, units: busy}
	for range steps {
		stored := log.take(r, table.take(r, p.Rate*commits*step))
		published := publisher.take(r, stored)
		feed.take(r, stored)
		deliver.take(r, published)
	}
	var all []Wait
	for _, s := range []*stage{table, log, publisher, feed, deliver} {
		all = append(all, s.wait())
	}
	return all
}

// poisson draws how many of so many expected come. Many are drawn from the
// normal distribution, which they are close to.
func poisson(r *rand.Rand, mean float64) float64 {
	if mean > 30 {
		return max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	n, limit := 0.0, math.Exp(-mean)
	for p := r.Float64(); p > limit; p *= r.Float64() {
		n++
	}
	return n
}
