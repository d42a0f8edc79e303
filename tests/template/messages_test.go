package template_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"handoff/functions/publisher"
)

// terminal are queues that hold what failed, for people to look at.
func terminal(name string) bool { return strings.HasSuffix(name, "Failed") || name == "Poison" }

func TestQueuesAreEncryptedAndHaveAWayOut(t *testing.T) {
	t.Parallel()
	d := load(t)
	guarded := map[string]bool{}
	for _, p := range d.of("AWS::SQS::QueuePolicy") {
		for _, q := range words(p.Properties["Queues"]) {
			if guarded[q] {
				t.Errorf("%s has two policies, of which one is lost", q)
			}
			guarded[q] = refusesPlainHTTP(p)
		}
	}
	for _, q := range d.of("AWS::SQS::Queue") {
		if !at[bool](q.Properties, "SqsManagedSseEnabled") {
			t.Errorf("%s is not encrypted", q.Name)
		}
		if !guarded[q.Name] {
			t.Errorf("%s may be reached without TLS", q.Name)
		}
		target := strings.TrimSuffix(word(at[any](q.Properties, "RedrivePolicy", "deadLetterTargetArn")), ".Arn")
		if terminal(q.Name) != (target == "") || target != "" && !terminal(target) {
			t.Errorf("%s: what fails goes to %q", q.Name, target)
		}
		if fifo := at[bool](q.Properties, "FifoQueue"); target != "" && fifo != at[bool](d.resources[target].Properties, "FifoQueue") {
			t.Errorf("%s and %s are of two kinds", q.Name, target)
		}
	}
}

// A message must not appear again while a function still works on it; AWS asks
// for six times the function's time (Lambda Developer Guide, "Using Lambda with
// Amazon SQS").
func TestMessagesStayHiddenLongEnough(t *testing.T) {
	t.Parallel()
	d := load(t)
	byDefault := at[int](d.object, "Globals", "Function", "Timeout")
	for name := range d.folders() {
		timeout := at[int](d.resources[name].Properties, "Timeout")
		if timeout == 0 {
			timeout = byDefault
		}
		each(d.resources[name].Properties["Events"], func(o object) {
			if o["Queue"] == nil {
				return
			}
			q := d.resources[strings.TrimSuffix(word(o["Queue"]), ".Arn")]
			if got := at[int](q.Properties, "VisibilityTimeout"); got < 6*timeout {
				t.Errorf("%s hides a message %d s, %s may take %d s", q.Name, got, name, timeout)
			}
			if word(o["FunctionResponseTypes"]) != "ReportBatchItemFailures" {
				t.Errorf("%s repeats a whole batch of %s for one message", name, q.Name)
			}
		})
	}
}

func TestRulesAreThePublishers(t *testing.T) {
	t.Parallel()
	d := load(t)
	want := publisher.Rules()
	for _, r := range d.of("AWS::Events::Rule") {
		function := strings.ToLower(strings.TrimSuffix(r.Name, "Rule"))
		typ := word(at[any](r.Properties, "EventPattern", "detail-type"))
		if word(at[any](r.Properties, "EventPattern", "source")) != "handoff" || word(r.Properties["EventBusName"]) != "Bus" {
			t.Errorf("%s listens elsewhere", r.Name)
		}
		switch {
		case function == "routed":
			if typ != "handoff.escalation.routed.v1" {
				t.Errorf("%s selects %s", r.Name, typ)
			}
		case want[function] != typ:
			t.Errorf("%s selects %s, want %s", r.Name, typ, want[function])
		}
		delete(want, function)
		for _, target := range at[[]any](r.Properties, "Targets") {
			queue, failed := strings.TrimSuffix(word(at[any](target, "Arn")), ".Arn"), word(at[any](target, "DeadLetterConfig", "Arn"))
			if q := d.resources[queue]; q.Type != "AWS::SQS::Queue" || failed != word(at[any](q.Properties, "RedrivePolicy", "deadLetterTargetArn")) {
				t.Errorf("%s goes to %s, and what fails to %s", r.Name, queue, failed)
			}
			if queue != "Routed" && !strings.Contains(d.queuesOf(function), queue+".Arn") {
				t.Errorf("%s fills %s, which %s does not read", r.Name, queue, function)
			}
		}
	}
	for function := range want {
		t.Errorf("no rule tells %s", function)
	}
}

func (d document) queuesOf(folder string) string {
	var all []string
	for name, f := range d.folders() {
		if f == folder {
			each(d.resources[name].Properties["Events"], func(o object) {
				if q, ok := o["Queue"]; ok {
					all = append(all, word(q))
				}
			})
		}
	}
	return strings.Join(all, " ")
}

