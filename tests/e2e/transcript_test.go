package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/functions/handoff/system"
	"handoff/infra/safehttp"
)

// files is a bot's file server.
type files struct {
	url string

	mu     sync.Mutex
	status int // 200 when the transcript is there
	body   string
	asked  int
	gate   chan struct{} // if any, answers wait for it
}

func newFiles(t *testing.T, status int, body string) *files {
	t.Helper()
	f := &files{status: status, body: body}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL + "/transcript.json"
	return f
}

// ServeHTTP implements http.Handler.
func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked++
	status, body, gate := f.status, f.body, f.gate
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func (f *files) set(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

func (f *files) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func at(url string) map[string]any {
	return map[string]any{"transcript": map[string]any{"url": url}}
}

const ownForm = `{"messages":[{"from":"customer","text":"fetched hello"},{"from":"bot","text":"fetched answer"}],"complete":true}`

func texts(r received) (out []string) {
	messages, _ := r.value("transcript", "messages").([]any)
	for _, m := range messages {
		m, _ := m.(map[string]any)
		out = append(out, fmt.Sprint(m["text"]))
	}
	return out
}

func TestFullDeliveriesWaitForATranscriptByURL(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"in our own form": ownForm, "as activities": said, "as a list of activities": `[{"type":"message","from":{"role":"user"},"text":"fetched"},{"type":"message","from":{"role":"bot"},"text":"x"}]`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			f := newFiles(t, http.StatusOK, body)
			f.gate = make(chan struct{})
			full, thin := w.connect("full", "full", rules), w.connect("thin", "thin", rules)
			id := w.raise(full, "a", at(f.url)).ID
			w.event(w.raise(thin, "a", at(f.url)).ID, routedEvent) // waits for nothing
			w.settledBut("transcriptfetch")
			if n := len(w.desk.of("full", "")); n != 0 {
				t.Errorf("the desk has %d events before the transcript is there", n)
			}
			close(f.gate)
			if got := texts(w.event(id, routedEvent)); len(got) != 2 {
				t.Errorf("messages = %v, want two", got)
			}
			w.idle()
			if n := tally(w.facts()); n["TranscriptStored"] != 2 || n["TranscriptMissing"] != 0 {
				t.Errorf("facts = %v, want both transcripts stored", n)
			}
			if n := len(w.desk.of("full", "")); n != 1 {
				t.Errorf("the desk has %d events, want 1: nothing came late", n)
			}
		})
	}
}

// settledBut waits until all functions but one have seen everything.
func (w *world) settledBut(name string) {
	w.t.Helper()
	w.eventually("all but "+name+" have seen everything", func() bool {
		return w.number(`SELECT count(*) FROM subscriptions WHERE name <> ? AND position < (SELECT max(pos) FROM facts)`, name) == 0
	})
}

func TestATranscriptThatComesLateIsAnEventOfItsOwn(t *testing.T) {
	t.Parallel()
	w := start(t)
	f := newFiles(t, http.StatusNotFound, ownForm)
	c := w.connect("full", "full", rules)
	id := w.raise(c, "a", at(f.url)).ID
	w.eventually("it was asked for", func() bool { return f.count() > 0 })
	w.clock.advance(11 * time.Second)
	w.poke(c)
	if got := w.event(id, routedEvent); len(texts(got)) != 0 || got.value("transcript", "pending") != true {
		t.Errorf("the desk has %v, want it without a transcript, which is pending", got.body)
	}
	f.set(http.StatusOK)
	w.clock.advance(time.Minute)
	w.poke(c)
	if got := texts(w.event(id, addedEvent)); len(got) != 2 {
		t.Errorf("messages = %v, want two", got)
	}
	var view struct {
		Transcript struct {
			Messages []struct{ Text string }
			URL      string
		}
		Pending bool `json:"transcript_pending"`
	}
	w.must(http.StatusOK, &view, c.hub, "GET", "/v1/escalations/"+id+"/context", nil)
	if len(view.Transcript.Messages) != 2 || view.Transcript.URL != f.url || view.Pending {
		t.Errorf("context = %+v, want the transcript with its URL", view)
	}
}

