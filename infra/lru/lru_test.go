package lru_test

import (
	"testing"

	"handoff/infra/lru"
)

func older(v int) func(int) bool { return func(kept int) bool { return kept > v } }

func want(t *testing.T, c *lru.Cache[string, int], key string, value int) {
	t.Helper()
	if got, ok := c.Get(key); !ok && value != 0 || got != value {
		t.Errorf("%s = %d, %t, want %d", key, got, ok, value)
	}
}

func TestTheValueUsedLongestAgoGoes(t *testing.T) {
	t.Parallel()
	c := lru.New[string, int](2)
	c.Put("a", 1, c.Mark("a"))
	c.Put("b", 2, c.Mark("b"))
	want(t, c, "a", 1)
	c.Put("c", 3, c.Mark("c"))
	want(t, c, "a", 1)
	want(t, c, "b", 0)
	want(t, c, "c", 3)
}

func TestAValueReadBeforeAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*lru.Cache[string, int]){
		"dropped": func(c *lru.Cache[string, int]) { c.Drop("a") },
		"cleared": func(c *lru.Cache[string, int]) { c.Clear() },
		"set, and gone since": func(c *lru.Cache[string, int]) {
			c.Set("a", 2, older(2))
			c.Put("b", 9, c.Mark("b"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := lru.New[string, int](1)
			mark := c.Mark("a")
			change(c)
			c.Put("a", 1, mark)
			want(t, c, "a", 0)
		})
	}
}

func TestAChangeThatIsToldLateDoesNotReplaceALaterOne(t *testing.T) {
	t.Parallel()
	c := lru.New[string, int](8)
	c.Set("a", 2, older(2))
	c.Set("a", 1, older(1))
	want(t, c, "a", 2)
	c.Set("a", 3, older(3))
	want(t, c, "a", 3)
	c.Clear()
	want(t, c, "a", 0)
}
