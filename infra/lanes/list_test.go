package lanes_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/lanes"
)

func TestEnqueueWithinATransaction(t *testing.T) {
	t.Parallel()
	d := &desk{}
	db := open(t, filepath.Join(t.TempDir(), "lanes.db"))
	q := lanes.New(db, time.Now, lanes.Options{})
	undone := errors.New("undone")
	write := func(i delivery.Item, fail error) error {
		return db.Write(t.Context(), func(conn *sqlite.Conn) error { return errors.Join(q.Enqueue(conn, i), fail) })
	}
	if err := write(item("desk", "a", 1), undone); !errors.Is(err, undone) {
		t.Fatal(err)
	}
	q.Wake(item("desk", "a", 1)) // of an endpoint that does not exist is harmless
	if err := write(item("desk", "b", 1), nil); err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 2)
	d.answer = func(i delivery.Item, _ bool) (delivery.Progress, error) {
		seen <- i.Subject.Event
		return delivered(), nil
	}
	defer run(t, q, d.attempt)()
	if got := <-seen; got != "b@1" {
		t.Errorf("attempted %s, want b@1 alone", got)
	}
	if err := write(item("desk", "c", 1), nil); err != nil {
		t.Fatal(err)
	}
	q.Wake(item("desk", "c", 1))
	if got := <-seen; got != "c@1" {
		t.Errorf("attempted %s, want c@1", got)
	}
}

func TestListIsPagedAndOfOneTenant(t *testing.T) {
	t.Parallel()
	q := lanes.New(open(t, filepath.Join(t.TempDir(), "lanes.db")), time.Now, lanes.Options{})
	for i := range 5 {
		put(t, q, item("desk", fmt.Sprint("c", i), 1))
	}
	other := item("desk", "x", 1)
	other.Tenant = "other"
	put(t, q, other)
	want := lanes.Query{Tenant: "default", Connection: "store-bot", Endpoint: "desk", Status: delivery.Pending, Limit: 2}
	var seen []string
	for {
		rows, err := q.List(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			seen = append(seen, r.Item.Subject.Event)
		}
		want.After = rows[len(rows)-1].Seq
	}
	if !slices.Equal(seen, []string{"c0@1", "c1@1", "c2@1", "c3@1", "c4@1"}) {
		t.Errorf("listed %q", seen)
	}
	row, ok, err := q.Find(t.Context(), other.ID)
	if err != nil || !ok || row.Item != other {
		t.Errorf("Find = %+v, %t, %v", row, ok, err)
	}
	if _, ok, err := q.Find(t.Context(), events.StreamID{}); ok || err != nil {
		t.Errorf("Find of nothing = %t, %v", ok, err)
	}
}
