package keyring

import "testing"

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	c := newCache[string, int](2)
	c.put("a", 1, c.mark())
	c.put("b", 2, c.mark())
	c.get("a")
	c.put("c", 3, c.mark())
	c.put("a", 4, c.mark())
	for key, want := range map[string]int{"a": 4, "b": 0, "c": 3} {
		if got, _ := c.get(key); got != want {
			t.Errorf("%s = %d, want %d", key, got, want)
		}
	}
	if len(c.byKey) != 2 || c.order.Len() != 2 {
		t.Errorf("%d and %d entries, want 2", len(c.byKey), c.order.Len())
	}
}

func TestCacheKeepsNothingReadBeforeADrop(t *testing.T) {
	t.Parallel()
	c := newCache[string, int](2)
	c.put("kept", 1, c.mark())
	mark := c.mark()
	c.drop("a")
	c.put("a", 1, mark)
	if _, ok := c.get("a"); ok {
		t.Error("a value that was read before the drop is kept")
	}
	if _, ok := c.get("kept"); !ok {
		t.Error("another value was dropped with it")
	}
	mark = c.mark()
	c.clear()
	c.put("a", 1, mark)
	if len(c.byKey) != 0 || c.order.Len() != 0 {
		t.Error("something is kept after clear")
	}
}
