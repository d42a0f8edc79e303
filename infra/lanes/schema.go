package lanes

// Schema makes the tables of the queue where they are missing. Times are
// nanoseconds since 1970.
//
// A row of lane_items is a delivery that is not done: state 0 waits behind
// another one of its lane, 1 is the first of its lane, 2 is parked. What was
// delivered has no row. A lane is an endpoint and a stream. Puts counts how often
// an item was put in again, or hurried, while it was not done.
const Schema = `
CREATE TABLE IF NOT EXISTS lane_endpoints (
	id         INTEGER PRIMARY KEY,
	tenant     TEXT NOT NULL,
	connection TEXT NOT NULL,
	endpoint   TEXT NOT NULL,
	failures   INTEGER NOT NULL DEFAULT 0,
	trips      INTEGER NOT NULL DEFAULT 0,
	open_until INTEGER NOT NULL DEFAULT 0,
	UNIQUE (tenant, connection, endpoint)
);
CREATE TABLE IF NOT EXISTS lane_items (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       BLOB NOT NULL UNIQUE,
	endpoint INTEGER NOT NULL,
	stream   TEXT NOT NULL,
	version  INTEGER NOT NULL,
	event    TEXT NOT NULL,
	type     TEXT NOT NULL,
	state    INTEGER NOT NULL,
	queued   INTEGER NOT NULL,
	due      INTEGER NOT NULL,
	expires  INTEGER NOT NULL,
	tries    INTEGER NOT NULL DEFAULT 0,
	errors   INTEGER NOT NULL DEFAULT 0,
	puts     INTEGER NOT NULL DEFAULT 0,
	code     TEXT NOT NULL DEFAULT '',
	status   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS lane_due ON lane_items (endpoint, due, expires) WHERE state = 1;
CREATE INDEX IF NOT EXISTS lane_order ON lane_items (endpoint, stream, seq) WHERE state < 2;
CREATE INDEX IF NOT EXISTS lane_parked ON lane_items (seq) WHERE state = 2;
`

const (
	waiting = 0
	first   = 1
	parked  = 2
)

const (
	insertEndpoint = `INSERT INTO lane_endpoints (tenant, connection, endpoint) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`
	selectEndpoint = `SELECT id FROM lane_endpoints WHERE tenant = ?1 AND connection = ?2 AND endpoint = ?3`
	allEndpoints   = `SELECT id, tenant, connection, endpoint, failures, trips, open_until FROM lane_endpoints`
	updateEndpoint = `UPDATE lane_endpoints SET failures = ?2, trips = ?3, open_until = ?4 WHERE id = ?1`

	selectState = `SELECT state FROM lane_items WHERE id = ?1`
	deleteByID  = `DELETE FROM lane_items WHERE id = ?1`
	insertItem  = `INSERT INTO lane_items (id, endpoint, stream, version, event, type, queued, due, expires, state)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8,
		CASE WHEN EXISTS (SELECT 1 FROM lane_items WHERE endpoint = ?2 AND stream = ?3 AND state < 2) THEN 0 ELSE 1 END)`
	countPut  = `UPDATE lane_items SET puts = puts + 1 WHERE id = ?1`
	hurryItem = `UPDATE lane_items SET puts = puts + 1, due = min(due, ?2) WHERE id = ?1 AND state = 1 AND tries = 0`

	itemColumns = `SELECT seq, id, stream, version, event, type, expires, tries, errors, puts FROM lane_items `
	selectDue   = itemColumns + `WHERE endpoint = ?1 AND state = 1 AND due <= ?2 ORDER BY due LIMIT ?3`
	// Where only some may go, those go that waited longest.
	selectOldest = itemColumns + `WHERE endpoint = ?1 AND state = 1 AND due <= ?2 ORDER BY expires, seq LIMIT ?3`
	selectNext   = `SELECT due FROM lane_items WHERE endpoint = ?1 AND state = 1 AND due > ?2 ORDER BY due LIMIT 1`

	deleteItem = `DELETE FROM lane_items WHERE seq = ?1 AND puts = ?2`
	parkItem   = `UPDATE lane_items SET state = 2, tries = ?3, code = ?4, status = ?5 WHERE seq = ?1 AND puts = ?2`
	// One that was hurried while an attempt of it only found out that it has to
	// wait is due at once: what it was to wait for may be there.
	retryItem = `UPDATE lane_items SET due = CASE WHEN puts <> ?7 AND ?2 = 0 AND ?6 = 0 THEN ?8 ELSE ?5 END,
		tries = ?2, code = ?3, status = ?4, errors = ?6 WHERE seq = ?1 RETURNING due`
	promote = `UPDATE lane_items SET state = 1, due = ?3 WHERE seq =
		(SELECT min(seq) FROM lane_items WHERE endpoint = ?1 AND stream = ?2 AND state < 2)
		RETURNING seq, id, stream, version, event, type, expires, tries, errors, puts`

	listColumns = `SELECT i.seq, i.id, i.stream, i.version, i.event, i.type, i.expires, i.tries, i.errors, i.puts,
		e.tenant, e.connection, e.endpoint, i.state, i.queued, i.due, i.code, i.status
		FROM lane_items i JOIN lane_endpoints e ON e.id = i.endpoint `
	countItems = `SELECT endpoint, state = 2, count(*) FROM lane_items GROUP BY endpoint, state = 2`
)
