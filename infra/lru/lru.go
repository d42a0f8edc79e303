// Package lru keeps the values used last, of a source that changes.
//
// It never keeps a value that was read before the source changed under its key:
// whoever reads a value takes a mark first and hands it back with the value,
// and a change in between voids the mark.
package lru

import (
	"container/list"
	"hash/maphash"
	"sync"
)

// shards is how many marks there are; keys that share one void each other's,
// which costs a repeated read.
const shards = 256

// Cache is safe for concurrent use.
type Cache[K comparable, V any] struct {
	limit int
	seed  maphash.Seed

	mu      sync.Mutex
	changes [shards]uint64
	order   *list.List // of *entry[K, V], the one used last first
	byKey   map[K]*list.Element
}

// Mark says when a value was read.
type Mark uint64

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New returns a cache of at most limit values.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, seed: maphash.MakeSeed(), order: list.New(), byKey: make(map[K]*list.Element)}
}

func (c *Cache[K, V]) change(key K) *uint64 {
	return &c.changes[maphash.Comparable(c.seed, key)%shards]
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
	return Mark(*c.change(key))
}

// Put keeps a value that was read after mark, unless its source changed since.
func (c *Cache[K, V]) Put(key K, value V, mark Mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mark == Mark(*c.change(key)) {
		c.keep(key, value)
	}
}

// Set is to be called after the source changed to value. Where changes are told
// in another order than they happened in, newer says of the value that is kept
// whether it came later, and then it stays.
func (c *Cache[K, V]) Set(key K, value V, newer func(kept V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.change(key)++
	if e, ok := c.byKey[key]; ok && newer(e.Value.(*entry[K, V]).value) {
		return
	}
	c.keep(key, value)
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
	*c.change(key)++
	if e, ok := c.byKey[key]; ok {
		c.order.Remove(e)
		delete(c.byKey, key)
	}
}

// Clear is Drop for every key.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.changes {
		c.changes[i]++
	}
	c.order.Init()
	clear(c.byKey)
}
