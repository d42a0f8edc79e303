package durability_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"handoff/tests/durability"
)

const (
	wal    = `7</data/handoff.db-wal>`
	keys   = `8</data/keys.db-wal>`
	socket = `9<TCP:[127.0.0.1:1->127.0.0.1:2]>`

	// A frame's header, of one that ends its transaction and of one that does not.
	ends  = `"\0\0\0\1\0\0\0\7saltsaltchecksum", 24, 0) = 24`
	midst = `"\0\0\0\1\0\0\0\0saltsaltchecksum", 24, 0) = 24`
)

func TestCheck(t *testing.T) {
	t.Parallel()
	const (
		request = `3 read(` + socket + `, "POST / HTTP/1.1\r\nIdempotency-Key: request-1\r\n", 4096) = 44`
		answer  = `3 write(` + socket + `, "HTTP/1.1 202 Accepted\r\n", 23) = 23`
		header  = `4 pwrite64(` + wal + `, ` + ends
		page    = `4 pwrite64(` + wal + `, "..commit-1..", 8192, 24) = 12`
		sync    = `4 fsync(` + wal + `) = 0`
	)
	for sentence, c := range map[string]struct {
		trace []string
		wrong string // part of what is reported; empty: nothing may be
	}{
		"write, sync, answer":                  {trace: []string{request, header, page, sync, answer}},
		"fdatasync will do":                    {trace: []string{request, header, page, strings.Replace(sync, "fsync", "fdatasync", 1), answer}},
		"a second answer needs no second sync": {trace: []string{request, header, page, sync, answer, answer}},
		"calls that a signal interrupted": {trace: []string{
			request, `3 read(` + socket + `, 0x11eb7e680000, 8192) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)`, header, page, sync, answer,
		}},
		"a sync that a signal interrupted": {trace: []string{
			request, header, page, `4 fsync(` + wal + `) = ? ERESTARTNOINTR (To be restarted)`, answer,
		}, wrong: "no sync"},
		"another status promises nothing":         {trace: []string{request, strings.Replace(answer, "202", "409", 1), header, page, sync, answer}},
		"no sync":                                 {trace: []string{request, header, page, answer}, wrong: "no sync"},
		"the answer first":                        {trace: []string{request, header, page, answer, sync}, wrong: "no sync"},
		"the sync before the write":               {trace: []string{request, sync, header, page, answer}, wrong: "no sync"},
		"a sync of another file":                  {trace: []string{request, header, page, `4 fsync(` + keys + `) = 0`, answer}, wrong: "no sync"},
		"a sync that failed":                      {trace: []string{request, header, page, `4 fsync(` + wal + `) = -1 EIO (Input/output error)`, answer}, wrong: "no sync"},
		"a sync between two frames of the commit": {trace: []string{request, `4 pwrite64(` + wal + `, ` + midst, page, sync, header, `4 pwrite64(` + wal + `, "other", 8192, 24) = 5`, answer}, wrong: "no sync"},
		"a sync after all frames of the commit":   {trace: []string{request, `4 pwrite64(` + wal + `, ` + midst, page, header, `4 pwrite64(` + wal + `, "other", 8192, 24) = 5`, sync, answer}},
		"a transaction that did not end":          {trace: []string{request, `4 pwrite64(` + wal + `, ` + midst, page, sync, answer}, wrong: "no commit"},
		"nothing written":                         {trace: []string{request, sync, answer}, wrong: "no commit"},
		"no answer":                               {trace: []string{request, header, page, sync}, wrong: "no answer"},
		"an answer on another socket":             {trace: []string{request, header, page, sync, strings.Replace(answer, ":2]", ":3]", 1)}, wrong: "no answer"},
		"a sync that began before the write ended": {
			trace: []string{request, header, strings.Replace(page, ", 8192, 24) = 12", " <unfinished ...>", 1), `5 fsync(` + wal + ` <unfinished ...>`, `4 <... pwrite64 resumed>, 8192, 24) = 12`, `5 <... fsync resumed>) = 0`, answer},
			wrong: "no sync",
		},
		"an answer that began while the sync was under way": {
			trace: []string{request, header, page, `4 fsync(` + wal + ` <unfinished ...>`, strings.Replace(answer, ", 23) = 23", ", 23 <unfinished ...>", 1), `4 <... fsync resumed>) = 0`, `3 <... write resumed>) = 23`},
			wrong: "no sync",
		},
		"a sync and an answer in two halves each": {
			trace: []string{`3 read(` + socket + `,  <unfinished ...>`, header, `3 <... read resumed>"Idempotency-Key: request-1", 4096) = 26`, page, `4 fsync(` + wal + ` <unfinished ...>`, `3 --- SIGURG {si_signo=SIGURG} ---`, `4 <... fsync resumed>) = 0`, strings.Replace(answer, ", 23) = 23", ", 23 <unfinished ...>", 1), `4 +++ exited with 0 +++`, `3 <... write resumed>) = 23`},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			wrong, err := durability.Check(durability.Calls(strings.NewReader(strings.Join(c.trace, "\n"))), []durability.Answer{
				{Request: "request-1", Commits: []durability.Commit{{File: "handoff.db-wal", Text: "commit-1"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(wrong, "\n"); (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) {
				t.Errorf("wrong = %q, want %q", got, c.wrong)
			}
		})
	}
}

func TestCheckEveryFile(t *testing.T) {
	t.Parallel()
	trace := strings.Join([]string{
		`3 read(` + socket + `, "request-1", 4096) = 9`,
		`4 pwrite64(` + keys + `, ` + ends, `4 pwrite64(` + keys + `, "key-1", 5, 24) = 5`,
		`4 pwrite64(` + wal + `, ` + ends, `4 pwrite64(` + wal + `, "commit-1", 8, 24) = 8`, `4 fsync(` + wal + `) = 0`,
		`3 write(` + socket + `, "HTTP/1.1 202 Accepted", 21) = 21`,
	}, "\n")
	wrong, err := durability.Check(durability.Calls(strings.NewReader(trace)), []durability.Answer{{Request: "request-1", Commits: []durability.Commit{
		{File: "keys.db-wal", Text: "key-1"}, {File: "handoff.db-wal", Text: "commit-1"},
	}}})
	if err != nil || len(wrong) != 1 || !strings.Contains(wrong[0], "keys.db-wal") {
		t.Errorf("wrong = %q, %v, want one about keys.db-wal", wrong, err)
	}
}

func TestCallsRefuses(t *testing.T) {
	t.Parallel()
	for sentence, line := range map[string]string{
		"a line without a thread": `fsync(` + wal + `) = 0`,
		"data that were cut":      `3 write(` + socket + `, "HTTP/1.1 202"..., 23) = 23`,
		"a string without an end": `3 write(` + socket + `, "HTTP/1.1 202`,
		"an unknown escape":       `3 write(` + socket + `, "\q", 1) = 1`,
		"a call without a result": `3 fsync(` + wal + `)`,
		"an end without a start":  `3 <... fsync resumed>) = 0`,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for c, err := range durability.Calls(strings.NewReader(line)) {
				if err == nil {
					t.Errorf("call = %+v, want an error", c)
				}
				return
			}
			t.Error("nothing, want an error")
		})
	}
}

func FuzzCalls(f *testing.F) {
	f.Add([]byte("3 fsync(" + wal + ") = 0\n"))
	f.Add([]byte("3 read(" + socket + ",  <unfinished ...>\n4 fsync(" + wal + ") = 0\n3 <... read resumed>\"a\\0\\n\\377\", 4096) = 4\n"))
	f.Add([]byte("3 --- SIGURG {si_signo=SIGURG} ---\n3 +++ exited with 0 +++\n"))
	f.Fuzz(func(t *testing.T, trace []byte) {
		end := 0
		for c, err := range durability.Calls(bytes.NewReader(trace)) {
			if err != nil {
				return
			}
			if c.Begin < 1 || c.End < c.Begin || c.End <= end {
				t.Fatalf("call %+v after line %d", c, end)
			}
			end = c.End
		}
	})
}

// FuzzData writes data as strace does, whole or in halves, and reads them.
func FuzzData(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n"), false)
	f.Add([]byte{0, '1', 1, '8', 0xff, '"', '\\', '>', '\n'}, true)
	f.Add([]byte(" <unfinished ...>"), true)
	f.Fuzz(func(t *testing.T, data []byte, halves bool) {
		trace := fmt.Sprintf(`3 write(%s, "%s", %d) = %d`, socket, quote(data), len(data), len(data))
		if halves {
			trace = fmt.Sprintf("3 write(%s, \"%s\", %d <unfinished ...>\n4 fsync(%s) = 0\n3 <... write resumed>) = %d", socket, quote(data), len(data), wal, len(data))
		}
		var got []durability.Call
		for c, err := range durability.Calls(strings.NewReader(trace)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c)
		}
		i := slices.IndexFunc(got, func(c durability.Call) bool { return c.Name == "write" })
		if i < 0 || !bytes.Equal(got[i].Data, data) || got[i].Result != int64(len(data)) || got[i].Begin != 1 {
			t.Errorf("calls = %+v, want one that writes %q", got, data)
		}
	})
}

// quote writes data as strace does (strace, print_quoted_string_ex): octal with
// three digits only where a digit follows.
func quote(data []byte) string {
	var b strings.Builder
	for i, c := range data {
		named := strings.IndexByte("\t\n\v\f\r\"\\", c)
		switch {
		case named >= 0:
			b.WriteString(`\` + `tnvfr"\`[named:named+1])
		case c >= ' ' && c < 0x7f:
			b.WriteByte(c)
		case i+1 < len(data) && '0' <= data[i+1] && data[i+1] <= '9':
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			fmt.Fprintf(&b, `\%o`, c)
		}
	}
	return b.String()
}
