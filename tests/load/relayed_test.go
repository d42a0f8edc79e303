package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/domain/geography"
	"handoff/functions/handoff/system"
	"handoff/infra/embedded"
	"handoff/infra/microsoft/hosts"
	"handoff/tests/harness"
	"handoff/tests/load"
)

// relayed is everything that is measured of relayed conversations.
type relayed struct {
	sizes []int
	talks []talk
	most  flood
	kept  footprint
	alone endpoint
}

// measureRelayed measures a shop, from one open conversation to many.
func measureRelayed(t testing.TB, p programs, size scale) (m relayed) {
	t.Helper()
	m.sizes = size.chats
	s := newShop(t, p.handoff)
	var customers, direct crowd
	chats := s.chats(t)
	customers.gather(t, 1, s.visit)
	m.kept.begin(s, 1)
	for _, n := range m.sizes {
		customers.gather(t, n, s.visit)
		direct.gather(t, n, chats)
		m.talks = append(m.talks, measureTalk(t, s, &customers, &direct, size))
	}
	m.kept.end(s, customers.size)
	m.most = measureFlood(t, s, &customers, size)
	s.stop(t)
	m.kept.log(t, s)
	m.alone = measureEndpoint(t, p, s, size)
	return m
}

// flood is what customers get who ask again as soon as they are answered.
type flood struct {
	load.Result
	endpoint    load.Result
	ours, fakes time.Duration
	share       load.Share
}

func measureFlood(t testing.TB, s *shop, customers *crowd, size scale) (m flood) {
	t.Helper()
	watched, ours, fakes := s.watch(), load.CPU(s.process.PID()), load.CPU(s.fake.PID())
	s.gate.taken()
	m.Result = checked(t, s.load.Closed(t.Context(), min(clients, customers.size), size.span, customers.send))
	m.endpoint, m.share = s.gate.taken(), watched()
	n := time.Duration(max(1, len(m.Latencies)))
	m.ours, m.fakes = (load.CPU(s.process.PID())-ours)/n, (load.CPU(s.fake.PID())-fakes)/n
	return m
}

// footprint is what open conversations take.
type footprint struct {
	conversations int
	memory        int64 // bytes of the program
	files         int
	facts, bytes  float64 // in the log, for each message that was relayed
}

func (f *footprint) begin(s *shop, conversations int) {
	now, _ := load.Memory(s.process.PID())
	f.conversations, f.memory, f.files = -conversations, -now, -load.Files(s.process.PID())
}

func (f *footprint) end(s *shop, conversations int) {
	now, _ := load.Memory(s.process.PID())
	f.conversations, f.memory, f.files = f.conversations+conversations, f.memory+now, f.files+load.Files(s.process.PID())
}

// log counts in the log of a program that has stopped. Numbers have the eight
// bytes that SQLite gives the longest.
func (f *footprint) log(t testing.TB, s *shop) {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(s.site.Dir, embedded.LogFile), sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var said float64
	err = sqlitex.ExecuteTransient(conn, `
SELECT count(*), sum(length(clear) + ifnull(length(sealed) + length(sealed_sum), 0) + length(hash) + length(stream) + length(kind) + length(type)
	+ length(commit_id) + length(causation) + length(correlation) + length(actor) + length(key_id) + length(trace) + 6 * 8), sum(type = 'MessageRelayed')
FROM facts WHERE kind = 'conversation'`,
		&sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
			f.facts, f.bytes, said = row.ColumnFloat(0), row.ColumnFloat(1), row.ColumnFloat(2)
			return nil
		}})
	if err != nil {
		t.Error(err)
	}
	f.facts, f.bytes = f.facts/said, f.bytes/said
}

// endpoint is the messages endpoint alone: JWT checked, message on disk. Nothing
// is relayed meanwhile.
type endpoint struct {
	handoff, floor, plain load.Result
	steady                load.Result // at 200/s
	share                 load.Share
}

// measureEndpoint serves the data directory of a shop that has stopped, with
// functions that are told of nothing.
func measureEndpoint(t testing.TB, p programs, s *shop, size scale) (m endpoint) {
	t.Helper()
	microsoft, err := hosts.Simulated(t.Context(), s.client, s.urls.Control)
	if err != nil {
		t.Fatal(err)
	}
	in := open(t, s.site, func(c *system.Config) { c.Microsoft, c.Geography = microsoft, geography.Europe })
	srv, answer := httptest.NewServer(in.Handler()), harness.NewSite(t, p.floor, "answer")
	defer func() {
		srv.Close()
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}()
	floor := answer.Start(t)
	ours, theirs := s.mouth(t, srv.URL+messages, http.StatusOK), s.mouth(t, answer.URL, http.StatusAccepted)
	plain := newCaller(t, srv.URL+"/v1/connections/"+quiet+"/escalations", s.plain.WebhookSecret)
	watched := load.Watch(s.fake.PID(), floor.PID())
	for range rounds {
		for into, send := range map[*load.Result]load.Send{&m.handoff: ours.send, &m.floor: theirs.send, &m.plain: plain.send} {
			into.Add(checked(t, s.load.Closed(t.Context(), clients, size.span/rounds, send)))
		}
	}
	m.steady = checked(t, s.load.Open(t.Context(), 200, size.span, ours.send))
	m.share = watched()
	return m
}

