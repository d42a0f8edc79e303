package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/durable"
	"handoff/infra/eventlog"
)

// segmentFacts is how many facts a file holds at most, and segmentBytes how
// many bytes of them are collected: what is copied anew after an interruption.
const (
	segmentFacts = 10_000
	segmentBytes = 32 << 20
)

// Source is a log that is copied from.
type Source interface {
	eventlog.Feed
	Blob(ctx context.Context, sum events.Hash) ([]byte, error)
	Last(ctx context.Context) (int64, error)
}

// Export copies everything that the source holds by now and the archive does
// not, and returns the position of the last fact in the archive. It refuses an
// archive of another log with a fault archive-other-log.
func (a *Archive) Export(ctx context.Context, from Source, progress Progress) (int64, error) {
	done, err := a.Last()
	if err != nil {
		return 0, err
	}
	if err := a.matches(ctx, from, done); err != nil {
		return 0, err
	}
	all, err := from.Last(ctx)
	if err != nil {
		return done, fmt.Errorf("export: %w", err)
	}
	w := writer{Archive: a, first: done + 1}
	for r, err := range from.ReadAll(ctx, done) {
		if err != nil {
			return done, fmt.Errorf("export after position %d: %w", done, err)
		}
		if r.Position > all {
			break // it grows; the next export takes it
		}
		if err := w.add(ctx, from, r); err != nil {
			return done, err
		}
		if w.full() || r.Position == all {
			if err := w.flush(); err != nil {
				return done, err
			}
			done = r.Position
			progress(done, all)
		}
	}
	if done < all {
		return done, fmt.Errorf("export: the log ends at position %d, not at %d", done, all)
	}
	return done, nil
}

// matches reports whether the archive's last fact is the source's too.
func (a *Archive) matches(ctx context.Context, from eventlog.Feed, last int64) error {
	if last == 0 {
		return nil
	}
	mine, err := at(a.Read(last-1), last)
	if err != nil {
		return err
	}
	theirs, err := at(from.ReadAll(ctx, last-1), last)
	if err != nil && !errors.Is(err, errNoFact) {
		return err
	}
	if err != nil || mine.Hash != theirs.Hash {
		return fault.Newf(fault.Conflict, "archive-other-log",
			"The archive in %s is of another log: fact %d is not the same. Choose another directory.", a.dir, last)
	}
	return nil
}

// writer collects the facts of a file.
type writer struct {
	*Archive

	first, next int64
	text        []byte
}

func (w *writer) add(ctx context.Context, from Source, r events.Record) error {
	if r.HasSealed() && len(r.Sealed) == 0 {
		if err := w.copyBlob(ctx, from, r.SealedSum); err != nil {
			return fmt.Errorf("export fact %s: %w", r.ID(), err)
		}
	}
	line, err := format(r)
	if err != nil {
		return err
	}
	w.text, w.next = append(w.text, line...), r.Position+1
	return nil
}

func (w *writer) full() bool { return w.next-w.first >= segmentFacts || len(w.text) >= segmentBytes }

func (w *writer) flush() error {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	path := filepath.Join(w.dir, factsDir, fmt.Sprintf(pattern, w.first, w.next-1))
	if err := durable.Replace(path, z.EncodeAll(w.text, nil)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	w.text, w.first = w.text[:0], w.next
	return nil
}

// copyBlob copies a sealed part unless it is there. It is written before the
// fact that refers to it.
func (a *Archive) copyBlob(ctx context.Context, from Source, sum events.Hash) error {
	path := a.blobPath(sum)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	b, err := from.Blob(ctx, sum)
	if err != nil {
		return err
	}
	if events.SumSealed(b) != sum {
		return fmt.Errorf("the sealed part is not %s: run handoff verify", sum)
	}
	if err := durable.Create(path, b); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
