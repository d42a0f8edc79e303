package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"handoff/domain/fault"
	"handoff/functions/handoff/system"
	"handoff/infra/keyring"
)

func TestADataDirectorySurvives(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	first := w.raise(c, "a", map[string]any{"summary": "before"})
	done := w.raise(c, "b").ID
	w.report(c, done, "completed")
	w.idle()
	before, head, seen := w.log(), w.verify("").Head, len(w.desk.got(""))
	for range 3 {
		w.restart()
		w.idle()
		if v := w.verify(head); !v.OK || v.Against != "same" {
			t.Errorf("verify = %+v, want the same log", v)
		}
		if after := w.log(); !slices.Equal(types(after), types(before)) {
			t.Errorf("facts = %v, want %v", types(after), types(before))
		}
	}
	if n := len(w.desk.got("")); n != seen {
		t.Errorf("the desk has %d events, want %d", n, seen)
	}
	var view struct{ Summary string }
	w.must(http.StatusOK, &view, c.hub, "GET", "/v1/escalations/"+first.ID+"/context", nil)
	if view.Summary != "before" {
		t.Errorf("context = %+v, want it readable", view)
	}
	if a := w.raise(c, "a", map[string]any{"summary": "before"}); a.ID != first.ID || !a.Duplicate || a.Queue != first.Queue || a.Rule != first.Rule {
		t.Errorf("answer = %+v, want the first one %+v", a, first)
	}
	if a := w.raise(c, "b"); a.ID != done+"-2" {
		t.Errorf("answer = %+v, want the next number", a)
	}
	if all := w.list("/v1/escalations?limit=1"); len(all) != 3 {
		t.Errorf("%d escalations are listed, want 3", len(all))
	}
}

func TestTheListsAreBuiltAgainFromTheLog(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	w.connect("target", "full", rules)
	who := map[string]any{"customer": map[string]string{"id": "c-881"}}
	w.report(c, w.raise(c, "a", who).ID, "completed")
	w.raise(c, "a", who)
	w.raise(c, "b", who)
	w.must(http.StatusOK, nil, w.admin, "DELETE", "/v1/escalations/"+w.raise(c, "c").ID+"/context", nil)
	w.hangUp("store-bot", map[string]string{"to": "target"})
	w.idle()
	paths := []string{
		"/v1/escalations", "/v1/escalations?status=open", "/v1/connections/target/escalations", "/v1/connections", "/v1/deliveries?limit=500",
		"/v1/escalations?queue=refunds", "/v1/escalations?status=completed",
	}
	before := make([]string, len(paths))
	for i, path := range paths {
		_, b := w.call(w.admin, "GET", path, nil)
		before[i] = string(b)
	}
	w.stop()
	w.edit("handoff.db", `DELETE FROM subscriptions WHERE name = 'directory'; DELETE FROM escalations WHERE number = 1`)
	w.run()
	for i, path := range paths {
		if _, b := w.call(w.admin, "GET", path, nil); string(b) != before[i] {
			t.Errorf("GET %s is now\n%s, was\n%s", path, b, before[i])
		}
	}
}

func TestADataDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	w.raise(c, "a")
	w.idle()
	refused := func(change func(*system.Config)) error {
		t.Helper()
		config := w.config()
		change(&config)
		s, err := system.Open(t.Context(), config)
		if err == nil {
			t.Error("the data directory was opened")
			_ = s.Close()
		}
		return err
	}
	if err := refused(func(*system.Config) {}); !fault.Is(err, "data-directory-busy") {
		t.Errorf("a second program was refused with %v, want data-directory-busy", err)
	}
	w.raise(c, "still works")
	w.stop()
	another := filepath.Join(t.TempDir(), "other.key")
	if _, err := keyring.LoadOrCreateMasterKey(another); err != nil {
		t.Fatal(err)
	}
	if err := refused(func(c *system.Config) { c.KeyFile = another }); !errors.Is(err, keyring.ErrWrongMasterKey) {
		t.Errorf("another key was refused with %v, want ErrWrongMasterKey", err)
	}
	missing := filepath.Join(t.TempDir(), "none.key")
	if err := refused(func(c *system.Config) { c.KeyFile = missing }); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("no key was refused with %v, want the path in it", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Error("a new key was made for an old data directory")
	}
	data, key := filepath.Join(w.dir, "data"), filepath.Join(w.dir, "keys", "master.key")
	for path, mode := range map[string]os.FileMode{data: 0o755, key: 0o640} {
		was, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := refused(func(*system.Config) {}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s with mode %#o was refused with %v, want the path in it", path, mode, err)
		}
		if err := os.Chmod(path, was.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	w.run() // nothing of it did harm
	w.raise(c, "works again")
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.raise(w.connect("store-bot", "full", rules), "a")
	for _, dir := range []string{"data", "keys"} {
		err := filepath.Walk(filepath.Join(w.dir, dir), func(path string, i os.FileInfo, err error) error {
			if err == nil && i.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %#o", path, i.Mode().Perm())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheFirstKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.stop()
	s := w.opened()
	defer func() { _ = s.Close() }()
	key, first, err := s.EnsureAdmin(t.Context(), w.admin)
	if err != nil || first || key != w.admin {
		t.Errorf("EnsureAdmin = %q %t %v, want the key that there is", key, first, err)
	}
	// The key itself is in no file.
	w.absent("stopped", w.admin, w.admin[len(w.admin)-20:])
}

// TestKeysAndSecretsAreInNoFile looks for what was handed out.
func TestKeysAndSecretsAreInNoFile(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	w.raise(c, "a")
	w.idle()
	tail := func(s string) string { return s[len(s)-16:] }
	w.absent("running", tail(c.bot), tail(c.hub), tail(c.webhook), tail(c.secret.Reveal()), tail(w.admin))
	w.stop()
	w.absent("stopped", tail(c.bot), tail(c.hub), tail(c.webhook), tail(c.secret.Reveal()), tail(w.admin))
}

// TestAStopUnderLoadLosesNothing ends the program as an operator would while
// many raise.
func TestAStopUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	var mu sync.Mutex
	acknowledged := make(map[string]string)
	enough := make(chan struct{})
	var wg sync.WaitGroup
	for client := range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				conversation := fmt.Sprintf("%d-%d", client, i)
				status, body, err := w.do(c.bot, "POST", "/v1/connections/store-bot/escalations", handoff(conversation))
				if err != nil {
					return // the program ended
				}
				var a answer
				if status != http.StatusAccepted || json.Unmarshal(body, &a) != nil {
					t.Errorf("raise = %d %s", status, body)
					return
				}
				mu.Lock()
				acknowledged[conversation] = a.ID
				if len(acknowledged) == 200 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	end := w.end
	if err := end(); err != nil {
		t.Errorf("serve: %v", err)
	}
	wg.Wait()
	w.end = nil
	w.client.CloseIdleConnections()
	w.run()
	for conversation, id := range acknowledged {
		if a := w.raise(c, conversation); a.ID != id || !a.Duplicate {
			t.Errorf("%s is now %+v, want %s", conversation, a, id)
		}
	}
	w.idle()
	n := tally(w.facts())
	if n["EscalationRaised"] != n["EscalationRouted"] || n["EscalationRaised"] < len(acknowledged) {
		t.Errorf("facts = %v, want at least %d raised and all of them routed", n, len(acknowledged))
	}
	if got := len(w.desk.of("store-bot", routedEvent)); got != n["EscalationRaised"] {
		t.Errorf("the desk has %d events, want %d", got, n["EscalationRaised"])
	}
	w.whole()
}
