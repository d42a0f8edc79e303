// Package lru keeps the values used last, of a source that changes.
//
// It never shows a value after the source changed under its key. Whoever reads a
// value takes a mark first and hands it back with the value, and a change in
// between voids the mark. Whoever changes the source says so before, with Begin,
// and after, with End: in between, when others may see the new value already or
// still the old one, none is kept.
package lru

import (
	"container/list"
	"hash/maphash"
	"sync"
)

// shards is how many marks there are; keys that share one void each other's,
// which costs a repeated read.
const shards = 4096

// Cache is safe for concurrent use.
type Cache[K comparable, V any] struct {
	limit int
	seed  maphash.Seed

	mu     sync.Mutex
	states [shards]state
	order  *list.List // of *entry[K, V], the one used last first
	byKey  map[K]*list.Element
}

// Mark says when a value was read.
type Mark uint64

// state is that of the keys of one shard.
type state struct {
	mark  Mark // grows with each change
	begun int  // changes that have not ended
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New returns a cache of at most limit values.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, seed: maphash.MakeSeed(), order: list.New(), byKey: make(map[K]*list.Element)}
}

func (c *Cache[K, V]) state(key K) *state {
	return &c.states[maphash.Comparable(c.seed, key)%shards]
}

// Get returns the value of a key, if it is kept.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true
}

// Mark is to be taken before a value is read from its source.
func (c *Cache[K, V]) Mark(key K) Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state(key).mark
}

// Put keeps a value that was read after mark, unless its source changed since or
// is being changed.
func (c *Cache[K, V]) Put(key K, value V, mark Mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.state(key); s.begun == 0 && s.mark == mark {
		c.keep(key, value)
	}
}

// Begin is to be called before the source is changed under a key, and End, with
// the mark that it returns, when it was, or was not.
func (c *Cache[K, V]) Begin(key K) Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state(key)
	s.begun++
	s.mark++
	c.remove(key)
	return s.mark
}

// End tells what a change that was begun led to, nil where that is not known.
// The value is kept only if no other change overlapped with this one: which of
// the two came later, nobody here can tell.
func (c *Cache[K, V]) End(key K, begun Mark, value *V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.state(key)
	if value != nil && s.begun == 1 && s.mark == begun {
		c.keep(key, *value)
	}
	s.begun--
	s.mark++
}

func (c *Cache[K, V]) keep(key K, value V) {
	if e, ok := c.byKey[key]; ok {
		e.Value.(*entry[K, V]).value = value
		c.order.MoveToFront(e)
		return
	}
	c.byKey[key] = c.order.PushFront(&entry[K, V]{key, value})
	if len(c.byKey) > c.limit {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.byKey, oldest.Value.(*entry[K, V]).key)
	}
}

// Drop is to be called after the value was destroyed at its source.
func (c *Cache[K, V]) Drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state(key).mark++
	c.remove(key)
}

func (c *Cache[K, V]) remove(key K) {
	if e, ok := c.byKey[key]; ok {
		c.order.Remove(e)
		delete(c.byKey, key)
	}
}

// Clear is Drop for every key.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.states {
		c.states[i].mark++
	}
	c.order.Init()
	clear(c.byKey)
}
