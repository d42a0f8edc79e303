package delivery_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	eh "github.com/looplab/eventhorizon"
	"pgregory.net/rapid"

	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/events"
)

var (
	at      = time.Date(2026, 11, 22, 9, 10, 12, 0, time.UTC)
	subject = events.DeliverySubject{Event: "esc_1@2", EventType: "handoff.escalation.routed.v1", Version: 2, Connection: "store-bot", Endpoint: "desk"}
)

func outcome(code string, status int) delivery.Outcome {
	return delivery.Outcome{Code: code, Status: status, StartedAt: at, Duration: 40 * time.Millisecond}
}

func tried(n int, code string, status int) events.Fact {
	return &events.DeliveryAttempted{Subject: subject, Attempt: n, StartedAt: at, DurationMS: 40, Status: status, Code: code}
}

func failed(n int) []events.Fact {
	var facts []events.Fact
	for i := range n {
		facts = append(facts, tried(i+1, "status-500", 500))
	}
	return facts
}

func attempt(n int, o delivery.Outcome) delivery.Attempt {
	return delivery.Attempt{Number: n, Subject: subject, Outcome: o}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	delivered := []events.Fact{tried(1, "delivered", 200), &events.Delivered{Attempt: 1}}
	parked := []events.Fact{tried(1, "endpoint-gone", 410), &events.DeliveryParked{Attempt: 1, Code: "endpoint-gone"}}
	last := attempt(2, outcome("timeout", 0))
	last.Last = true
	for sentence, c := range map[string]struct {
		given []events.Fact
		when  eh.Command
		then  []events.Fact
		fault string
	}{
		"a confirmed attempt delivers":                   {nil, attempt(1, outcome("delivered", 200)), delivered, ""},
		"a failed attempt stays pending":                 {nil, attempt(1, outcome("status-500", 500)), failed(1), ""},
		"the next attempt is numbered on":                {failed(2), attempt(3, outcome("timeout", 0)), []events.Fact{tried(3, "timeout", 0)}, ""},
		"410 parks at once":                              {nil, attempt(1, outcome("endpoint-gone", 410)), parked, ""},
		"the last attempt of the schedule parks":         {failed(11), attempt(12, outcome("status-500", 500)), []events.Fact{tried(12, "status-500", 500), &events.DeliveryParked{Attempt: 12, Code: "retries-exhausted"}}, ""},
		"an attempt said to be the last parks":           {failed(1), last, []events.Fact{tried(2, "timeout", 0), &events.DeliveryParked{Attempt: 2, Code: "retries-exhausted"}}, ""},
		"the same failed attempt is one fact":            {failed(2), attempt(2, outcome("status-500", 500)), nil, ""},
		"a confirmation counts beside a failure":         {failed(1), attempt(1, outcome("delivered", 200)), []events.Fact{tried(2, "delivered", 200), &events.Delivered{Attempt: 2}}, ""},
		"nothing follows a delivery":                     {delivered, attempt(2, outcome("delivered", 200)), nil, ""},
		"nothing follows a parking":                      {parked, attempt(2, outcome("delivered", 200)), nil, ""},
		"parking what was never tried names its subject": {nil, delivery.Park{Subject: subject, Code: "endpoint-disabled", Now: outcome("", 0)}, []events.Fact{tried(1, "endpoint-disabled", 0), &events.DeliveryParked{Attempt: 1, Code: "endpoint-disabled"}}, ""},
		"parking what was tried":                         {failed(3), delivery.Park{Subject: subject, Code: "endpoint-disabled", Now: outcome("", 0)}, []events.Fact{&events.DeliveryParked{Attempt: 3, Code: "endpoint-disabled"}}, ""},
		"parking twice is one fact":                      {parked, delivery.Park{Subject: subject, Code: "endpoint-disabled"}, nil, ""},
		"a parked delivery is sent again":                {parked, delivery.Resend{}, []events.Fact{&events.DeliveryResent{Round: 2}}, ""},
		"a confirmed delivery is sent again":             {delivered, delivery.Resend{}, []events.Fact{&events.DeliveryResent{Round: 2}}, ""},
		"a pending delivery is not sent again":           {failed(1), delivery.Resend{}, nil, ""},
		"a delivery that does not exist":                 {nil, delivery.Resend{}, nil, "delivery-not-found"},
		"a new round has all attempts again":             {append(failed(11), &events.DeliveryParked{Attempt: 11}, &events.DeliveryResent{Round: 2}), attempt(12, outcome("status-500", 500)), []events.Fact{tried(12, "status-500", 500)}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := delivery.Decider.Decide(delivery.Decider.Fold(delivery.State{}, c.given...), c.when)
			if c.fault != "" || err != nil {
				if !fault.Is(err, c.fault) {
					t.Errorf("err = %v, want %s", err, c.fault)
				}
				return
			}
			if !reflect.DeepEqual(got, c.then) {
				t.Errorf("facts = %s, want %s", show(got), show(c.then))
			}
		})
	}
}

func show(facts []events.Fact) (all []string) {
	for _, f := range facts {
		all = append(all, f.FactType())
	}
	return all
}

