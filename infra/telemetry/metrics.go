package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Namespace is that of all metrics.
const Namespace = "Handoff"

// Units of metrics, as CloudWatch names them.
const (
	unitCount        = "Count"
	unitMilliseconds = "Milliseconds"
)

// Metrics that belong to no handler.
const (
	MetricInvocationsFailed = "InvocationsFailed"
	MetricSpansDropped      = "SpansDropped"
)

// Metric is a row of the table of metrics.
type Metric struct {
	Name string
	Unit string
	Doc  string // what it means, and what to do about it
}

// Metrics returns every metric. Each has the dimensions Stack and Function.
func Metrics() []Metric {
	return []Metric{
		{"NotAnInsert", unitCount, "Items of the event log that were replaced or removed. There are none: somebody with rights to the table tampered with it. Run handoff verify."},
		{"Parked", unitCount, "Commits that were not published because they, or an earlier one of their stream, do not follow from what was before. Look into the queue of poison."},
		{"Published", unitCount, "Facts that came to the publisher and may be told."},
		{"PublishLagMillis", unitMilliseconds, "Time from a fact to its publishing, of the oldest in a batch."},
		{"EscalationsRaised", unitCount, "Escalations that bots raised."},
		{"EscalationsRouted", unitCount, "Routes of escalations. One that is moved on is routed again."},
		{"DeliveriesParked", unitCount, "Deliveries that were given up after their last try. See handoff deliveries --status parked."},
		{MetricInvocationsFailed, unitCount, "Invocations that ended with an error or brought part of a batch back."},
		{MetricSpansDropped, unitCount, "Spans that no collector took. Nothing else is lost with them."},
	}
}

// Meter writes metrics in the embedded metric format of CloudWatch (CloudWatch
// user guide, "Specification: Embedded metric format"). It is safe for
// concurrent use; one that is nil measures nothing.
type Meter struct {
	w               io.Writer
	stack, function string
	now             func() time.Time

	mu     sync.Mutex
	values map[string][]float64
}

// NewMeter returns a meter that writes lines to w.
func NewMeter(w io.Writer, stack, function string, now func() time.Time) *Meter {
	return &Meter{w: w, stack: stack, function: function, now: now, values: make(map[string][]float64)}
}

// Add adds to a metric: to its sum if it is a count, and a value of its own if
// it is not. What is not in the table is logged and left out.
func (m *Meter) Add(ctx context.Context, metric string, value float64) {
	if m == nil {
		return
	}
	unit := unitOf(metric)
	if unit == "" {
		slog.WarnContext(ctx, "metric is not in the table", "metric", metric)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.values[metric]; unit == unitCount && len(v) > 0 {
		v[0] += value
	} else if len(v) < maxValues {
		m.values[metric] = append(v, value)
	}
}

// maxValues is how many values one line may have of a metric.
const maxValues = 100

func unitOf(metric string) string {
	all := Metrics()
	if i := slices.IndexFunc(all, func(m Metric) bool { return m.Name == metric }); i >= 0 {
		return all[i].Unit
	}
	return ""
}

// Flush writes what was added since the last time, as one line.
func (m *Meter) Flush() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.values) == 0 {
		return
	}
	type definition struct{ Name, Unit string }
	var names []definition
	line := map[string]any{"Stack": m.stack, "Function": m.function}
	for _, row := range Metrics() {
		if v := m.values[row.Name]; len(v) > 0 {
			names = append(names, definition{row.Name, row.Unit})
			line[row.Name] = v
		}
	}
	line["_aws"] = map[string]any{
		"Timestamp":         m.now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{"Namespace": Namespace, "Dimensions": [][]string{{"Stack", "Function"}}, "Metrics": names}},
	}
	if b, err := json.Marshal(line); err == nil {
		_, _ = m.w.Write(append(b, '\n')) // whoever can't write a metric can't tell it either
	}
	clear(m.values)
}
