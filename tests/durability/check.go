package durability

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"path"
	"strings"
)

// Answer is what must be on disk before a request is answered.
type Answer struct {
	// Request is text by which the request is told from all others when it is
	// read from its socket, such as its Idempotency-Key.
	Request string
	Commits []Commit
}

// Commit is a transaction in the write-ahead log of a SQLite file.
type Commit struct {
	File string // name of the write-ahead log
	Text string // that the transaction is the first to write there
}

// Status is the beginning of the answers that promise something.
const Status = "HTTP/1.1 202 "

// A frame of a write-ahead log is written as a header of 24 bytes, then a page.
// Bytes 4 to 7 are the size of the file if the frame ends a transaction, else
// zero (sqlite.org/fileformat2.html, section 4.1).
const frameHeader = 24

// Check returns what is wrong in a trace: answers that are missing, commits that
// are missing, and answers that began before a sync that began after the
// commit's last write had returned.
func Check(calls iter.Seq2[Call, error], answers []Answer) (wrong []string, err error) {
	t := newTimeline(answers)
	for c, err := range calls {
		if err != nil {
			return nil, err
		}
		t.add(c)
	}
	for _, a := range answers {
		sent, ok := t.sent[a.Request]
		if !ok {
			wrong = append(wrong, fmt.Sprintf("request %s: there is no answer in the trace", a.Request))
			continue
		}
		for _, c := range a.Commits {
			if why := t.files[c.File].before(c.Text, sent); why != "" {
				wrong = append(wrong, fmt.Sprintf("request %s, answered at line %d: %s: %s", a.Request, sent, c.File, why))
			}
		}
	}
	return wrong, nil
}

// timeline is what matters of a trace, in lines.
type timeline struct {
	waiting map[string]bool   // requests that were not read yet
	reading map[string]string // the request that a socket is at
	sent    map[string]int    // where the answer of a request began
	files   map[string]*walFile
}

func newTimeline(answers []Answer) *timeline {
	t := &timeline{waiting: map[string]bool{}, reading: map[string]string{}, sent: map[string]int{}, files: map[string]*walFile{}}
	for _, a := range answers {
		t.waiting[a.Request] = true
		for _, c := range a.Commits {
			if t.files[c.File] == nil {
				t.files[c.File] = &walFile{waiting: map[string]bool{}, written: map[string]int{}, committed: map[string]int{}}
			}
			t.files[c.File].waiting[c.Text] = true
		}
	}
	return t
}

func (t *timeline) add(c Call) {
	if strings.HasPrefix(c.File, "TCP") {
		t.socket(c)
		return
	}
	f := t.files[path.Base(c.File)]
	switch {
	case f == nil || c.Result < 0:
	case c.Name == "fsync" || c.Name == "fdatasync":
		f.syncs = append(f.syncs, span{c.Begin, c.End})
	case c.Data != nil:
		f.write(c)
	}
}

func (t *timeline) socket(c Call) {
	if c.Name == "read" {
		for request := range t.waiting {
			if bytes.Contains(c.Data, []byte(request)) {
				t.reading[c.File] = request
				delete(t.waiting, request)
			}
		}
		return
	}
	request, ok := t.reading[c.File]
	if ok && bytes.HasPrefix(c.Data, []byte(Status)) {
		t.sent[request] = c.Begin
		delete(t.reading, c.File)
	}
}

// span is from where to where a call was under way.
type span struct{ begin, end int }

// walFile is one write-ahead log.
type walFile struct {
	waiting   map[string]bool // texts that were not written yet
	written   map[string]int  // texts that are in no transaction that ended yet
	committed map[string]int  // where the last write of the transaction had returned
	last      bool            // the frame that is being written ends its transaction
	syncs     []span
}

func (f *walFile) write(c Call) {
	if len(c.Data) == frameHeader {
		f.last = binary.BigEndian.Uint32(c.Data[4:8]) != 0
		return
	}
	for text := range f.waiting {
		if bytes.Contains(c.Data, []byte(text)) {
			f.written[text] = c.End
			delete(f.waiting, text)
		}
	}
	if !f.last {
		return
	}
	for text := range f.written {
		f.committed[text] = c.End
	}
	clear(f.written)
	f.last = false
}

// before returns what is wrong if an answer began at a line.
func (f *walFile) before(text string, answered int) string {
	at, ok := f.committed[text]
	if !ok {
		return "there is no commit of " + text
	}
	for _, s := range f.syncs {
		if s.begin > at && s.end < answered {
			return ""
		}
	}
	return fmt.Sprintf("no sync both began after line %d, where its commit was written, and had returned", at)
}
