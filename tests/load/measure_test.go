package load_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/domain/conversation"
	"handoff/domain/identity"
	"handoff/functions/auditreplay"
	"handoff/functions/handoff/system"
	"handoff/infra/embedded"
	sw "handoff/infra/standardwebhooks"
	"handoff/tests/harness"
	"handoff/tests/load"
)

// settle is how long may pass until what is under way has arrived.
const settle = time.Minute

// rounds are how many times servers that are compared take turns.
const rounds = 3

// intake is what three servers carry of the same requests.
type intake struct {
	handoff, floor, raw load.Result
	cpu                 time.Duration // of the program for each hand-off
	share               load.Share
}

// measureIntake has clients ask each server in turn, so that all of them meet
// the same disk and neighbours.
func measureIntake(t testing.TB, p programs, s *stand, size scale) (m intake) {
	t.Helper()
	answer, log := harness.NewSite(t, p.floor, "answer"), harness.NewSite(t, p.floor, "append")
	a, l := answer.Start(t), log.Start(t)
	secret := sw.Generate().Reveal()
	ours := s.caller(t, quiet)
	stop, before := load.Watch(s.process.PID(), a.PID(), l.PID()), load.CPU(s.process.PID())
	for range rounds {
		for into, c := range map[*load.Result]*caller{
			&m.handoff: ours, &m.floor: newCaller(t, answer.URL, secret), &m.raw: newCaller(t, log.URL, secret),
		} {
			into.Add(checked(t, s.load.Closed(t.Context(), clients, size.span/rounds, c.send)))
		}
	}
	m.share = stop()
	m.cpu = (load.CPU(s.process.PID()) - before) / time.Duration(max(1, len(m.handoff.Latencies)))
	return m
}

// steady is latency at a rate that the program can carry.
type steady struct {
	load.Result
	share      load.Share
	mean, most int64 // bytes in memory
}

func measureSteady(t testing.TB, s *stand, connection string, perSecond int, size scale) (m steady) {
	t.Helper()
	c := s.caller(t, connection)
	var samples, sum int64
	watched, sampled := load.Watch(s.process.PID()), load.Sample(100*time.Millisecond, func() {
		now, most := load.Memory(s.process.PID())
		samples, sum, m.most = samples+1, sum+now, most
	})
	m.Result = checked(t, s.load.Open(t.Context(), perSecond, size.span, c.send))
	sampled()
	m.share, m.mean = watched(), sum/samples
	return m
}

// arrival is how long after its answer an escalation is at the endpoint.
type arrival struct {
	load.Result
	share load.Share
}

func measureArrival(t testing.TB, s *stand, perSecond int, size scale) (m arrival) {
	t.Helper()
	c := s.caller(t, loud)
	type answered struct {
		id string
		at time.Time
	}
	answers := make(chan answered, perSecond*int(size.span/time.Second+1))
	c.answered = func(body []byte) {
		var a conversation.Answer
		if err := json.Unmarshal(body, &a); err != nil {
			t.Error(err)
		}
		answers <- answered{id: a.EscalationID, at: time.Now()}
	}
	watched := load.Watch(s.process.PID())
	checked(t, s.load.Open(t.Context(), perSecond, size.span, c.send))
	m.share = watched()
	close(answers)
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	for a := range answers {
		var at time.Time
		err := harness.Poll(ctx, func() (ok bool, _ error) {
			at, ok = s.receiver.arrival(a.id)
			return ok, nil
		})
		if err != nil {
			t.Errorf("escalation %s did not arrive: %v", a.id, err)
			break
		}
		m.Latencies = append(m.Latencies, max(0, at.Sub(a.at)))
	}
	return m
}

// measureDeliveries has deliveries pile up at a receiver that does not answer,
// then has it answer at once.
func measureDeliveries(t testing.TB, s *stand, size scale) (perSecond float64, share load.Share) {
	t.Helper()
	c := s.caller(t, loud)
	release := s.receiver.stall()
	before := s.receiver.count()
	want := before
	for want < before+size.backlog {
		r := checked(t, s.load.Closed(t.Context(), clients, time.Second/10, c.send))
		want += len(r.Latencies)
	}
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	watched, began := load.Watch(s.process.PID()), time.Now()
	release()
	if err := harness.Poll(ctx, func() (bool, error) { return s.receiver.count() >= want, nil }); err != nil {
		t.Errorf("%d of %d arrived: %v", s.receiver.count()-before, want-before, err)
	}
	return float64(s.receiver.count()-before) / time.Since(began).Seconds(), watched()
}

// reading is how many facts a second are read of a log, in four ways.
type reading struct {
	facts                     int64
	raw, scan, verify, replay float64
	share                     load.Share
}

// measureReading reads a log that was filled and that no program works on.
func measureReading(t testing.TB, s *harness.Site) (m reading) {
	t.Helper()
	ctx := t.Context()
	in := open(t, s)
	defer func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := in.DB.Truncate(ctx); err != nil { // of a large log, little is in the write-ahead log
		t.Error(err)
	}
	audit := auditreplay.Handler{Ledger: in.Ledger, Feed: in.Log, Walker: in.Log, Streams: in.Keyring}
	by := identity.Principal{Tenant: "default", Role: identity.Auditor}
	watched := load.Watch()
	m.raw = perSecond(t, func() (n int64, err error) { return rawScan(filepath.Join(s.Dir, embedded.LogFile)) })
	m.scan = perSecond(t, func() (n int64, err error) {
		for _, err := range in.Log.ReadAll(ctx, 0) {
			if err != nil {
				return n, err
			}
			n++
		}
		m.facts = n
		return n, nil
	})
	m.verify = perSecond(t, func() (int64, error) {
		v, err := audit.Verify(ctx, by, "", nil)
		if err == nil && !v.OK {
			err = fmt.Errorf("verify: %+v", v)
		}
		return m.facts, err
	})
	m.replay = perSecond(t, func() (n int64, err error) {
		past, err := audit.StateAt(ctx, by, filled, time.Now())
		return past.Facts, err
	})
	m.share = watched()
	return m
}

func perSecond(t testing.TB, read func() (int64, error)) float64 {
	t.Helper()
	began := time.Now()
	n, err := read()
	if err != nil {
		t.Error(err)
	}
	return float64(n) / time.Since(began).Seconds()
}

// rawScan steps over all facts and looks at none.
func rawScan(path string) (n int64, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	err = sqlitex.ExecuteTransient(conn, "SELECT * FROM facts", &sqlitex.ExecOptions{ResultFunc: func(*sqlite.Stmt) error { n++; return nil }})
	return n, err
}

// measureLength appends to one conversation and returns what an append costs at
// different lengths of its stream.
func measureLength(t testing.TB, lengths []int) (cost map[int]time.Duration, share load.Share) {
	t.Helper()
	const over = 50 // appends, of which the median is taken
	cost = map[int]time.Duration{}
	inside(t, harness.NewSite(t, "none"), func(in *system.System, bot string) {
		watched := load.Watch()
		for n, i := 1, 0; i < len(lengths); i++ {
			var r load.Result
			for ; n < lengths[i]+over && !t.Failed(); n++ {
				began := time.Now()
				if err := raiseInside(t.Context(), in, bot, fmt.Sprintf(`{"conversation_id":"long","topic":"Refund","summary":"%d"}`, n)); err != nil {
					t.Error(err)
				}
				if n >= lengths[i] {
					r.Latencies = append(r.Latencies, time.Since(began))
				}
			}
			cost[lengths[i]] = r.Quantile(0.5)
		}
		share = watched()
	})
	return cost, share
}
