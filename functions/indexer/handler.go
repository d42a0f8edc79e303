// Package indexer answers the stream of changes of a log that has no order over
// its streams: it has every commit taken into the feed and the lists.
//
// A batch may come again, whole or in part, to this instance or to another one;
// the index takes each commit in once. What is copied from another log it leaves
// to the copier, which knows in which order it was there.
package indexer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"handoff/infra/eventlog"
)

// Index is what commits are taken into.
type Index interface {
	// Add takes the commits of a batch in and returns why some were left out.
	// After an error the same batch is to be added again.
	Add(ctx context.Context, batch []eventlog.Change) (leftOut []error, err error)
}

// Handler answers the changes of a log. It is safe for concurrent use.
type Handler struct {
	Index Index
}

// Handle takes a batch of changes in. If it fails all of the batch must come
// again. What can't be read is left out and said so: other streams go on, and
// the feed takes it in with the next commit of its stream once it can be read.
// What was imported is for whoever imports it, in the order that it had.
func (h *Handler) Handle(ctx context.Context, batch []eventlog.Change) (failed string, err error) {
	batch = slices.DeleteFunc(slices.Clone(batch), func(c eventlog.Change) bool { return c.Imported })
	leftOut, err := h.Index.Add(ctx, batch)
	if err != nil {
		return "", fmt.Errorf("index %d changes: %w", len(batch), err)
	}
	for _, why := range leftOut {
		slog.ErrorContext(ctx, "commit left out of the feed", "error", why)
	}
	return "", nil
}
