package template_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"handoff/infra/telemetry"
	"handoff/tests/costs/bill"
)

func TestEveryAlarmTellsSomebody(t *testing.T) {
	t.Parallel()
	for _, a := range load(t).of("AWS::CloudWatch::Alarm") {
		if got := fmt.Sprint(a.Properties["AlarmActions"]); !strings.Contains(got, "AlarmTopic") || !strings.Contains(got, "Alarms") {
			t.Errorf("%s tells %s", a.Name, got)
		}
		if d := at[string](a.Properties, "AlarmDescription"); !strings.HasSuffix(d, ".") {
			t.Errorf("%s says %q to whoever is woken", a.Name, d)
		}
	}
}

// watched returns what a metric is watched of, such as the names of queues.
func (d document) watched(metric string) (all []string) {
	for _, a := range d.of("AWS::CloudWatch::Alarm") {
		if a.Properties["MetricName"] == metric {
			all = append(all, strings.TrimSuffix(word(at[any](list(a.Properties["Dimensions"])[0], "Value")), ".QueueName"))
		}
	}
	return all
}

func TestWhatFailsIsNoticed(t *testing.T) {
	t.Parallel()
	d := load(t)
	var failed []string
	for _, q := range d.of("AWS::SQS::Queue") {
		if terminal(q.Name) {
			failed = append(failed, q.Name)
		}
	}
	equal(t, "queues that alarms watch", d.watched("ApproximateNumberOfMessagesVisible"), failed)
	equal(t, "readers whose lag is watched", d.watched("IteratorAge"), []string{"Publisher", "Indexer"})
	for _, metric := range []string{"Throttles", "WriteThrottleEvents", "5xx", "NotAnInsert", "Parked", "DeliveriesParked"} {
		if len(d.watched(metric)) == 0 {
			t.Errorf("nobody watches %s", metric)
		}
	}
}

func TestLogsEnd(t *testing.T) {
	t.Parallel()
	d := load(t)
	for _, l := range d.of("AWS::Logs::LogGroup") {
		if word(l.Properties["RetentionInDays"]) != "LogRetentionDays" {
			t.Errorf("%s keeps its lines for %v", l.Name, l.Properties["RetentionInDays"])
		}
	}
	if got := word(at[any](d.object, "Globals", "Function", "LoggingConfig", "LogGroup")); got != "Logs" {
		t.Errorf("functions log to %s", got)
	}
}

// What others read of a stack: people, and `handoff --stack`.
func TestOutputs(t *testing.T) {
	t.Parallel()
	outputs := at[object](load(t).object, "Outputs")
	for _, name := range []string{
		"ApiUrl", "MessagesUrl", "BootstrapCommand", "ConnectCommand", "DashboardUrl", "LogTable", "IndexTable", "KeysTable", "WorkTable",
		"BlobsBucket", "SecretsPath", "KmsKey", "Bus", "DeliveriesQueue", "TimersQueue", "PoisonQueue", "RoutedQueue", "RelayQueue", "RelayTimersQueue",
	} {
		if outputs[name] == nil {
			t.Errorf("there is no output %s", name)
		}
	}
}

// The functions' own metrics are watched under the names that they have.
func TestOwnMetrics(t *testing.T) {
	t.Parallel()
	var known []string
	for _, m := range telemetry.Metrics() {
		known = append(known, m.Name)
	}
	d := load(t)
	for _, a := range d.of("AWS::CloudWatch::Alarm") {
		if a.Properties["Namespace"] != telemetry.Namespace {
			continue
		}
		var dimensions []string
		for _, one := range list(a.Properties["Dimensions"]) {
			dimensions = append(dimensions, at[string](one, "Name")+"="+word(at[any](one, "Value")))
		}
		function := strings.TrimPrefix(dimensions[0], "Function=")
		if !slices.Contains(known, at[string](a.Properties, "MetricName")) || !slices.Contains(slices.Collect(maps.Values(d.folders())), function) || dimensions[1] != "Stack=AWS::StackName" {
			t.Errorf("%s watches %v of %v, which nothing writes", a.Name, a.Properties["MetricName"], dimensions)
		}
	}
}

// What is counted in bills is what there is.
func TestBillsCountTheTemplate(t *testing.T) {
	t.Parallel()
	in, err := bill.Default()
	if err != nil {
		t.Fatal(err)
	}
	d := load(t)
	polled := 0
	for name, folder := range d.folders() {
		for q := range strings.FieldsSeq(d.queuesOf(folder)) {
			if !at[bool](d.resources[strings.TrimSuffix(q, ".Arn")].Properties, "FifoQueue") {
				polled++
			}
		}
		memory := at[int](d.resources[name].Properties, "MemorySize")
		if http := slices.Contains([]string{"webhook", "api", "auditreplay"}, folder); http != (float64(memory) == in.Assume("http_mb")) {
			t.Errorf("%s has %d MB", name, memory)
		}
	}
	for name, want := range map[string]int{
		"alarms": len(d.of("AWS::CloudWatch::Alarm")), "polled_queues": polled,
		"function_mb":           at[int](d.object, "Globals", "Function", "MemorySize"),
		"deliver_conversations": 10 * at[int](d.object, "Parameters", "DeliverConcurrency", "Default"),
	} {
		counted := in.Assume
		if name == "deliver_conversations" {
			counted = func(name string) float64 { return in.Quota(name).Value }
		}
		if got := counted(name); got != float64(want) {
			t.Errorf("bills count %s as %g, the template has %d", name, got, want)
		}
	}
}
