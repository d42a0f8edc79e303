//go:build linux

package sqlitelog_test

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"handoff/infra/eventlog"
)

// rawLog is what an event log can't be faster than on a disk: a file that only
// grows, one write and one fdatasync for all that wait, and nothing else. It
// checks no version, keeps no index and can't be read.
type rawLog struct {
	file  *os.File
	waits chan rawAppend
	done  chan struct{}
}

type rawAppend struct {
	frame []byte
	ended chan error
}

func openRaw(b *testing.B) *rawLog {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "raw.log"))
	if err != nil {
		b.Fatal(err)
	}
	l := &rawLog{file: f, waits: make(chan rawAppend, 512), done: make(chan struct{})}
	go l.write()
	b.Cleanup(func() {
		close(l.waits)
		<-l.done
		_ = f.Close()
	})
	return l
}

func (l *rawLog) append(c *eventlog.Commit) error {
	a := rawAppend{frame: frame(c), ended: make(chan error, 1)}
	l.waits <- a
	return <-a.ended
}

// frame encodes everything of a commit that a log must keep.
func frame(c *eventlog.Commit) []byte {
	b := make([]byte, 8, 2048)
	for i := range c.Facts {
		r := &c.Facts[i]
		b = append(b, r.Stream[:]...)
		b = binary.AppendVarint(binary.AppendVarint(b, int64(r.Version)), r.Time)
		for _, s := range []string{r.Type, string(r.Kind), r.Tenant, r.Connection, r.Commit, r.Causation, r.Correlation, r.Actor, string(r.Key), r.Trace, string(r.Clear), string(r.Sealed)} {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
		b = append(b, r.Hash[:]...)
	}
	b = append(b, c.State...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[8:]))
	return b
}

func (l *rawLog) write() {
	defer close(l.done)
	for first := range l.waits {
		group, buf := []rawAppend{first}, first.frame
		for more := true; more && len(group) < 512; {
			select {
			case a, ok := <-l.waits:
				if more = ok; ok {
					group, buf = append(group, a), append(buf, a.frame...)
				}
			default:
				more = false
			}
		}
		_, err := l.file.Write(buf)
		if err == nil {
			err = unix.Fdatasync(int(l.file.Fd()))
		}
		for _, a := range group {
			a.ended <- err
		}
	}
}
