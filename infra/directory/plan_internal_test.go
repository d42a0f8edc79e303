package directory

import (
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"

	"handoff/infra/sqlitedb"
)

// TestNoQueryScansOrSorts reads SQLite's own account of how it runs each
// statement: every one goes through an index, and only those that few rows can
// match sort.
func TestNoQueryScansOrSorts(t *testing.T) {
	t.Parallel()
	db, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "handoff.db"), sqlitedb.Options{Schema: Schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	sorted := map[string]bool{ofStreams: true, ofCustomer: true, deliveriesAbout: true}
	for _, sql := range []string{
		meet, route, move, postpone, accept, end, eraseAll, request, progress, settle, park,
		ofTenant, allOpen, ended, queued, here, openHere, endedHere, ofStreams, ofCustomer,
		selectConnections, deliveriesOfTenant, deliveriesHere, deliveriesOwed, deliveriesAbout, oneDelivery, selectVersions,
		selectOpen, selectDue, selectByCustomer, selectRelays, rest, leave,
	} {
		for _, line := range explain(t, db, sql) {
			scans := strings.HasPrefix(line, "SCAN") && line != "SCAN escalations USING INDEX escalations_due"
			if scans || strings.Contains(line, "TEMP B-TREE") && !sorted[sql] {
				t.Errorf("%s\n%s", line, sql)
			}
		}
	}
}

func explain(t *testing.T, db *sqlitedb.DB, sql string) (lines []string) {
	t.Helper()
	err := db.Read(t.Context(), func(conn *sqlite.Conn) error {
		return query(conn, "EXPLAIN QUERY PLAN "+sql, nil, func(s *sqlite.Stmt) { lines = append(lines, s.ColumnText(3)) })
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return lines
}
