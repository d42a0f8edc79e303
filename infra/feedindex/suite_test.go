package feedindex_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/indextest"
	"handoff/tests/eventlogtest"
)

// indexed is a log whose commits are in the index when Append returns, as if
// the table's stream had no delay.
type indexed struct {
	eventlog.Log
	eventlog.Feed
	commits feedindex.Commits
	add     chan<- told
}

// logOfCommits is a log that can be indexed.
type logOfCommits interface {
	eventlog.Log
	feedindex.Commits
}

type told struct {
	commit eventlog.Commit
	done   chan<- error
}

// index returns the log with its feed. Commits that are appended at the same
// time come in one batch.
func index(t *testing.T, log logOfCommits, table feedindex.Table) indexed {
	t.Helper()
	x := feedindex.Over(table, time.Now)
	w := x.Writer(log, events.Register())
	add := make(chan told)
	ctx := context.WithoutCancel(t.Context())
	go func() {
		for first := range add {
			batch := []told{first}
			for more := true; more; {
				select {
				case next, ok := <-add:
					if more = ok; ok {
						batch = append(batch, next)
					}
				default:
					more = false
				}
			}
			commits := make([]eventlog.Commit, len(batch))
			for i := range batch {
				commits[i] = batch[i].commit
			}
			left, err := w.Add(ctx, indextest.Changes(time.Now(), commits...))
			if err == nil && len(left) > 0 {
				err = left[0]
			}
			for _, b := range batch {
				b.done <- err
			}
		}
	}()
	t.Cleanup(func() { close(add) })
	return indexed{log, x.Feed(log), log, add}
}

// Append implements eventlog.Log.
func (l indexed) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	head, err := l.Log.Append(ctx, c)
	if err != nil {
		return head, err
	}
	stored, err := l.commits.Commit(ctx, c.Stream, c.After.Version+1)
	if err != nil {
		return head, err
	}
	done := make(chan error, 1)
	l.add <- told{stored, done}
	return head, <-done
}

// ReadAll implements eventlog.Feed.
func (l indexed) ReadAll(ctx context.Context, after int64) iter.Seq2[events.Record, error] {
	return l.Feed.ReadAll(ctx, after)
}

func TestTheFeedIsAFeed(t *testing.T) {
	t.Parallel()
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log { return index(t, indextest.NewLog(), &indextest.Table{}) })
}