// TestAnyHistory: whatever is commanded, a second time says nothing new, the
// attempts are numbered without a gap, and an ended delivery needs a resend.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, attempts, ended := delivery.State{}, 0, false
		for _, cmd := range rapid.SliceOfN(commands(), 1, 60).Draw(t, "commands") {
			if a, ok := cmd.(delivery.Attempt); ok {
				a.Number = s.Attempts + 1 - a.Number // now and then one that was recorded already
				cmd = a
			}
			facts, err := delivery.Decider.Decide(s, cmd)
			if err != nil && (s.Version != 0 || !fault.Is(err, "delivery-not-found")) {
				t.Fatalf("%T: %v", cmd, err)
			}
			for _, f := range facts {
				a, isAttempt := f.(*events.DeliveryAttempted)
				_, resent := f.(*events.DeliveryResent)
				if ended == !resent {
					t.Fatalf("%s while ended is %t", f.FactType(), ended)
				}
				if isAttempt {
					if attempts++; a.Attempt != attempts {
						t.Fatalf("attempt %d follows %d", a.Attempt, attempts-1)
					}
				}
				s = delivery.Decider.Evolve(s, f)
				ended = s.Status == delivery.Delivered || s.Status == delivery.Parked
			}
			if again, _ := delivery.Decider.Decide(s, cmd); len(facts) > 0 && len(again) > 0 {
				t.Fatalf("%T decided twice: %v", cmd, show(again))
			}
			if s.InRound > delivery.MaxAttempts() {
				t.Fatalf("%d attempts in a round", s.InRound)
			}
		}
	})
}

func commands() *rapid.Generator[eh.Command] {
	return rapid.Custom(func(t *rapid.T) eh.Command {
		switch rapid.IntRange(0, 7).Draw(t, "kind") {
		case 0:
			return delivery.Resend{}
		case 1:
			return delivery.Park{Subject: subject, Code: "endpoint-disabled", Now: outcome("", 0)}
		case 2:
			return attempt(rapid.IntRange(0, 1).Draw(t, "stale"), outcome("delivered", 204))
		default:
			return attempt(rapid.IntRange(0, 1).Draw(t, "stale"), outcome(rapid.SampledFrom([]string{"status-500", "timeout", "endpoint-gone"}).Draw(t, "code"), 0))
		}
	})
}

func TestWait(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		n          int
		jitter     float64
		retryAfter time.Duration
		want       time.Duration
	}{
		"the first wait is short":             {1, 0, 0, 5 * time.Second},
		"jitter only lengthens":               {1, 1, 0, 6 * time.Second},
		"jitter out of range is cut":          {1, 7, 0, 6 * time.Second},
		"the last wait is a day":              {11, 0, 0, 24 * time.Hour},
		"beyond the schedule the last counts": {99, 0, 0, 24 * time.Hour},
		"an endpoint may ask for more":        {1, 0, time.Minute, time.Minute},
		"an endpoint may not ask for less":    {5, 0, time.Second, 30 * time.Minute},
		"an endpoint may not ask without end": {1, 0, 1000 * time.Hour, 24 * time.Hour},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := delivery.Wait(c.n, c.jitter, c.retryAfter); got != c.want {
				t.Errorf("Wait = %s, want %s", got, c.want)
			}
		})
	}
}

func TestScheduleSpansThreeDays(t *testing.T) {
	t.Parallel()
	var least, most time.Duration
	for n := range delivery.MaxAttempts() - 1 {
		least += delivery.Wait(n+1, 0, 0)
		most += delivery.Wait(n+1, 1, 0)
	}
	if least < 72*time.Hour || most > delivery.MaxAge {
		t.Errorf("a round takes %s to %s, want 72h to %s", least, most, delivery.MaxAge)
	}
}

func TestJitterIsSpread(t *testing.T) {
	t.Parallel()
	id, low := uuid.MustParse("1f8b0800-0000-8000-8000-00000000002a"), 0
	for i := range 1000 {
		id[15] = byte(i)
		j := delivery.Jitter(id, i)
		if j < 0 || j >= 1 || j != delivery.Jitter(id, i) {
			t.Fatalf("Jitter = %v", j)
		}
		if j < 0.5 {
			low++
		}
	}
	if low < 400 || low > 600 {
		t.Errorf("%d of 1000 are in the lower half", low)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("1f8b0800-0000-8000-8000-00000000002a")
	name := delivery.NameOf(id)
	if got, err := delivery.ParseName(name); err != nil || got != id || name != "dlv_0zhc400000g00800000000001a" {
		t.Errorf("ParseName(%s) = %v, %v", name, got, err)
	}
	for _, bad := range []string{"", "esc_0zhc400000g00800000000001a", name + "-2", "dlv_"} {
		if _, err := delivery.ParseName(bad); !fault.Is(err, "delivery-not-found") {
			t.Errorf("ParseName(%q) = %v", bad, err)
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("dlv_0zhc400000g00800000000001a")
	f.Add("DLV_")
	f.Fuzz(func(t *testing.T, name string) {
		if id, err := delivery.ParseName(name); err == nil {
			if again, err := delivery.ParseName(delivery.NameOf(id)); err != nil || again != id {
				t.Errorf("ParseName(NameOf) = %v, %v", again, err)
			}
		}
	})
}
