// Package directory keeps the lists: which escalations, connections and
// deliveries there are, and what is due.
//
// It is made of read models, built from clear parts of facts alone, so it holds
// nothing personal. Nothing depends on it that can't be rebuilt: it can be
// thrown away at any time and is built anew from the log. It follows the log
// with a small delay; who must see what was just appended waits with the
// subscription's CatchUp first.
package directory

import (
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/sqlitedb"
	"handoff/infra/subscription"
)

// Name is the directory's among the subscriptions.
const Name = "directory"

// version grows when the tables do, or what is written to them.
const version = 3

// Directory answers from the lists in a file that was opened with Schema. It is
// safe for concurrent use and has nothing to close.
type Directory struct {
	db    *sqlitedb.DB
	codec *events.Codec
}

// New returns the directory in a file.
func New(db *sqlitedb.DB, codec *events.Codec) *Directory {
	return &Directory{db: db, codec: codec}
}

// Projection returns the subscription that keeps the directory up to date.
func (d *Directory) Projection() subscription.Projection {
	return subscription.Projection{
		Name: Name, Version: version, Apply: d.project, Clear: Clear,
		Types: []string{
			"ConnectionRequested", "AppRegistered", "ChannelEnabled", "ConnectionReady", "Disconnected", "BotPublished", "BotUnpublished",
			"EscalationRaised", "EscalationContextAdded", "EscalationRouted", "EscalationDeadlineSet", "EscalationAccepted",
			"EscalationCompleted", "EscalationFailed", "EscalationExpired", "ContextErased",
			"RelayStarted", "BotConversationOpened", "MessagesTaken", "MessageRelayed", "RelayRested", "RelayEnded",
			"DeliveryAttempted", "Delivered", "DeliveryParked", "DeliveryResent",
		},
	}
}

func (d *Directory) project(conn *sqlite.Conn, r events.Record) error {
	f, err := d.codec.Decode(r.Type, r.Schema, r.Clear)
	if err != nil {
		return fault.New(fault.Unprocessable, "fact-unreadable", "The fact can't be read by this version of Handoff.").Because(err)
	}
	return Apply(conn, r, f)
}

// Clear empties the directory and makes its tables anew.
func Clear(conn *sqlite.Conn) error {
	return sqlitex.ExecuteScript(conn, drop+Schema, nil)
}

// query is sqlitedb.Query with the arguments before what is done with each row.
func query(conn *sqlite.Conn, sql string, args []any, each func(*sqlite.Stmt)) error {
	return sqlitedb.Query(conn, sql, each, args...)
}
