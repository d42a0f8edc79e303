package e2e_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

func TestVerifyFindsWhatWasChangedInTheFile(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "full", rules)
	for _, conversation := range []string{"a", "b", "c"} {
		id := w.raise(c, conversation, map[string]any{"variables": map[string]any{"large": noise(20_000), "order_total": 3}}).ID
		w.report(c, id, "accepted")
	}
	w.idle()
	whole := w.verify("")
	if !whole.OK {
		t.Fatalf("verify = %+v, want ok", whole)
	}
	last := itoa(int64(len(w.log())))
	w.stop()
	const (
		inside = `(SELECT min(pos) FROM facts WHERE type = 'EscalationRouted')` // a fact with others behind it
		stream = `(SELECT sid FROM facts WHERE pos = ` + inside + `)`
	)
	for name, c := range map[string]struct {
		sql, code string
		spared    bool // an earlier head says that nothing of then changed
	}{
		"a changed clear byte":          {sql: `UPDATE facts SET clear = replace(CAST(clear AS TEXT), 'Refunds', 'refunds') WHERE pos = ` + inside, code: "chain-broken", spared: true},
		"a changed header":              {sql: `UPDATE facts SET actor = 'nobody' WHERE pos = ` + inside, code: "chain-broken", spared: true},
		"a changed time":                {sql: `UPDATE facts SET time = time + 1 WHERE pos = ` + inside, code: "chain-broken", spared: true},
		"a changed sealed byte":         {sql: `UPDATE facts SET sealed = substr(sealed, 1, length(sealed) - 1) || x'00' WHERE pos = (SELECT min(pos) FROM facts WHERE sealed IS NOT NULL)`, code: "sealed-differs", spared: true},
		"another sum of sealed bytes":   {sql: `UPDATE facts SET sealed_sum = zeroblob(32) WHERE pos = (SELECT min(pos) FROM facts WHERE sealed_sum IS NOT NULL)`, code: "chain-broken", spared: true},
		"a changed hash":                {sql: `UPDATE facts SET hash = zeroblob(32) WHERE pos = ` + inside, code: "chain-broken", spared: true},
		"a fact without its neighbour":  {sql: `DELETE FROM facts WHERE pos = ` + inside, code: "gap", spared: true},
		"a last fact that is gone":      {sql: `DELETE FROM facts WHERE pos = ` + last, code: "head-differs"},
		"a whole stream that is gone":   {sql: `DELETE FROM streams WHERE sid = ` + stream + `; DELETE FROM facts WHERE sid = ` + stream, code: "gap"},
		"two facts that changed places": {sql: `UPDATE facts SET version = -version WHERE sid = ` + stream + `; UPDATE facts SET version = CASE version WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE -version END WHERE sid = ` + stream, code: "chain-broken", spared: true},
		"a changed carried state":       {sql: `UPDATE streams SET state = replace(CAST(state AS TEXT), '"accepted"', '"failed"') WHERE sid = ` + stream, code: "state-differs", spared: true},
		"a changed head of a stream":    {sql: `UPDATE streams SET head_hash = zeroblob(32) WHERE sid = ` + stream, code: "head-differs", spared: true},
		"a head at another version":     {sql: `UPDATE streams SET head = head + 1 WHERE sid = ` + stream, code: "head-differs", spared: true},
		"a blob that is gone":           {sql: `DELETE FROM blobs WHERE sum = (SELECT min(sum) FROM blobs)`, code: "blob-missing", spared: true},
		"a blob that changed":           {sql: `UPDATE blobs SET bytes = zeroblob(length(bytes)) WHERE sum = (SELECT min(sum) FROM blobs)`, code: "sealed-differs", spared: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &world{t: t, dir: copied(t, w.dir), admin: w.admin, desk: w.desk, clock: w.clock, client: w.client, waits: w.waits, org: w.org, change: w.change}
			f.edit("handoff.db", c.sql)
			f.run()
			t.Cleanup(f.stop)
			v := f.verify("")
			if v.OK || len(v.Problems) == 0 || v.Problems[0].Code != c.code || v.Problems[0].Detail == "" {
				t.Errorf("verify = %+v, want %s", v, c.code)
			}
			v = f.verify(whole.Head)
			if v.OK || (v.Against == "broken") == c.spared {
				t.Errorf("against the earlier head verify = %+v, want it spared %t", v, c.spared)
			}
		})
	}
}

// noise is text that can't be compressed to a few bytes.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('!' + r.IntN(90))
	}
	return string(b)
}

func TestAnEarlierHeadIsTheSameGrownOrBroken(t *testing.T) {
	t.Parallel()
	w := start(t)
	empty := w.verify("").Head
	c := w.connect("store-bot", "thin", rules)
	w.raise(c, "a")
	w.idle()
	early := w.verify("").Head
	if v := w.verify(early); v.Against != "same" || v.Head != early {
		t.Errorf("verify = %+v, want the same", v)
	}
	if v := w.verify(empty); v.Against != "grown" || !v.OK {
		t.Errorf("verify = %+v, want it grown since it was empty", v)
	}
	w.raise(c, "b")
	w.idle()
	late := w.verify(early)
	if late.Against != "grown" || !late.OK {
		t.Errorf("verify = %+v, want it grown", late)
	}
	digit := early[len(early)-1]
	forged := early[:len(early)-1] + string(rune(map[bool]byte{true: '0', false: '1'}[digit != '0']))
	if v := w.verify(forged); v.Against != "broken" || v.OK {
		t.Errorf("verify = %+v, want it broken", v)
	}
	for _, nonsense := range []string{"x", "hh1-", "hh1-5-abc", "hh1--1-" + strings.Repeat("0", 64), strings.Repeat("h", 257)} {
		if status, body := w.call(w.admin, "GET", "/v1/verify?against="+nonsense, nil); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
			t.Errorf("against %s verify answered %d %s, want a refusal", nonsense, status, body)
		}
	}
	// The log goes back to what it was: facts are missing.
	w.stop()
	f := w.fork(t, int64(3))
	f.stop()
	f.edit("handoff.db", `DELETE FROM facts WHERE pos > 3`)
	f.run()
	if v := f.verify(late.Head); v.Against != "broken" || v.OK {
		t.Errorf("verify = %+v, want it broken: facts are missing", v)
	}
}

// TestARewrittenLogIsFoundByAnEarlierHead has somebody who can write the file
// compute the chain anew, which no chain without a key can show.
func TestARewrittenLogIsFoundByAnEarlierHead(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.connect("store-bot", "thin", rules)
	w.raise(c, "a")
	w.idle()
	head := w.verify("").Head
	position := int64(len(w.log()))
	w.stop()
	// Another machine with the same master key tells another story.
	f := w.fork(t, 7)
	f.raise(c, "another")
	f.idle()
	for int64(len(f.log())) < position {
		f.poke(c)
		f.idle()
	}
	if v := f.verify(""); !v.OK {
		t.Errorf("verify = %+v, want the other story whole in itself", v)
	}
	if v := f.verify(head); v.OK || v.Against != "broken" {
		t.Errorf("verify = %+v, want it broken against the earlier head", v)
	}
}
