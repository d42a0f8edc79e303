// Package archive copies a whole history out of one log and into another, on
// whatever engines the two are, through a directory of ordinary files.
//
// Facts travel as stored: every byte that their hashes cover, in the order of
// the feed, so that positions, chains and heads are the same on both sides, and
// `handoff verify` can say so. Sealed parts stay sealed; the keys travel beside
// them, under a key that is kept elsewhere (see keys.go).
//
// Both ways can be broken off at any moment and begun again: what was copied is
// found and compared, not copied twice.
//
// An archive holds
//
//	facts/<first>-<last>.ndjson.zst   facts by position, a line each (httpapi.StoredFact)
//	blobs/<sum>                       sealed parts of more than 8 KiB
//	keys.ndjson                       rows of the keyring
//
// Every file is complete or not there.
package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/durable"
	"handoff/infra/httpapi"
)

const (
	factsDir = "facts"
	blobsDir = "blobs"
	keysFile = "keys.ndjson"
	pattern  = "%016d-%016d.ndjson.zst"
	// maxLine bounds what is read of one fact: its clear part and a sealed part
	// that is stored inline.
	maxLine = 64 << 20
)

// Archive is a directory with a copy of a history. It is not safe for
// concurrent use.
type Archive struct{ dir string }

// Progress is told how many facts of how many are copied.
type Progress func(done, all int64)

// Open returns the archive in a directory, which is made if need be.
func Open(dir string) (*Archive, error) {
	for _, sub := range []string{factsDir, blobsDir} {
		if err := durable.MakeDir(filepath.Join(dir, sub)); err != nil {
			return nil, fmt.Errorf("open archive: %w", err)
		}
	}
	return &Archive{dir: dir}, nil
}

// segment is a file of facts.
type segment struct {
	first, last int64
	name        string
}

// segments returns the files of facts in order. A gap between two is an error:
// a file was lost.
func (a *Archive) segments() ([]segment, error) {
	entries, err := os.ReadDir(filepath.Join(a.dir, factsDir))
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	var all []segment
	for _, e := range entries {
		s := segment{name: e.Name()}
		if _, err := fmt.Sscanf(e.Name(), pattern, &s.first, &s.last); err == nil && fmt.Sprintf(pattern, s.first, s.last) == e.Name() {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b segment) int { return int(a.first - b.first) })
	next := int64(1)
	for _, s := range all {
		if s.first != next || s.last < s.first {
			return nil, fault.Newf(fault.Unprocessable, "archive-broken", "The archive lacks the facts from position %d on: %s follows. Copy it again.", next, s.name)
		}
		next = s.last + 1
	}
	return all, nil
}

// Last returns the position of the last fact in the archive, 0 if it is empty.
func (a *Archive) Last() (int64, error) {
	all, err := a.segments()
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[len(all)-1].last, nil
}

// Read yields the facts after a position. Sealed parts above the inline limit
// are left to Blob.
func (a *Archive) Read(after int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		all, err := a.segments()
		if err != nil {
			yield(events.Record{}, err)
			return
		}
		for _, s := range all {
			if s.last > after && !a.readSegment(s, after, yield) {
				return
			}
		}
	}
}

func (a *Archive) readSegment(s segment, after int64, yield func(events.Record, error) bool) (more bool) {
	next := s.first
	for r, err := range lines(filepath.Join(a.dir, factsDir, s.name)) {
		if err == nil && r.Position != next {
			err = fmt.Errorf("position %d follows position %d", r.Position, next-1)
		}
		if err != nil {
			yield(events.Record{}, broken(s, err))
			return false
		}
		next++
		if r.Position > after && !yield(r, nil) {
			return false
		}
	}
	if next != s.last+1 {
		yield(events.Record{}, broken(s, io.ErrUnexpectedEOF))
		return false
	}
	return true
}

func broken(s segment, err error) error {
	return fault.Newf(fault.Unprocessable, "archive-broken", "The file %s of the archive can't be read. Delete it and those after it, and export again.", s.name).Because(err)
}

// lines yields the facts of one file.
func lines(path string) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(events.Record{}, err)
			return
		}
		defer func() { _ = f.Close() }()
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxLine))
		if err != nil {
			yield(events.Record{}, err)
			return
		}
		defer z.Close()
		scanner := bufio.NewScanner(z)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			r, err := parse(scanner.Bytes())
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(events.Record{}, err)
		}
	}
}

func parse(line []byte) (events.Record, error) {
	var f httpapi.StoredFact
	if err := json.Unmarshal(line, &f); err != nil {
		return events.Record{}, err
	}
	return f.Record()
}

// format returns a fact as a line. The clear part keeps its bytes: encoding/json
// takes blanks out of raw JSON and would escape some characters, so the one is
// refused, which no fact has, and the other turned off.
func format(r events.Record) ([]byte, error) {
	var compact, line bytes.Buffer
	if err := json.Compact(&compact, r.Clear); err != nil || !bytes.Equal(compact.Bytes(), r.Clear) {
		return nil, fmt.Errorf("fact %s is not as the codec writes facts: %w", r.ID(), errors.Join(err, errNotCompact))
	}
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(httpapi.StoredFactOf(r, true)); err != nil {
		return nil, fmt.Errorf("write fact %s: %w", r.ID(), err)
	}
	return line.Bytes(), nil
}

var errNotCompact = errors.New("its JSON has blanks")

// Blob returns a sealed part that a fact refers to by its sum.
func (a *Archive) Blob(sum events.Hash) ([]byte, error) {
	b, err := os.ReadFile(a.blobPath(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.Unprocessable, "archive-broken", "The archive lacks the sealed part %s. Export again.", sum).Because(err)
	}
	if err != nil {
		return nil, err
	}
	if events.SumSealed(b) != sum {
		return nil, fault.Newf(fault.Unprocessable, "archive-broken", "The file blobs/%s of the archive was changed. Delete it and export again.", sum)
	}
	return b, nil
}

func (a *Archive) blobPath(sum events.Hash) string {
	return filepath.Join(a.dir, blobsDir, sum.String())
}
