package feedindex

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Partitions of the table. Names in them are escaped, so that none can pose as
// another.
const (
	feedPartition  = "feed"  // order: position of the first fact
	timePartition  = "at"    // order: minute; tells the position of a segment written then
	duePartition   = "due"   // order: minute#position
	sweptPartition = "swept" // order: what was swept; tells up to when
	everyPartition = "every" // order: tenant#connection
)

func historyPartition(tenant, connection string) string { return join("conn", tenant, connection) }
func movedPartition(tenant, connection string) string   { return join("moved", tenant, connection) }
func parkedPartition(tenant string) string              { return join("parked", tenant) }
func requestedPartition(tenant string) string           { return join("connections", tenant) }
func refPartition(tenant, ref string) string            { return join("ref", tenant, ref) }

func join(kind string, names ...string) string {
	for _, n := range names {
		kind += "#" + url.QueryEscape(n)
	}
	return kind
}

// place is the order of a position: 16 hexadecimal digits sort as numbers do.
func place(position int64) string { return fmt.Sprintf("%016x", position) }

const minuteLayout = "2006-01-02T15:04"

// minute is the order of an instant.
func minute(t time.Time) string { return t.UTC().Format(minuteLayout) }

// dueKept is how long a deadline is kept after it has passed.
const dueKept = 30 * 24 * time.Hour

// group names the row that an entry belongs into.
type group struct{ partition, order string }

// rows returns what follows from a segment of the feed: a row for each
// connection, minute and tenant that it is about. They depend on the segment
// alone, so that writing them again changes nothing; but a deadline that has
// passed by now stands under the present minute, where whoever sweeps will
// still come by.
func (s segment) rows(now time.Time) []Row {
	if len(s.Entries) == 0 {
		return nil
	}
	first := place(s.Entries[0].Position)
	groups := make(map[group][]Entry)
	for _, e := range s.Entries {
		for _, g := range e.groups(first, now) {
			groups[g] = append(groups[g], e)
		}
	}
	rows := make([]Row, 0, len(groups)+1)
	for g, entries := range groups {
		r := Row{Partition: g.partition, Order: g.order, Data: pack(s.Written, entries)}
		if g.partition == duePartition {
			r.Expires = later(entries[0].Deadline, now).Add(dueKept)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Partition, b.Partition), strings.Compare(a.Order, b.Order))
	})
	return rows
}

func (e *Entry) groups(first string, now time.Time) []group {
	all := []group{{historyPartition(e.Tenant, e.Connection), first}}
	if !e.Deadline.IsZero() {
		all = append(all, group{duePartition, minute(later(e.Deadline, now)) + "#" + first})
	}
	if e.Moved != "" {
		all = append(all, group{movedPartition(e.Tenant, e.Moved), first})
	}
	if e.Parked {
		all = append(all, group{parkedPartition(e.Tenant), first})
	}
	if e.Requested {
		connection := url.QueryEscape(e.Connection)
		all = append(all, group{requestedPartition(e.Tenant), connection + "#" + place(e.Position)},
			group{everyPartition, url.QueryEscape(e.Tenant) + "#" + connection})
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// timeRow leads from a minute to a segment that was written in it.
func (s segment) timeRow() Row {
	return Row{Partition: timePartition, Order: minute(s.Written), Data: binary.BigEndian.AppendUint64(nil, uint64(s.Entries[0].Position))}
}
