package indextest

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"

	"handoff/infra/feedindex"
)

// Table is an index's table in memory. Its zero value is empty and ready to
// use; it is safe for concurrent use.
type Table struct {
	mu   sync.Mutex
	rows map[string][]feedindex.Row // of a partition, in order
}

var _ feedindex.Table = (*Table)(nil)

// Put implements feedindex.Table.
func (t *Table) Put(ctx context.Context, r feedindex.Row, fresh bool) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	r.Data = slices.Clone(r.Data)
	all := t.rows[r.Partition]
	i, there := search(all, r.Order)
	switch {
	case there && fresh:
		return false, nil
	case there:
		all[i] = r
		return true, nil
	case t.rows == nil:
		t.rows = make(map[string][]feedindex.Row)
	}
	t.rows[r.Partition] = slices.Insert(all, i, r)
	return true, nil
}

// Query implements feedindex.Table.
func (t *Table) Query(ctx context.Context, r feedindex.Range) iter.Seq2[feedindex.Row, error] {
	return func(yield func(feedindex.Row, error) bool) {
		for _, row := range t.Rows(r) {
			if err := ctx.Err(); err != nil {
				yield(feedindex.Row{}, err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// Rows returns the rows of a range as they are now.
func (t *Table) Rows(r feedindex.Range) []feedindex.Row {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.rows[r.Partition]
	from, _ := search(all, r.From)
	to := len(all)
	if r.To != "" {
		to, _ = search(all, r.To+"\x00")
	}
	found := slices.Clone(all[min(from, to):to])
	if r.Newest {
		slices.Reverse(found)
	}
	if r.Limit > 0 {
		found = found[:min(r.Limit, len(found))]
	}
	return found
}

// Partitions returns the names of those that have rows, in order.
func (t *Table) Partitions() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for name := range t.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func search(all []feedindex.Row, order string) (int, bool) {
	return slices.BinarySearchFunc(all, order, func(r feedindex.Row, o string) int { return strings.Compare(r.Order, o) })
}
