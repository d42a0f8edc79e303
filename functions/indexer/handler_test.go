package indexer_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"handoff/functions/indexer"
	"handoff/infra/eventlog"
)

// index is an index that answers as a test says.
type index struct {
	leftOut []error
	err     error
	batches [][]eventlog.Change
}

func (x *index) Add(_ context.Context, batch []eventlog.Change) ([]error, error) {
	x.batches = append(x.batches, batch)
	return x.leftOut, x.err
}

func TestABatchIsAddedButForWhatWasImported(t *testing.T) {
	t.Parallel()
	x := &index{}
	h := &indexer.Handler{Index: x}
	batch := []eventlog.Change{{Sequence: "1"}, {Sequence: "2", Imported: true}, {Sequence: "3"}}
	failed, err := h.Handle(t.Context(), batch)
	if err != nil || failed != "" || len(x.batches) != 1 || len(x.batches[0]) != 2 || x.batches[0][1].Sequence != "3" || batch[1].Sequence != "2" {
		t.Errorf("Handle = %q, %v after %v", failed, err, x.batches)
	}
}

func TestWhatIsCopiedIsLeftToTheCopier(t *testing.T) {
	t.Parallel()
	x := &index{}
	h := &indexer.Handler{Index: x}
	given := []eventlog.Change{{Sequence: "1"}, {Sequence: "2", Imported: true}, {Sequence: "3"}}
	_, err := h.Handle(t.Context(), given)
	if err != nil || len(x.batches[0]) != 2 || x.batches[0][1].Sequence != "3" || given[1].Sequence != "2" {
		t.Errorf("Handle = %v, added %v of %v", err, x.batches, given)
	}
}

func TestABatchThatFailedComesAgain(t *testing.T) {
	t.Parallel()
	broken := errors.New("the table is gone")
	h := &indexer.Handler{Index: &index{err: broken}}
	if failed, err := h.Handle(t.Context(), []eventlog.Change{{Sequence: "1"}}); failed != "" || !errors.Is(err, broken) {
		t.Errorf("Handle = %q, %v, want all of it to come again because of %v", failed, err, broken)
	}
}

// TestWhatIsLeftOutIsSaid can't be parallel: it has the default logger.
func TestWhatIsLeftOutIsSaid(t *testing.T) { //nolint:paralleltest // see above
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	defer slog.SetDefault(before)
	h := &indexer.Handler{Index: &index{leftOut: []error{errors.New("commit 7 is torn")}}}
	if failed, err := h.Handle(t.Context(), []eventlog.Change{{Sequence: "1"}}); failed != "" || err != nil {
		t.Errorf("Handle = %q, %v, want the others to go on", failed, err)
	}
	if !strings.Contains(out.String(), "commit 7 is torn") {
		t.Errorf("the log says %q", out.String())
	}
}
