package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/tests/harness"
)

// do sends a request and returns status and body. body may be a string, bytes,
// or anything that is JSON. It may be called from any goroutine.
func (w *world) do(key, method, path string, body any, header ...string) (int, []byte, error) {
	status, out, _, err := w.exchange(key, method, path, body, header...)
	return status, out, err
}

// exchange is do that returns the headers of the answer too.
func (w *world) exchange(key, method, path string, body any, header ...string) (int, []byte, http.Header, error) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	case io.Reader:
		r = b
	default:
		j, err := json.Marshal(b)
		if err != nil {
			return 0, nil, nil, err
		}
		r = bytes.NewReader(j)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, r)
	if err != nil {
		return 0, nil, nil, err
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	} else if w.tenantName != "" {
		req.Header.Set("Handoff-Tenant", w.tenantName) // on one machine there is the default one
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	return resp.StatusCode, out, resp.Header, err
}

// call is do, in the goroutine of the test.
func (w *world) call(key, method, path string, body any, header ...string) (int, []byte) {
	w.t.Helper()
	status, out, err := w.do(key, method, path, body, header...)
	if err != nil {
		w.t.Fatal(err)
	}
	return status, out
}

// must is call with the status that is wanted; the answer is decoded into out.
func (w *world) must(status int, out any, key, method, path string, body any, header ...string) {
	w.t.Helper()
	got, b := w.call(key, method, path, body, header...)
	if got != status {
		w.t.Fatalf("%s %s = %d, want %d: %s", method, path, got, status, b)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			w.t.Fatalf("%s %s answered %s: %v", method, path, b, err)
		}
	}
}

// refusal is a problem as callers get it.
type refusal struct {
	Code, Detail, Pointer string
	Problems              []struct{ Pointer, Rule, Detail string }
	Line, Column          int
}

// problem is call where a problem with the given code is wanted.
func (w *world) problem(status int, code, key, method, path string, body any, header ...string) refusal {
	w.t.Helper()
	got, b := w.call(key, method, path, body, header...)
	var p refusal
	if err := json.Unmarshal(b, &p); err != nil || got != status || p.Code != code {
		w.t.Fatalf("%s %s = %d %s, want %d %s", method, path, got, b, status, code)
	}
	return p
}

type answer struct {
	ID        string `json:"escalation_id"`
	Status    string `json:"status"`
	Queue     string `json:"queue"`
	QueueName string `json:"queue_name"`
	Rule      string `json:"rule"`
	Duplicate bool   `json:"duplicate"`
	StatusURL string `json:"status_url"`
	WhyURL    string `json:"why_url"`
}

// raise hands a conversation over.
func (w *world) raise(c connected, conversation string, more ...map[string]any) answer {
	w.t.Helper()
	var a answer
	w.must(http.StatusAccepted, &a, c.bot, "POST", "/v1/connections/"+c.id+"/escalations", handoff(conversation, more...))
	return a
}

func handoff(conversation string, more ...map[string]any) map[string]any {
	body := map[string]any{"conversation_id": conversation, "topic": "Refund"}
	for _, m := range more {
		maps.Copy(body, m)
	}
	return body
}

// report tells what a human agent did.
func (w *world) report(c connected, id, state string) escalation {
	w.t.Helper()
	var e escalation
	w.must(http.StatusOK, &e, c.hub, "POST", "/v1/escalations/"+id+"/status", map[string]string{"state": state})
	return e
}

type escalation struct {
	ID         string
	Connection string `json:"connection_id"`
	RoutedBy   string `json:"routed_by"`
	Number     int    `json:"handoff_number"`
	Status     string
	Queue      struct{ ID string }
	Rule       string
	Code       string
	Deadline   time.Time
	Erased     bool
	Timeline   []struct{ Type, Actor, Message string }
}

func (w *world) escalation(id string) (e escalation) {
	w.t.Helper()
	w.must(http.StatusOK, &e, w.admin, "GET", "/v1/escalations/"+id, nil)
	return e
}

// status waits until an escalation has a status.
func (w *world) status(id, status string) escalation {
	w.t.Helper()
	var e escalation
	w.eventually(id+" is "+status, func() bool { e = w.escalation(id); return e.Status == status })
	return e
}

// fact is one of the log.
type fact struct {
	ID, Stream, Kind, Type string
	Version                int
	Position               int64
	Tenant                 string
	Connection             string `json:"connection_id"`
	Actor                  string
	Causation              string
	Time                   time.Time
	Clear                  map[string]any
	HasSealed              bool `json:"has_sealed"`
}

// facts returns the whole log of the tenant.
func (w *world) facts() []fact {
	w.t.Helper()
	all := w.lines("/v1/facts?after=" + itoa(w.from))
	if w.cloud != nil && len(all) > 0 {
		shared.position = max(shared.position, all[len(all)-1].Position)
	}
	return all
}

// lines returns the facts of all pages; on one machine there is one.
func (w *world) lines(path string) (all []fact) {
	w.t.Helper()
	for path != "" {
		status, body, header, err := w.exchange(w.admin, "GET", path, nil)
		if err != nil || status != http.StatusOK {
			w.t.Fatalf("GET %s = %d: %s %v", path, status, body, err)
		}
		all = append(all, w.parsed(path, body)...)
		path = harness.Next(header)
	}
	return all
}

func (w *world) parsed(path string, body []byte) (all []fact) {
	w.t.Helper()
	s := bufio.NewScanner(bytes.NewReader(body))
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var f fact
		if err := json.Unmarshal(s.Bytes(), &f); err != nil || f.Type == "" {
			w.t.Fatalf("a line of %s is %s: %v", path, s.Bytes(), err)
		}
		all = append(all, f)
	}
	return all
}

// count returns how many facts of a type are in the log.
func (w *world) count(typ string) (n int) {
	w.t.Helper()
	for _, f := range w.facts() {
		if f.Type == typ {
			n++
		}
	}
	return n
}

// types returns the types of facts in their order, those of one connection.
func types(all []fact) (out []string) {
	for _, f := range all {
		out = append(out, f.Type)
	}
	return out
}

// verified is the outcome of a verification.
type verified struct {
	OK             bool
	Facts, Streams int64
	Head, Against  string
	Problems       []struct{ Fact, Code, Detail string }
}

func (w *world) verify(against string) (v verified) {
	w.t.Helper()
	w.must(http.StatusOK, &v, w.admin, "GET", "/v1/verify?against="+against, nil)
	return v
}

// whole fails the test unless the log is whole.
func (w *world) whole() {
	w.t.Helper()
	if v := w.verify(""); !v.OK {
		w.t.Errorf("verify = %+v, want ok", v)
	}
}

// number asks the running system's file.
func (w *world) number(sql string, args ...any) (n int64) {
	w.t.Helper()
	err := w.sys.DB.Read(w.t.Context(), func(c *sqlite.Conn) error {
		return sqlitex.Execute(c, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: func(s *sqlite.Stmt) error {
			n = s.ColumnInt64(0)
			return nil
		}})
	})
	if err != nil {
		w.t.Fatal(fmt.Errorf("%s: %w", sql, err))
	}
	return n
}
