package sqlitelog

// Schema makes the tables of the log where they are missing. Facts and blobs
// are never updated or deleted.
//
// A fact carries its stream's key beside the number under which the stream is
// interned: the key is random, and an index on random keys costs a page per
// fact, while the number stays close to its neighbours. pos is given by SQLite
// as the largest plus one, so it has no gap whatever is rolled back.
//
// A place is a tenant's connection. An index on the place of each fact made
// appends 12 to 17 % slower; place_blocks says which blocks of 256 positions
// hold a fact of a place, which most appends need not touch.
//
// The view log is for people, in SQL that SQLite 3.40 understands.
const Schema = `
CREATE TABLE IF NOT EXISTS places (
	place      INTEGER PRIMARY KEY,
	tenant     TEXT NOT NULL,
	connection TEXT NOT NULL,
	UNIQUE (tenant, connection)
);
CREATE TABLE IF NOT EXISTS streams (
	sid           INTEGER PRIMARY KEY,
	key           BLOB NOT NULL UNIQUE,
	place         INTEGER NOT NULL,
	kind          TEXT NOT NULL,
	head          INTEGER NOT NULL,
	head_hash     BLOB NOT NULL,
	state_version INTEGER NOT NULL,
	state         BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS facts (
	pos         INTEGER PRIMARY KEY,
	sid         INTEGER NOT NULL,
	version     INTEGER NOT NULL,
	place       INTEGER NOT NULL,
	stream      BLOB NOT NULL,
	kind        TEXT NOT NULL,
	type        TEXT NOT NULL,
	schema      INTEGER NOT NULL,
	time        INTEGER NOT NULL,
	commit_id   TEXT NOT NULL,
	causation   TEXT NOT NULL,
	correlation TEXT NOT NULL,
	actor       TEXT NOT NULL,
	key_id      TEXT NOT NULL,
	trace       TEXT NOT NULL,
	hash        BLOB NOT NULL,
	clear       BLOB NOT NULL,
	sealed_sum  BLOB,
	sealed      BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS facts_of_stream ON facts (sid, version);
CREATE TABLE IF NOT EXISTS place_blocks (
	place INTEGER NOT NULL,
	block INTEGER NOT NULL,
	PRIMARY KEY (place, block)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (
	sum   BLOB PRIMARY KEY,
	bytes BLOB NOT NULL
);
CREATE VIEW IF NOT EXISTS log AS
SELECT f.pos, lower(substr(hex(f.stream), 1, 8) || '-' || substr(hex(f.stream), 9, 4) || '-' || substr(hex(f.stream), 13, 4)
		|| '-' || substr(hex(f.stream), 17, 4) || '-' || substr(hex(f.stream), 21)) AS stream, f.version, f.kind, f.type, f.schema, p.tenant, p.connection,
	strftime('%Y-%m-%dT%H:%M:%S', f.time / 1000000000 - (f.time % 1000000000 < 0), 'unixepoch')
		|| printf('.%09dZ', f.time % 1000000000 + 1000000000 * (f.time % 1000000000 < 0)) AS time,
	CAST(f.clear AS TEXT) AS clear, coalesce(length(f.sealed), length(b.bytes), 0) AS sealed_bytes,
	f.actor, f.commit_id, f.causation, f.correlation, f.key_id, f.trace, lower(hex(f.hash)) AS hash
FROM facts f JOIN places p ON p.place = f.place LEFT JOIN blobs b ON f.sealed IS NULL AND b.sum = f.sealed_sum;
`
