package directory

// Schema makes the tables of the lists where they are missing.
//
// A row's key is the position of the fact that began it, so that rows lie in
// the order in which they came, each index lists the newest first for nothing,
// and building anew gives the same rows. Times are nanoseconds since 1970.
//
// Indexes are few and mostly partial, because each one is paid for with every
// escalation: open ones are looked for by connection and by deadline, ended
// ones by status, and only what moved away from its connection has an entry for
// that too.
const Schema = `
CREATE TABLE IF NOT EXISTS escalations (
	pos        INTEGER PRIMARY KEY,
	tenant     TEXT NOT NULL,
	stream     BLOB NOT NULL,
	number     INTEGER NOT NULL,
	version    INTEGER NOT NULL, -- of its EscalationRaised
	home       TEXT NOT NULL, -- connection on which it was raised
	connection TEXT NOT NULL, -- connection whose rules apply
	status     TEXT NOT NULL,
	open       INTEGER NOT NULL,
	queue      TEXT, -- NULL until it is routed
	queue_name TEXT NOT NULL DEFAULT '',
	hub_queue  TEXT NOT NULL DEFAULT '',
	rule       TEXT NOT NULL DEFAULT '',
	fallback   INTEGER NOT NULL DEFAULT 0,
	priority   INTEGER NOT NULL DEFAULT 0,
	reason     TEXT NOT NULL,
	topic      TEXT NOT NULL,
	language   TEXT NOT NULL,
	channel    TEXT NOT NULL,
	raised_at  INTEGER NOT NULL,
	deadline   INTEGER NOT NULL,
	code       TEXT NOT NULL DEFAULT '',
	erased     INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS escalations_of_stream ON escalations (stream, number);
CREATE INDEX IF NOT EXISTS escalations_of_tenant ON escalations (tenant);
CREATE INDEX IF NOT EXISTS escalations_moved ON escalations (tenant, home) WHERE home <> connection;
CREATE INDEX IF NOT EXISTS escalations_queued ON escalations (tenant, queue) WHERE queue IS NOT NULL;
CREATE INDEX IF NOT EXISTS escalations_open ON escalations (tenant) WHERE open = 1;
CREATE INDEX IF NOT EXISTS escalations_open_here ON escalations (tenant, connection) WHERE open = 1;
CREATE INDEX IF NOT EXISTS escalations_due ON escalations (deadline) WHERE open = 1;
CREATE INDEX IF NOT EXISTS escalations_ended ON escalations (tenant, status) WHERE open = 0;
CREATE INDEX IF NOT EXISTS escalations_ended_here ON escalations (tenant, connection, status) WHERE open = 0;
CREATE TABLE IF NOT EXISTS customers (
	tenant TEXT NOT NULL,
	ref    TEXT NOT NULL, -- keyed hash
	stream BLOB NOT NULL,
	PRIMARY KEY (tenant, ref, stream)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS relays (
	stream  BLOB PRIMARY KEY,
	look_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS relays_due ON relays (look_at);
CREATE TABLE IF NOT EXISTS connections (
	tenant       TEXT NOT NULL,
	id           TEXT NOT NULL,
	status       TEXT NOT NULL,
	hub_type     TEXT NOT NULL,
	organisation TEXT NOT NULL,
	requested_at INTEGER NOT NULL,
	bot          TEXT NOT NULL DEFAULT '', -- whether it is published, as far as is known
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
	pos         INTEGER PRIMARY KEY,
	tenant      TEXT NOT NULL,
	stream      BLOB NOT NULL UNIQUE,
	subject     BLOB NOT NULL, -- stream of the fact that is emitted
	version     INTEGER NOT NULL, -- of that fact
	event       TEXT NOT NULL,
	event_type  TEXT NOT NULL,
	connection  TEXT NOT NULL,
	endpoint    TEXT NOT NULL,
	status      TEXT NOT NULL,
	attempts    INTEGER NOT NULL,
	code        TEXT NOT NULL,
	http_status INTEGER NOT NULL,
	updated_at  INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_of_tenant ON deliveries (tenant);
CREATE INDEX IF NOT EXISTS deliveries_here ON deliveries (tenant, connection);
CREATE INDEX IF NOT EXISTS deliveries_owed ON deliveries (tenant, status) WHERE status <> 'delivered';
CREATE INDEX IF NOT EXISTS deliveries_about ON deliveries (subject, version);
`

const drop = `
DROP TABLE IF EXISTS escalations;
DROP TABLE IF EXISTS customers;
DROP TABLE IF EXISTS relays;
DROP TABLE IF EXISTS connections;
DROP TABLE IF EXISTS deliveries;
`
