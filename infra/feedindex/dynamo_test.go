package feedindex_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/feedindex"
	"handoff/infra/feedindex/indextest"
	"handoff/tests/awstest"
	"handoff/tests/eventlogtest"
)

// TestTablesKeepTheirPromise holds both tables to what Table says.
func TestTablesKeepTheirPromise(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		keepsItsPromise(t, &indextest.Table{})
	})
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		keepsItsPromise(t, feedindex.NewTable(dynamodb.NewFromConfig(e.Config()), e.Table(t, "index")))
	})
}

func keepsItsPromise(t *testing.T, table feedindex.Table) {
	t.Helper()
	put := func(partition, order, data string, fresh, want bool) {
		t.Helper()
		r := feedindex.Row{Partition: partition, Order: order, Data: []byte(data), Expires: time.Unix(2_000_000_000, 0).UTC()}
		if stored, err := table.Put(t.Context(), r, fresh); err != nil || stored != want {
			t.Fatalf("Put(%s %s) = %t, %v, want %t", partition, order, stored, err, want)
		}
	}
	for i := range 9 {
		put("feed", fmt.Sprintf("%02d", i), fmt.Sprint("d", i), true, true)
	}
	put("feed", "03", "other", true, false)
	put("feed", "04", "new", false, true)
	put("ref#a", "x", "", false, true)
	for sentence, c := range map[string]struct {
		r    feedindex.Range
		want string
	}{
		"all":             {feedindex.Range{Partition: "feed"}, "d0 d1 d2 d3 new d5 d6 d7 d8"},
		"newest first":    {feedindex.Range{Partition: "feed", Newest: true, Page: 2}, "d8 d7 d6 d5 new d3 d2 d1 d0"},
		"from":            {feedindex.Range{Partition: "feed", From: "07"}, "d7 d8"},
		"from between":    {feedindex.Range{Partition: "feed", From: "06~"}, "d7 d8"},
		"to":              {feedindex.Range{Partition: "feed", To: "01"}, "d0 d1"},
		"from and to":     {feedindex.Range{Partition: "feed", From: "01", To: "03", Page: 1}, "d1 d2 d3"},
		"from after to":   {feedindex.Range{Partition: "feed", From: "03", To: "02"}, ""},
		"limited":         {feedindex.Range{Partition: "feed", Limit: 2, Page: 4}, "d0 d1"},
		"the last before": {feedindex.Range{Partition: "feed", To: "05~", Newest: true, Limit: 1}, "d5"},
		"nothing":         {feedindex.Range{Partition: "none"}, ""},
		"no data":         {feedindex.Range{Partition: "ref#a"}, ""},
	} {
		var got []string
		for r, err := range table.Query(t.Context(), c.r) {
			if err != nil || r.Partition != c.r.Partition || !r.Expires.Equal(time.Unix(2_000_000_000, 0)) {
				t.Fatalf("%s: row %+v, %v", sentence, r, err)
			}
			got = append(got, string(r.Data))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s = %q, want %q", sentence, got, c.want)
		}
	}
}

// TestTheFeedOfATableIsAFeed runs the suite over both tables of AWS.
func TestTheFeedOfATableIsAFeed(t *testing.T) {
	t.Parallel()
	e := awstest.Get(t, awstest.MiniStack)
	eventlogtest.RunFeed(t, func(t *testing.T) eventlog.Log {
		db := dynamodb.NewFromConfig(e.Config())
		return index(t, dynamolog.New(db, e.LogTable(t), nil), feedindex.NewTable(db, e.Table(t, "index")))
	})
}

// lossy loses the answer to every n-th request, after it was carried out.
type lossy struct {
	inner aws.HTTPClient
	n     int32
	seen  *atomic.Int32
}

func (l lossy) Do(r *http.Request) (*http.Response, error) {
	answer, err := l.inner.Do(r)
	if err == nil && l.seen.Add(1)%l.n == 0 {
		_ = answer.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return answer, err
}

// TestLostAnswersDoubleNothing has two writers take in the same commits over a
// network that loses every third answer.
func TestLostAnswersDoubleNothing(t *testing.T) {
	t.Parallel()
	e := awstest.Get(t, awstest.MiniStack)
	x := newBench(t)
	lost := &atomic.Int32{}
	config := e.Config()
	config.HTTPClient = lossy{config.HTTPClient, 3, lost}
	config.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 10, time.Millisecond })
	}
	name := e.Table(t, "index")
	index := feedindex.New(dynamodb.NewFromConfig(config), name, x.clock.Now)
	writers := []*feedindex.Writer{index.Writer(x.log, x.codec), index.Writer(x.log, x.codec)}
	for i := range 10 {
		batch := indextest.Changes(x.clock.Now(), x.accept(stream('a')), x.accept(stream(byte('b'+i%3))))
		for _, w := range writers {
			if left, err := w.Add(t.Context(), batch); err != nil || len(left) > 0 {
				t.Fatalf("Add = %v, %v", left, err)
			}
		}
	}
	x.index = feedindex.New(dynamodb.NewFromConfig(e.Config()), name, x.clock.Now)
	x.exact()
	feed := x.feed()
	x.clock.set(at(60))
	if got := x.history("bot-1"); got != feed || !slices.Contains(strings.Fields(feed), "a10") {
		t.Errorf("history = %s\nfeed = %s", got, feed)
	}
	t.Logf("%d requests, every third answer lost: lost 0, doubled 0", lost.Load())
}

// Deadlines and references on the real keys.
func TestTheTableIsSweptAndAsked(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		x := newBench(t)
		x.index = feedindex.New(dynamodb.NewFromConfig(e.Config()), e.Table(t, "index"), x.clock.Now)
		w := x.writer()
		x.deadline(w, 'a', 10)
		x.deadline(w, 'b', 20)
		x.clock.set(at(15))
		if got, err := x.sweep(""); err != nil || got != "a1" {
			t.Errorf("sweep = %q, %v, want a1", got, err)
		}
		x.clock.set(at(20))
		if got, err := x.sweep(""); err != nil || got != "b1" {
			t.Errorf("the next sweep = %q, %v, want b1", got, err)
		}
		clear, _, schema, err := x.codec.Encode(&events.EscalationRaised{CustomerRefs: []string{"r#1"}})
		if err != nil {
			t.Fatal(err)
		}
		c := eventlog.Commit{Stream: stream('c'), Tenant: "default", Facts: []events.Record{{Clear: clear, Header: events.Header{Type: "EscalationRaised", Schema: schema}}}}
		if err := feedindex.WithRefs(x.log, x.index, x.codec).Refer(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if ids, err := x.index.ByCustomer(t.Context(), "default", "r#1"); err != nil || len(ids) != 1 || ids[0] != c.Stream {
			t.Errorf("ByCustomer = %v, %v", ids, err)
		}
	})
}
