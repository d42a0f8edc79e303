package keyring

import (
	"time"

	"handoff/infra/lru"
)

// cache keeps what was read from the store, for a while.
type cache[K comparable, V any] struct {
	lru  *lru.Cache[K, dated[V]]
	now  func() time.Time
	keep time.Duration
}

// dated is a value and when its reading began, in nanoseconds since 1970. It is
// no time.Time, since that compares by a clock which stands still while a Lambda
// is frozen.
type dated[V any] struct {
	value V
	at    int64
}

// mark is taken before a value is read.
type mark struct {
	lru lru.Mark
	at  int64
}

func newCache[K comparable, V any](now func() time.Time, keep time.Duration) *cache[K, V] {
	return &cache[K, V]{lru: lru.New[K, dated[V]](cached), now: now, keep: keep}
}

// get returns a value that is young enough. One from the future, before the
// clock was put back, is not.
func (c *cache[K, V]) get(key K) (value V, ok bool) {
	d, ok := c.lru.Get(key)
	if !ok || c.keep == 0 {
		return d.value, ok
	}
	if age := time.Duration(c.now().UnixNano() - d.at); age < 0 || age >= c.keep {
		return value, false
	}
	return d.value, true
}

func (c *cache[K, V]) mark(key K) mark {
	m := mark{lru: c.lru.Mark(key)}
	if c.keep > 0 {
		m.at = c.now().UnixNano()
	}
	return m
}

func (c *cache[K, V]) put(key K, value V, m mark) { c.lru.Put(key, dated[V]{value, m.at}, m.lru) }

// drop is to be called after the value was changed in the store.
func (c *cache[K, V]) drop(key K) { c.lru.Drop(key) }

func (c *cache[K, V]) clear() { c.lru.Clear() }
