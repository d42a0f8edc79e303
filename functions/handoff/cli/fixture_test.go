package cli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/uuid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/domain"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/delivery"
	"handoff/domain/escid"
	"handoff/events"
	"handoff/functions/auditreplay"
	"handoff/infra/embedded"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/sqlitedb"
)

func streamID(last byte) events.StreamID {
	return uuid.UUID{0x6f, 0x1c, 0x5a, 0x52, 6: 0x80, 8: 0x80, 15: last}
}

func escalationID() string { return escid.Of(streamID(2), 1) }
func deliveryID() string   { return delivery.NameOf(streamID(3)) }

// open is a sealer that seals nothing.
type open struct{}

func (open) Seal(_ context.Context, _ string, _ events.KeyID, _, plain []byte) ([]byte, error) {
	return plain, nil
}

func (open) Open(_ context.Context, _ string, _ events.KeyID, _, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// streams are the streams of the recorded log, by what they stand for.
type streams struct{}

func (streams) StreamID(_ string, _ events.Kind, parts ...string) (events.StreamID, error) {
	if parts[0] == "store-bot" {
		return streamID(1), nil
	}
	return streamID(99), nil
}

// recorder appends what is decided, with a clock of its own.
type recorder struct {
	*eventlog.Ledger
	t  *testing.T
	at time.Time
}

// record makes a data directory with the history of a connection, and returns
// what reads it.
func record(t *testing.T, dir string) *auditreplay.Handler {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sqlitedb.Open(t.Context(), filepath.Join(dir, embedded.LogFile), sqlitedb.Options{Schema: sqlitelog.Schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	log, err := sqlitelog.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{t: t}
	n := 0
	r.Ledger = eventlog.NewLedger(log, events.Register(), open{}, func() time.Time { return r.at }, func() string { n++; return "c-" + string(rune('a'+n)) })
	r.connect()
	r.escalate()
	r.deliver()
	return &auditreplay.Handler{Ledger: r.Ledger, Feed: log, Walker: log, Streams: streams{}}
}

// do carries out a command at a time of the morning of today.
func do[S any](r *recorder, d domain.Decider[S], stream byte, at string, actor string, cmd func(id uuid.UUID) eh.Command) {
	r.t.Helper()
	clock, err := time.Parse("15:04:05.000", at)
	if err != nil {
		r.t.Fatal(err)
	}
	y, m, day := today().Date()
	r.at = time.Date(y, m, day, clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), zone())
	home := eventlog.Stream{ID: streamID(stream), Tenant: "default", Connection: "store-bot"}
	_, err = eventlog.Execute(r.t.Context(), r.Ledger, d, home, eventlog.Origin{Actor: actor}, func(S) (eh.Command, error) { return cmd(home.ID), nil })
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *recorder) connect() {
	const ann, self = "mfrggzdf", "function:connectionrequested"
	do(r, connection.Decider, 1, "09:00:00.000", ann, func(id uuid.UUID) eh.Command {
		return connection.Request{
			To: connection.To(id),
			Fact: events.ConnectionRequested{
				Connection: "store-bot", Bot: events.Bot{Name: "Ella\x1b[31m"}, Hub: events.Hub{Type: "generic", Organisation: "store", ApplicationID: "app-1"},
				Notice: events.Notice{AcceptedBy: "ann@store.example", AcceptedAt: r.at, TextVersion: "1"},
			},
			Endpoints: []events.EndpointSet{{Endpoint: "desk", URL: "https://desk.example/in", Mode: "full"}},
			Rules:     &events.RulesAdopted{RuleSet: "sha256:9f86d081884c7d659a2feaa0c55ad015", Name: "store-bot", Source: "version: 1\n"},
		}
	})
	do(r, connection.Decider, 1, "09:00:01.000", self, func(id uuid.UUID) eh.Command {
		return connection.RegisterApp{To: connection.To(id), Session: 1, Fact: events.AppRegistered{HubType: "generic", Organisation: "store", ApplicationID: "app-1"}}
	})
	do(r, connection.Decider, 1, "09:00:02.000", self, func(id uuid.UUID) eh.Command {
		return connection.EnableChannel{To: connection.To(id), Session: 1, Fact: events.ChannelEnabled{Channel: "webhook", By: "handoff"}}
	})
	do(r, connection.Decider, 1, "09:00:03.000", self, func(id uuid.UUID) eh.Command { return connection.MakeReady{To: connection.To(id), Session: 1} })
}

func (r *recorder) escalate() {
	do(r, conversation.Decider, 2, "09:10:12.004", "botbotbo", func(id uuid.UUID) eh.Command {
		return conversation.Raise{
			To: conversation.To(id),
			Fact: events.EscalationRaised{
				Number: 1, RaisedAt: r.at, ExpiresAt: r.at.Add(24 * time.Hour), Reason: "customer_asked", Topic: "Refund\x1b]0;x\a", Language: "nl-NL", Channel: "web",
				Request: events.Request{ID: "r", Fingerprint: "f", Format: "plain"}, Counts: events.Counts{Messages: 6, Variables: 11}, Context: &events.Context{ConversationID: "Kx81c"},
			},
			Route: &events.EscalationRouted{
				Number: 1, Connection: "store-bot", ConnectionVersion: 6, DecidedAt: r.at, Queue: events.Queue{ID: "refunds-nl", Name: "Refunds (Dutch)"}, Priority: 60,
				Skills: []string{"refunds"}, Route: events.Route{RuleSet: "sha256:9f", Rule: "refunds in Dutch", RuleIndex: 2, Outcomes: "x", Evaluator: "e", TimeZones: "z"},
			},
		}
	})
	do(r, conversation.Decider, 2, "09:12:00.000", "hubhubhu", func(id uuid.UUID) eh.Command {
		return conversation.Report{To: conversation.To(id), Number: 1, Status: conversation.Accepted, Words: &events.Words{Message: "I'll take it."}}
	})
}

func (r *recorder) deliver() {
	subject := events.DeliverySubject{Event: escalationID() + "@2", EventType: "handoff.escalation.routed.v1", Stream: streamID(2).String(), Version: 2, Connection: "store-bot", Endpoint: "desk"}
	do(r, delivery.Decider, 3, "09:12:01.000", "function:deliver", func(id uuid.UUID) eh.Command {
		return delivery.Attempt{To: delivery.To(id), Number: 1, Subject: subject, Outcome: delivery.Outcome{Code: "server-error", Status: 503, StartedAt: r.at, Duration: 12 * time.Millisecond}}
	})
	do(r, delivery.Decider, 3, "09:12:06.000", "function:deliver", func(id uuid.UUID) eh.Command {
		return delivery.Attempt{To: delivery.To(id), Number: 2, Subject: subject, Outcome: delivery.Outcome{Code: delivery.CodeDelivered, Status: 200, StartedAt: r.at, Duration: 8 * time.Millisecond}}
	})
}

// breakFact copies a data directory and changes one fact in the copy.
func breakFact(t *testing.T, from, to string) string {
	t.Helper()
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	src, err := sqlite.OpenConn(filepath.Join(from, embedded.LogFile), sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(src, "VACUUM INTO ?", &sqlitex.ExecOptions{Args: []any{filepath.Join(to, embedded.LogFile)}})
	if err := errors.Join(err, src.Close()); err != nil {
		t.Fatal(err)
	}
	dst, err := sqlite.OpenConn(filepath.Join(to, embedded.LogFile), sqlite.OpenReadWrite|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(dst, `UPDATE facts SET clear = CAST(replace(CAST(clear AS TEXT), 'refunds-nl', 'refunds-xx') AS BLOB)`, nil)
	if err := errors.Join(err, dst.Close()); err != nil {
		t.Fatal(err)
	}
	return to
}
