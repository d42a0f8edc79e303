package lru_test

import (
	"testing"

	"handoff/infra/lru"
)

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
		"dropped":       func(c *lru.Cache[string, int]) { c.Drop("a") },
		"cleared":       func(c *lru.Cache[string, int]) { c.Clear() },
		"being changed": func(c *lru.Cache[string, int]) { c.Begin("a") },
		"changed, nobody knows to what": func(c *lru.Cache[string, int]) {
			c.End("a", c.Begin("a"), nil)
		},
		"changed, and gone since": func(c *lru.Cache[string, int]) {
			c.End("a", c.Begin("a"), new(2))
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

func TestNothingIsShownWhileItIsBeingChanged(t *testing.T) {
	t.Parallel()
	c := lru.New[string, int](8)
	c.Put("a", 1, c.Mark("a"))
	begun := c.Begin("a")
	want(t, c, "a", 0)
	c.Put("a", 1, c.Mark("a")) // read before the change is seen, marked after it began
	want(t, c, "a", 0)
	c.End("a", begun, new(2))
	want(t, c, "a", 2)
}

func TestOfTwoChangesThatOverlapNeitherIsKept(t *testing.T) {
	t.Parallel()
	for name, firstEndsFirst := range map[string]bool{"first in, first out": true, "first in, last out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := lru.New[string, int](8)
			first, second := c.Begin("a"), c.Begin("a")
			if firstEndsFirst {
				c.End("a", first, new(2))
				c.End("a", second, new(3))
			} else {
				c.End("a", second, new(3))
				c.End("a", first, new(2))
			}
			want(t, c, "a", 0)
			c.Put("a", 3, c.Mark("a"))
			want(t, c, "a", 3)
		})
	}
}
