package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"handoff/domain/audit"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/functions/auditreplay"
	"handoff/infra/embedded"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
)

// dataDir reads the log of a data directory, without a server and without keys:
// clear parts are enough to replay and to verify. It implements past.
type dataDir struct {
	log  *sqlitelog.Log
	by   identity.Principal
	now  func() time.Time
	read func() // is called for each fact that is read
}

// openDataDir opens a log for reading, beside the process that may write to it.
func (a *app) openDataDir(ctx context.Context, dir, tenant string) (*dataDir, func() error, error) {
	if _, err := os.Stat(filepath.Join(dir, embedded.LogFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usage("%s is no data directory: there is no %s in it", dir, embedded.LogFile)
	}
	log, end, err := embedded.OpenLog(ctx, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", dir, err)
	}
	by := identity.Principal{ID: "data-directory", Tenant: tenant, Role: identity.Auditor}
	return &dataDir{log: log, by: by, now: a.Now, read: func() {}}, end, nil
}

// handler returns what a server reads its log with. Its ledger decodes only, so
// it needs no keys.
func (d *dataDir) handler(streams auditreplay.Streams) *auditreplay.Handler {
	return &auditreplay.Handler{
		Ledger: eventlog.NewLedger(d.log, events.Register(), nil, d.now, nil),
		Feed:   watched{d.log, d.read}, Walker: d.log, Streams: streams,
	}
}

// History implements past.
func (d *dataDir) History(ctx context.Context, connection string, after int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		found, err := d.find(ctx, connection)
		if err != nil {
			yield(events.Record{}, err)
			return
		}
		d.handler(found).History(ctx, d.by, connection, after)(yield)
	}
}

// StateAt implements past.
func (d *dataDir) StateAt(ctx context.Context, connection string, at time.Time) (audit.Past, error) {
	found, err := d.find(ctx, connection)
	if err != nil {
		return audit.Past{}, err
	}
	return d.handler(found).StateAt(ctx, d.by, connection, at)
}

// Verify checks the whole log.
func (d *dataDir) Verify(ctx context.Context, against string, progress auditreplay.Progress) (audit.Verified, error) {
	return d.handler(stream{}).Verify(ctx, d.by, against, progress)
}

// find returns a connection's stream. Its id is derived from a secret of the
// tenant, so it is looked up where the connection's facts name it; its first
// fact is one of the first.
func (d *dataDir) find(ctx context.Context, connection string) (stream, error) {
	for r, err := range d.log.ReadConnection(ctx, d.by.Tenant, connection, 0) {
		if err != nil {
			return stream{}, fmt.Errorf("look for connection %s: %w", connection, err)
		}
		if r.Kind == events.KindConnection {
			return stream{r.Stream}, nil
		}
	}
	return stream{}, fault.Newf(fault.NotFound, "connection-not-found", "There is no connection %q of tenant %q in this data directory.", connection, d.by.Tenant)
}

// stream is the one stream that is read by its id.
type stream struct{ id events.StreamID }

// StreamID implements auditreplay.Streams.
func (s stream) StreamID(string, events.Kind, ...string) (events.StreamID, error) { return s.id, nil }

// watched is a feed that tells of each fact that is read.
type watched struct {
	eventlog.Feed

	read func()
}

// ReadConnection implements eventlog.Feed.
func (w watched) ReadConnection(ctx context.Context, tenant, connection string, after int64) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		for r, err := range w.Feed.ReadConnection(ctx, tenant, connection, after) {
			w.read()
			if !yield(r, err) {
				return
			}
		}
	}
}
