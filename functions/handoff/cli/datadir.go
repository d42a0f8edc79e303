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

	"github.com/spf13/pflag"

	"handoff/domain/audit"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/functions/auditreplay"
	"handoff/infra/embedded"
	"handoff/infra/eventlog"
)

// source says where a log is that is read without asking a server.
type source struct{ data, stack, tenant string }

func (p source) given() bool { return p.data != "" || p.stack != "" }

// sourceFlags are the flags by which people say it.
func sourceFlags(f *pflag.FlagSet, p *source) {
	f.StringVar(&p.data, "data", "", "read this data `directory` instead of asking a server")
	f.StringVar(&p.stack, "stack", "", "read the tables of this `stack` on AWS instead of asking a server")
}

// wholeLog is everything that a log can be asked.
type wholeLog interface {
	eventlog.Log
	eventlog.Feed
	eventlog.Walker
}

// direct reads a log itself, without a server and without keys: clear parts are
// enough to replay and to verify. It implements past.
type direct struct {
	log  wholeLog
	by   identity.Principal
	now  func() time.Time
	read func() // is called for each fact that is read
}

// open opens a log for reading, beside whoever writes to it.
func (a *app) open(ctx context.Context, p source) (*direct, func() error, error) {
	if p.data != "" && p.stack != "" {
		return nil, nil, usage("--data and --stack are two places; name one")
	}
	if p.stack != "" {
		c, err := a.openStack(ctx, p.stack, p.tenant)
		if err != nil {
			return nil, nil, err
		}
		return a.direct(c.History(), "stack", p.tenant), func() error { return nil }, nil
	}
	return a.openDataDir(ctx, p.data, p.tenant)
}

func (a *app) direct(log wholeLog, who, tenant string) *direct {
	by := identity.Principal{ID: who, Tenant: tenant, Role: identity.Auditor}
	return &direct{log: log, by: by, now: a.Now, read: func() {}}
}

// openDataDir opens a log for reading, beside the process that may write to it.
func (a *app) openDataDir(ctx context.Context, dir, tenant string) (*direct, func() error, error) {
	if _, err := os.Stat(filepath.Join(dir, embedded.LogFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usage("%s is no data directory: there is no %s in it", dir, embedded.LogFile)
	}
	log, end, err := embedded.OpenLog(ctx, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return a.direct(log, "data-directory", tenant), end, nil
}

// handler returns what a server reads its log with. Its ledger decodes only, so
// it needs no keys.
func (d *direct) handler(streams auditreplay.Streams) *auditreplay.Handler {
	return &auditreplay.Handler{
		Ledger: eventlog.NewLedger(d.log, events.Register(), nil, d.now, nil),
		Feed:   watched{d.log, d.read}, Walker: d.log, Streams: streams,
	}
}

// History implements past.
func (d *direct) History(ctx context.Context, connection string, after int64) iter.Seq2[events.Record, error] {
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
func (d *direct) StateAt(ctx context.Context, connection string, at time.Time) (audit.Past, error) {
	found, err := d.find(ctx, connection)
	if err != nil {
		return audit.Past{}, err
	}
	return d.handler(found).StateAt(ctx, d.by, connection, at)
}

// Verify checks the whole log.
func (d *direct) Verify(ctx context.Context, against string, progress auditreplay.Progress) (audit.Verified, error) {
	return d.handler(stream{}).Verify(ctx, d.by, against, progress)
}

// find returns a connection's stream. Its id is derived from a secret of the
// tenant, so it is looked up where the connection's facts name it; its first
// fact is one of the first.
func (d *direct) find(ctx context.Context, connection string) (stream, error) {
	for r, err := range d.log.ReadConnection(ctx, d.by.Tenant, connection, 0) {
		if err != nil {
			return stream{}, fmt.Errorf("look for connection %s: %w", connection, err)
		}
		if r.Kind == events.KindConnection {
			return stream{r.Stream}, nil
		}
	}
	return stream{}, fault.Newf(fault.NotFound, "connection-not-found", "There is no connection %q of tenant %q here.", connection, d.by.Tenant)
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
