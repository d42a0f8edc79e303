package terminal_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"handoff/functions/handoff/cli/terminal"
)

func TestSafe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain text stays":              {"Größe 380 €, 日本語 🙂", "Größe 380 €, 日本語 🙂"},
		"an escape sequence is shown":   {"\x1b[2Jhi", `\x1b[2Jhi`},
		"so is one of C1":               {"\u009b2J", `\u009b2J`},
		"line ends and tabs":            {"a\r\nb\tc", `a\x0d\nb\tc`},
		"delete":                        {"a\x7f", `a\x7f`},
		"a mark that turns the writing": {"a\u202eb", `a\u202eb`},
		"invisible characters":          {"a\u200bb\ufeff\U000e0041", `a\u200bb\ufeff\U000e0041`},
		"a separator of lines":          {"a\u2028b", `a\u2028b`},
		"joiners stay":                  {"क\u200dष", "क\u200dष"},
		"bytes that are no text":        {"a\xffb\xc3", `a\xffb\xc3`},
		"the replacement character":     {"\ufffd", "\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := terminal.Safe(c.in); got != c.want {
				t.Errorf("Safe(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
	if got := terminal.SafeText("a\n\tb\x1b"); got != "a\n\tb\\x1b" {
		t.Errorf("SafeText = %q", got)
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("a\x1b]0;title\x07\u202e\xff\U000e0001")
	f.Fuzz(func(t *testing.T, s string) {
		got := terminal.Safe(s)
		if strings.ContainsFunc(got, unicode.IsControl) || strings.ContainsRune(got, '\u202e') {
			t.Errorf("Safe(%q) = %q", s, got)
		}
		if terminal.Safe(got) != got {
			t.Errorf("Safe changes %q again", got)
		}
		in, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var a, b string
		safe := terminal.SafeJSON(in)
		if err := errors.Join(json.Unmarshal(in, &a), json.Unmarshal(safe, &b)); err != nil || a != b {
			t.Errorf("SafeJSON(%s) = %s, %v", in, safe, err)
		}
		if strings.ContainsFunc(string(safe), unicode.IsControl) {
			t.Errorf("SafeJSON(%s) = %q", in, safe)
		}
	})
}

func printed(o terminal.Options, do func(*terminal.Terminal)) string {
	var b strings.Builder
	t := terminal.New(&b, o)
	do(t)
	_ = t.Flush()
	return b.String()
}

func TestPrintf(t *testing.T) {
	t.Parallel()
	do := func(t *terminal.Terminal) {
		t.Printf("%s %d %-8s|%s\n", terminal.Bold("a\x1b"), 3, "b\n", errors.New("c\a"))
	}
	if got, want := printed(terminal.Options{}, do), "a\\x1b 3 b\\n     |c\\x07\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got, want := printed(terminal.Options{Colour: true}, do), "\x1b[1ma\\x1b\x1b[0m 3 b\\n     |c\\x07\n"; got != want {
		t.Errorf("in colour %q, want %q", got, want)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := func() *terminal.Table {
		table := &terminal.Table{Header: []string{"id", "topic", "empty", "status"}, Fixed: []int{0}}
		table.Row("esc_0123456789", "Refund of a very long order", "", terminal.Green("routed"))
		table.Row("esc_1", "日本語", "", "raised")
		return table
	}
	for name, c := range map[string]struct {
		o    terminal.Options
		want string
	}{
		"columns are aligned, empty ones left out": {terminal.Options{}, `
ID              TOPIC                        STATUS
esc_0123456789  Refund of a very long order  routed
esc_1           日本語                       raised
`},
		"a narrow screen shortens what is no id": {terminal.Options{Width: 36}, `
ID              TOPIC         STATUS
esc_0123456789  Refund of a…  routed
esc_1           日本語        raised
`},
		"a very narrow screen keeps the ids": {terminal.Options{Width: 10}, `
ID              TOPIC     STATUS
esc_0123456789  Refund …  routed
esc_1           日本語    raised
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := "\n" + printed(c.o, func(t *terminal.Terminal) { t.Table(table()) }); got != c.want {
				t.Errorf("printed %s, want %s", got, c.want)
			}
		})
	}
	if got := printed(terminal.Options{Colour: true}, func(t *terminal.Terminal) { t.Table(table()) }); !strings.Contains(got, "\x1b[32mrouted\x1b[0m\n") {
		t.Errorf("in colour %q", got)
	}
}

func TestParagraph(t *testing.T) {
	t.Parallel()
	got := "\n" + printed(terminal.Options{Width: 29}, func(t *terminal.Terminal) {
		t.Paragraph("  → ", "no, because order_total is 380, needs at least 500")
		t.Paragraph("", "")
	})
	want := `
  → no, because order_total
    is 380, needs at least
    500

`
	if got != want {
		t.Errorf("printed %s, want %s", got, want)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	do := func(t *terminal.Terminal) {
		t.Progress("%d of %d", 1, 10)
		t.Progress("%d of %d", 2, 10)
		t.Printf("done\n")
	}
	if got, want := printed(terminal.Options{Live: true, Width: 40}, do), "1 of 10\r\x1b[K2 of 10\r\x1b[Kdone\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got, want := printed(terminal.Options{}, do), "done\n"; got != want {
		t.Errorf("without a terminal %q, want %q", got, want)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestFlushReturnsTheFirstError(t *testing.T) {
	t.Parallel()
	out := terminal.New(full{}, terminal.Options{})
	out.Printf("%s", strings.Repeat("x", 10_000))
	if err := out.Flush(); err == nil {
		t.Error("a full disk goes unnoticed")
	}
}