// mouth says as the hub does what customers say, each in a conversation of its
// own.
type mouth struct {
	client *http.Client
	url    string
	status int
	header http.Header
	parts  [][]byte // of an activity, between the places for a number
}

// mouth repeats what the hub said last, with other ids.
func (s *shop) mouth(t testing.TB, to string, status int) *mouth {
	t.Helper()
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	var a map[string]any
	if err := json.Unmarshal(s.gate.body, &a); err != nil {
		t.Fatal(err)
	}
	a["id"], a["conversation"] = placeholder, map[string]string{"id": "19:" + placeholder}
	body, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Authorization": s.gate.header["Authorization"], "Content-Type": {"application/json"}}
	return &mouth{client: s.client, url: to, status: status, header: header, parts: bytes.Split(body, []byte(placeholder))}
}

// send is a load.Send.
func (m *mouth) send(ctx context.Context, n int64) error {
	body := bytes.Join(m.parts, []byte(strconv.FormatInt(n, 10)))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = m.header
	answer, err := m.client.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err == nil && answer.StatusCode != m.status {
		err = fmt.Errorf("answer = %d, body %s", answer.StatusCode, text)
	}
	return err
}

func (m relayed) rows() []row {
	var rows []row
	for i, k := range m.talks {
		rows = append(rows, row{
			what: fmt.Sprintf("customer writes → bot's answer in the widget, %s conversations open", count(float64(m.sizes[i]))), bar: "–", share: k.share,
			figure: fmt.Sprintf("p50 %s, p99 %s", ms(k.relayed, 0.5), ms(k.relayed, 0.99)),
			beside: fmt.Sprintf("without Handoff p50 %s, p99 %s; the hub was answered in p50 %s, p99 %s; %.1f ms of a processor each, the fake's %.1f ms",
				ms(k.direct, 0.5), ms(k.direct, 0.99), ms(k.endpoint, 0.5), ms(k.endpoint, 0.99), k.ours.Seconds()*1000, k.fakes.Seconds()*1000),
		})
	}
	a, f, k := m.alone, m.most, m.kept
	perOne := float64(k.memory) / float64(max(1, k.conversations))
	return append(rows, row{
		what: fmt.Sprintf("%d customers who write again at once", clients), bar: "–", share: f.share,
		figure: fmt.Sprintf("%.0f answers/s, p50 %s, p99 %s", f.PerSecond(), ms(f.Result, 0.5), ms(f.Result, 0.99)),
		beside: fmt.Sprintf("the hub was answered in p50 %s, p99 %s; %.1f ms of a processor each, the fake's %.1f ms",
			ms(f.endpoint, 0.5), ms(f.endpoint, 0.99), f.ours.Seconds()*1000, f.fakes.Seconds()*1000),
	}, row{
		what: "messages endpoint alone, JWT checked, on disk, 64 clients", bar: "–", share: a.share,
		figure: fmt.Sprintf("%s/s, p50 %s, p99 %s", count(a.handoff.PerSecond()), ms(a.handoff, 0.5), ms(a.handoff, 0.99)),
		beside: fmt.Sprintf("answer only %s/s; plain intake %s/s", count(a.floor.PerSecond()), count(a.plain.PerSecond())),
	}, row{
		what: "the same at 200/s", bar: "p99 < 1 s", share: a.share,
		figure: fmt.Sprintf("p50 %s, p99 %s", ms(a.steady, 0.5), ms(a.steady, 0.99)), beside: "–",
	}, row{
		what: fmt.Sprintf("an open conversation of %s", count(float64(k.conversations))), bar: "–",
		figure: fmt.Sprintf("%.0f KiB in memory, %.1f open files: %s per GiB", perOne/1024, float64(k.files)/float64(max(1, k.conversations)), count((1<<30)/max(1, perOne))),
		beside: "–",
	}, row{
		what: "the log, for each message that was relayed", bar: "–", beside: "–",
		figure: fmt.Sprintf("%.2f facts, %s bytes", k.facts, count(k.bytes)),
	})
}
