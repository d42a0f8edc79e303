package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/functions/auditreplay"
	"handoff/infra/archive"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/sqlitedb"
	"handoff/tests/functiontest"
)

// log is a log on one machine, as an archive's source and target.
type log struct {
	*sqlitelog.Log

	puts    int
	breakAt int // the put that fails after half of its commits; 0: none
}

func open(t *testing.T) *log {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "handoff.db"), sqlitedb.Options{Schema: sqlitelog.Schema, UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	l, err := sqlitelog.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return &log{Log: l}
}

var errBroken = errors.New("the line is dead")

// Put implements archive.Target.
func (l *log) Put(ctx context.Context, commits []eventlog.Commit) error {
	l.puts++
	for i, c := range commits {
		if l.puts == l.breakAt && i == len(commits)/2 {
			return errBroken
		}
		if _, err := l.Append(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// fill has many conversations, some with transcripts above the inline limit.
func (l *log) fill(t *testing.T, first, conversations int) {
	t.Helper()
	keys := new(functiontest.Keys)
	n := first * 1000
	ledger := eventlog.NewLedger(l.Log, events.Register(), keys, time.Now, func() string { n++; return fmt.Sprint("commit-", n) })
	for i := range conversations {
		id, _ := keys.StreamID(functiontest.Tenant, events.KindConversation, fmt.Sprint(first+i))
		at := eventlog.Stream{ID: id, Tenant: functiontest.Tenant, Connection: "store-bot"}
		raised := events.EscalationRaised{
			RaisedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Topic: "Refund <now> & \u2028 then", Request: events.Request{ID: fmt.Sprint(i), Fingerprint: "f"},
			Context: &events.Context{ConversationID: fmt.Sprint(i), LastPhrase: strings.Repeat("x", i%3*eventlog.InlineLimit)},
		}
		to := conversation.To(id)
		for _, cmd := range []eh.Command{
			conversation.Raise{To: to, Fact: raised, Route: &events.EscalationRouted{Connection: "store-bot", Queue: events.Queue{ID: "refunds"}}},
			conversation.Report{To: to, Number: 1, Status: conversation.Accepted},
			conversation.Report{To: to, Number: 1, Status: conversation.Completed},
		} {
			if _, err := eventlog.Execute(t.Context(), ledger, conversation.Decider, at, eventlog.Origin{}, func(conversation.State) (eh.Command, error) { return cmd, nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (l *log) all(t *testing.T) (all []events.Record) {
	t.Helper()
	for r, err := range l.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// verified returns the head over the whole log, which must be whole.
func (l *log) verified(t *testing.T) string {
	t.Helper()
	h := auditreplay.Handler{Ledger: eventlog.NewLedger(l.Log, events.Register(), nil, time.Now, nil), Feed: l.Log, Walker: l.Log}
	v, err := h.Verify(t.Context(), identity.Principal{Tenant: functiontest.Tenant, Role: identity.Auditor}, "", nil)
	if err != nil || !v.OK {
		t.Fatalf("verify = %+v, %v", v, err)
	}
	return v.Head
}

func quiet(int64, int64) {}

func TestAHistoryMovesAsItIsStored(t *testing.T) {
	t.Parallel()
	from, to, dir := open(t), open(t), t.TempDir()
	from.fill(t, 0, 300)
	a, err := archive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var told []int64
	last, err := a.Export(t.Context(), from, func(done, all int64) { told = append(told, done, all) })
	if err != nil || last != 1200 || !slices.Equal(told, []int64{1200, 1200}) {
		t.Fatalf("Export = %d, %v, told %v, want 1200", last, err, told)
	}
	if last, err = a.Import(t.Context(), to, quiet); err != nil || last != 1200 {
		t.Fatalf("Import = %d, %v, want 1200", last, err)
	}
	want, got := from.all(t), to.all(t)
	for i := range want {
		if !equal(want[i], got[i]) {
			t.Fatalf("fact %d = %+v\nwant %+v", i, got[i], want[i])
		}
	}
	if from.verified(t) != to.verified(t) {
		t.Error("the heads differ")
	}
	// Again, and with what came meanwhile.
	from.fill(t, 300, 5)
	for range 2 {
		if last, err = a.Export(t.Context(), from, quiet); err != nil || last != 1220 {
			t.Fatalf("Export of what came meanwhile = %d, %v", last, err)
		}
		if last, err = a.Import(t.Context(), to, quiet); err != nil || last != 1220 {
			t.Fatalf("Import of what came meanwhile = %d, %v", last, err)
		}
	}
	if from.verified(t) != to.verified(t) {
		t.Error("the heads differ after a second round")
	}
}

func equal(a, b events.Record) bool {
	return a.Header == b.Header && string(a.Clear) == string(b.Clear) && string(a.Sealed) == string(b.Sealed) &&
		a.SealedSum == b.SealedSum && a.Hash == b.Hash && a.Position == b.Position
}

func TestAnImportThatWasBrokenOffIsFinished(t *testing.T) {
	t.Parallel()
	from, to := open(t), open(t)
	from.fill(t, 0, 300)
	a, err := archive.Open(t.TempDir())
	if err == nil {
		_, err = a.Export(t.Context(), from, quiet)
	}
	if err != nil {
		t.Fatal(err)
	}
	to.breakAt = 2
	if _, err := a.Import(t.Context(), ahead{to}, quiet); !errors.Is(err, errBroken) {
		t.Fatalf("Import = %v, want %v", err, errBroken)
	}
	if _, err := a.Import(t.Context(), ahead{to}, quiet); err != nil {
		t.Fatal(err)
	}
	if from.verified(t) != to.verified(t) {
		t.Error("the heads differ")
	}
}

// ahead is a target whose feed trails its streams: by everything, after it was
// broken off.
type ahead struct{ *log }

// Last implements archive.Target.
func (l ahead) Last(ctx context.Context) (int64, error) {
	if l.puts == l.breakAt {
		return 0, nil
	}
	return l.log.Last(ctx)
}

func TestOtherLogsAreRefused(t *testing.T) {
	t.Parallel()
	one, other := open(t), open(t)
	one.fill(t, 0, 2)
	other.fill(t, 100, 2)
	a, err := archive.Open(t.TempDir())
	if err == nil {
		_, err = a.Export(t.Context(), one, quiet)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Export(t.Context(), other, quiet); !fault.Is(err, "archive-other-log") {
		t.Errorf("Export of another log: %v", err)
	}
	if _, err := a.Export(t.Context(), open(t), quiet); !fault.Is(err, "archive-other-log") {
		t.Errorf("Export of an empty log: %v", err)
	}
	if _, err := a.Import(t.Context(), other, quiet); !fault.Is(err, "archive-other-log") {
		t.Errorf("Import into another log: %v", err)
	}
	other.fill(t, 200, 2)
	if _, err := a.Import(t.Context(), other, quiet); !fault.Is(err, "archive-other-log") {
		t.Errorf("Import into a longer log: %v", err)
	}
}

func TestAChangedArchiveDoesNotBecomeALog(t *testing.T) {
	t.Parallel()
	for sentence, spoil := range map[string]func(dir string) error{
		"a blob is missing":  func(dir string) error { return os.RemoveAll(filepath.Join(dir, "blobs")) },
		"a blob was changed": func(dir string) error { return each(dir, "blobs", func(b []byte) []byte { b[7] ^= 1; return b }) },
		"a fact was changed": func(dir string) error { return each(dir, "facts", changeFact) },
		"a file was cut":     func(dir string) error { return each(dir, "facts", func(b []byte) []byte { return b[:len(b)/2] }) },
		"a file is named wrong": func(dir string) error {
			return os.Rename(only(dir), filepath.Join(dir, "facts", fmt.Sprintf("%016d-%016d.ndjson.zst", 2, 13)))
		},
		"a file says more": func(dir string) error {
			return os.Rename(only(dir), filepath.Join(dir, "facts", fmt.Sprintf("%016d-%016d.ndjson.zst", 1, 13)))
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			from, to, dir := open(t), open(t), t.TempDir()
			from.fill(t, 0, 3)
			a, err := archive.Open(dir)
			if err == nil {
				_, err = a.Export(t.Context(), from, quiet)
			}
			if err == nil {
				err = spoil(dir)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Import(t.Context(), to, quiet); !fault.Is(err, "archive-broken") {
				t.Errorf("Import = %v, want archive-broken", err)
			}
		})
	}
}

func changeFact(b []byte) []byte {
	r, _ := zstd.NewReader(nil)
	w, _ := zstd.NewWriter(nil)
	text, _ := r.DecodeAll(b, nil)
	return w.EncodeAll(bytes.Replace(text, []byte("refunds"), []byte("returns"), 1), nil)
}

func only(dir string) string {
	names, _ := filepath.Glob(filepath.Join(dir, "facts", "*"))
	return names[0]
}

func each(dir, sub string, change func([]byte) []byte) error {
	names, _ := filepath.Glob(filepath.Join(dir, sub, "*"))
	if len(names) == 0 {
		return errors.New("there is no file to spoil")
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(name, change(b), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
