package clock_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"handoff/infra/microsoft/simulation/clock"
)

func TestManual(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	m := clock.NewManual(start)
	var got []string
	call := func(name string, d time.Duration) func() {
		return m.AfterFunc(d, func() { got = append(got, name+" "+m.Now().Sub(start).String()) })
	}
	call("late", 3*time.Second)
	call("early", time.Second)
	stop := call("stopped", time.Second)
	m.AfterFunc(time.Second, func() { call("nested", time.Second) })
	stop()
	m.Advance(2 * time.Second)
	if want := []string{"early 1s", "nested 2s"}; !slices.Equal(got, want) {
		t.Errorf("calls = %q, want %q", got, want)
	}
	m.Advance(time.Hour)
	if want := "late 3s"; got[len(got)-1] != want || m.Timers() != 0 || !m.Now().Equal(start.Add(time.Hour+2*time.Second)) {
		t.Errorf("calls = %q, %d to come, now %s", got, m.Timers(), m.Now())
	}
	done := make(chan struct{})
	m.AfterFunc(0, func() { close(done) })
	<-done
}

func TestReal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clock.Real(time.Now)
		began, called := c.Now(), make(chan time.Duration, 1)
		c.AfterFunc(20*time.Second, func() { called <- c.Now().Sub(began) })
		c.AfterFunc(time.Second, func() { called <- 0 })()
		if after := <-called; after != 20*time.Second {
			t.Errorf("called after %s", after)
		}
	})
}
