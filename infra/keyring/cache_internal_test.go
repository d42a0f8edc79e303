package keyring

import (
	"testing"
	"time"
)

func TestWhatIsKeptIsBelievedForAWhile(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for sentence, c := range map[string]struct {
		keep, age time.Duration
		want      bool
	}{
		"at once":                       {10 * time.Second, 0, true},
		"shortly before its time":       {10 * time.Second, 10*time.Second - 1, true},
		"when its time has come":        {10 * time.Second, 10 * time.Second, false},
		"after the clock was put back":  {10 * time.Second, -time.Second, false},
		"for ever":                      {0, 1000 * time.Hour, true},
		"for ever, whatever clocks say": {0, -time.Second, true},
	} {
		now := start
		cache := newCache[string, int](func() time.Time { return now }, c.keep)
		m := cache.mark("key")
		cache.put("key", 1, m)
		now = start.Add(c.age)
		if _, ok := cache.get("key"); ok != c.want {
			t.Errorf("%s: kept = %t, want %t", sentence, ok, c.want)
		}
	}
}

// What was read is as old as the question, not as the answer.
func TestAgeBeginsBeforeTheReading(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	cache := newCache[string, int](func() time.Time { return now }, 10*time.Second)
	m := cache.mark("key")
	now = now.Add(9 * time.Second)
	cache.put("key", 1, m)
	now = now.Add(time.Second)
	if _, ok := cache.get("key"); ok {
		t.Error("it is kept for longer")
	}
}
