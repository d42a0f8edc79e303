package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"handoff/domain/fault"
	"handoff/infra/durable"
	"handoff/infra/keyring"
)

// KeySource is a keyring that is copied from.
type KeySource interface {
	Export(ctx context.Context, under keyring.MasterKey) iter.Seq2[keyring.Row, error]
}

// KeyTarget is a keyring that is copied to.
type KeyTarget interface {
	Import(ctx context.Context, under keyring.MasterKey, r keyring.Row) error
}

// ExportKeys copies the keyring into the archive, anew each time, and returns
// how many rows it has. Whoever has the archive and the key under which it
// travels can read everything; the archive alone opens nothing.
func (a *Archive) ExportKeys(ctx context.Context, from KeySource, under keyring.MasterKey) (n int, err error) {
	f, err := os.CreateTemp(a.dir, ".tmp-*") // mode 0600
	if err != nil {
		return 0, fmt.Errorf("export keys: %w", err)
	}
	defer func() {
		if e := os.Remove(f.Name()); !errors.Is(e, fs.ErrNotExist) { // renaming leaves nothing behind
			err = errors.Join(err, e)
		}
	}()
	w := bufio.NewWriter(f)
	e := json.NewEncoder(w)
	for r, failed := range from.Export(ctx, under) {
		if err = failed; err == nil {
			err = e.Encode(r)
		}
		if err != nil {
			break
		}
		n++
	}
	if err = errors.Join(err, w.Flush(), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(a.dir, keysFile))
	}
	if err = errors.Join(err, durable.Sync(a.dir)); err != nil {
		return 0, fmt.Errorf("export keys: %w", err)
	}
	return n, nil
}

// ImportKeys copies the archive's keys into a keyring and returns how many rows
// there were. They go before the facts: what is sealed must open as soon as it
// is there. Importing twice changes nothing.
func (a *Archive) ImportKeys(ctx context.Context, to KeyTarget, under keyring.MasterKey) (n int, err error) {
	f, err := os.Open(filepath.Join(a.dir, keysFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fault.Newf(fault.Unprocessable, "archive-without-keys", "The archive in %s has no keys.", a.dir)
	}
	if err != nil {
		return 0, fmt.Errorf("import keys: %w", err)
	}
	defer func() { _ = f.Close() }()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		var r keyring.Row
		d := json.NewDecoder(bytes.NewReader(scanner.Bytes()))
		d.DisallowUnknownFields() // what is not understood must not be lost silently
		if err := d.Decode(&r); err != nil {
			return n, fault.Newf(fault.Unprocessable, "archive-broken", "Line %d of %s can't be read.", n+1, keysFile).Because(err)
		}
		if err := to.Import(ctx, under, r); err != nil {
			return n, fmt.Errorf("line %d of %s: %w", n+1, keysFile, err)
		}
		n++
	}
	if err := scanner.Err(); err != nil {
		return n, fmt.Errorf("import keys: %w", err)
	}
	return n, nil
}