// poke has the program look at the clock: it waits for instants by timers that
// know nothing of a test that moves it.
func (w *world) poke(c connected) {
	w.t.Helper()
	w.raise(c, "poke-"+w.clock.now().String())
}

func TestATranscriptThatNeverComesIsMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		body    string
		code    string
		instant bool // no further try can help
	}{
		"it is not there for an hour":  {http.StatusNotFound, "", "transcript-unreachable", false},
		"its server fails for an hour": {http.StatusInternalServerError, "", "transcript-unreachable", false},
		"it is gone":                   {http.StatusGone, "", "transcript-gone", true},
		"it is refused":                {http.StatusForbidden, "", "transcript-refused", true},
		"it is too large":              {http.StatusOK, `{"messages":[],"x":"` + strings.Repeat("x", 10<<20) + `"}`, "transcript-too-large", true},
		"it is nonsense":               {http.StatusOK, `<html>`, "transcript-unreadable", true},
		"it breaks a limit":            {http.StatusOK, `{"messages":[{"from":"bot","text":"` + strings.Repeat("x", 32_001) + `"}]}`, "transcript-unreadable", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			f := newFiles(t, c.status, c.body)
			con := w.connect("full", "full", rules)
			id := w.raise(con, "a", at(f.url)).ID
			if !c.instant {
				w.eventually("it was asked for", func() bool { return f.count() > 0 })
				w.settled()
				if n := w.count("TranscriptMissing"); n != 0 {
					t.Errorf("given up after one try")
				}
				w.clock.advance(61 * time.Minute)
				w.poke(con)
			}
			w.eventually("it is missing", func() bool { return w.count("TranscriptMissing") == 1 })
			for _, fact := range w.facts() {
				if fact.Type == "TranscriptMissing" && fact.Clear["code"] != c.code {
					t.Errorf("code = %v, want %s", fact.Clear["code"], c.code)
				}
			}
			if got := w.event(id, routedEvent); c.instant && got.value("transcript", "pending") != nil {
				t.Errorf("the desk has %v, want nothing pending", got.body)
			}
			w.told(2)
			if n := w.count("TranscriptMissing"); n != 1 {
				t.Errorf("%d TranscriptMissing, want 1", n)
			}
		})
	}
}

func TestATranscriptAtAPrivateAddressIsNotFetched(t *testing.T) {
	t.Parallel()
	w := start(t)
	f := newFiles(t, http.StatusOK, ownForm)
	c := w.connect("full", "full", rules)
	w.idle()
	w.stop()
	w.change = append(w.change, func(c *system.Config) { c.Allow = safehttp.Allow{} })
	w.run()
	w.raise(c, "a", at(f.url))
	w.eventually("it is missing", func() bool { return w.count("TranscriptMissing") == 1 })
	if f.count() != 0 {
		t.Error("the private address was asked")
	}
	for _, fact := range w.facts() {
		if fact.Type == "TranscriptMissing" && fact.Clear["code"] != "endpoint-address-refused" {
			t.Errorf("code = %v, want endpoint-address-refused", fact.Clear["code"])
		}
	}
}

func TestATranscriptURLThatRedirectsIsNotFollowed(t *testing.T) {
	t.Parallel()
	w := start(t)
	f := newFiles(t, http.StatusFound, ownForm)
	c := w.connect("full", "full", rules)
	w.raise(c, "a", at(f.url))
	w.eventually("it was asked for", func() bool { return f.count() > 0 })
	w.settled()
	if n := w.count("TranscriptStored"); n != 0 {
		t.Error("the redirect was followed")
	}
}

func TestATranscriptByURLOfAnActivity(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		f := newFiles(t, http.StatusOK, said)
		c := w.connect("full", "full", rules)
		id := w.activities(c, activity("Kx", map[string]string{
			"attachments": `[{"contentType":"application/json","name":"Transcript","contentUrl":"` + f.url + `"}]`,
		}))[0].ID
		if got := texts(w.event(id, routedEvent)); len(got) != 2 || got[0] != "hi there" {
			t.Errorf("messages = %v, want the two of the file", got)
		}
	})
}