// A third reader of a shard is throttled. What a reader gives up is kept.
func TestTheStreamHasTwoReaders(t *testing.T) {
	t.Parallel()
	d := load(t)
	readers := map[string]object{}
	for name := range d.folders() {
		each(d.resources[name].Properties["Events"], func(o object) {
			if word(o["Stream"]) == "Log.StreamArn" {
				readers[name] = o
			}
		})
	}
	equal(t, "readers", slices.Collect(maps.Keys(readers)), []string{"Publisher", "Indexer"})
	for name, r := range readers {
		if word(r["FunctionResponseTypes"]) != "ReportBatchItemFailures" || r["StartingPosition"] != "TRIM_HORIZON" || !at[bool](r, "BisectBatchOnFunctionError") {
			t.Errorf("%s reads as %v", name, r)
		}
		if r["MaximumRetryAttempts"] != nil {
			t.Errorf("%s gives up after a number of attempts, not of hours", name)
		}
		failed := word(at[any](r, "DestinationConfig", "OnFailure", "Destination"))
		if failed != name+"Failed.Arn" || at[int](r, "MaximumRecordAgeInSeconds") >= 24*60*60 {
			t.Errorf("%s gives up after %v s and tells %s", name, r["MaximumRecordAgeInSeconds"], failed)
		}
	}
	if readers["Indexer"]["ParallelizationFactor"] != nil {
		t.Error("several indexers work on one shard")
	}
}

// An expression that is not valid passes every check but AWS's. "rate(1
// minutes)" and "rate(5 minute)" are not (EventBridge Scheduler User Guide,
// "Schedule types").
var rate = regexp.MustCompile(`^rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)$`)

func TestSchedules(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		"rate(1 minute)": true, "rate(10 minutes)": true, "rate(2 hours)": true,
		"rate(1 minutes)": false, "rate(5 minute)": false, "rate(0 minutes)": false, "every minute": false,
	} {
		if rate.MatchString(expression) != want {
			t.Errorf("%s is valid: %t", expression, !want)
		}
	}
	d := load(t)
	started := map[string]string{}
	for _, s := range d.of("AWS::Scheduler::Schedule") {
		expression := at[string](s.Properties, "ScheduleExpression")
		if !rate.MatchString(expression) {
			t.Errorf("%s: %q is no schedule", s.Name, expression)
		}
		target := word(at[any](s.Properties, "Target", "Arn"))
		started[strings.TrimSuffix(target, ".Arn")] = expression
		if word(at[any](s.Properties, "Target", "DeadLetterConfig", "Arn")) != "SchedulesFailed.Arn" {
			t.Errorf("%s loses its ticks", s.Name)
		}
		if !slices.Contains(d.scheduled(), target) {
			t.Errorf("%s may not start %s", s.Name, target)
		}
	}
	want := map[string]string{
		"Deliver": "rate(1 minute)", "Deadline": "rate(1 minute)", "Unconfirmed": "rate(5 minutes)", "HubWatch": "rate(1 minute)", "PublishCheck": "rate(1 minute)",
	}
	if !maps.Equal(started, want) {
		t.Errorf("schedules = %v, want %v", started, want)
	}
}

// scheduled returns what the schedules' role may start.
func (d document) scheduled() (all []string) {
	for _, s := range statements(d.resources["SchedulerRole"].Properties) {
		if slices.Contains(s.actions, "lambda:InvokeFunction") {
			all = append(all, s.resources...)
		}
	}
	return all
}

// Facts on the bus are for functions. Other accounts get a rule only if it says
// that it wants nothing but routed escalations.
func TestConsumersSeeRoutedEscalationsOnly(t *testing.T) {
	t.Parallel()
	rules := 0
	each(load(t).resources["Bus"].Properties["Policy"], func(o object) {
		if !slices.Contains(words(o["Action"]), "events:PutRule") {
			return
		}
		rules++
		c := at[object](o, "Condition")
		if word(o["Action"]) != "events:PutRule" || word(at[any](c, "ForAllValues:StringEquals", "events:detail-type")) != "handoff.escalation.routed.v1" ||
			word(at[any](c, "ForAllValues:StringEquals", "events:source")) != "handoff" || word(at[any](c, "Null", "events:detail-type")) != "false" || word(at[any](c, "Null", "events:source")) != "false" {
			t.Errorf("consumers may have rules on %v", o)
		}
	})
	if rules != 1 {
		t.Errorf("%d statements let consumers have rules, want 1", rules)
	}
}
