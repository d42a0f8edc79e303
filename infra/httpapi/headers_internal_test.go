package httpapi

import (
	"strings"
	"testing"
)

func FuzzIdempotencyKey(f *testing.F) {
	for _, s := range []string{"", `"a"`, "a", `"a\"b\\"`, `"a`, `"\x"`, `"";`, "a b", "\"\x7f\"", strings.Repeat("x", 257), `"é"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := parseIdempotencyKey([]string{s})
		if err != nil {
			return
		}
		if key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("%q is read as %q", s, key)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, err := parseIdempotencyKey([]string{quoted}); err != nil || again != key {
			t.Fatalf("%q is read as %q, which is read again as %q (%v)", s, key, again, err)
		}
	})
}

func FuzzTraceparent(f *testing.F) {
	const parts = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
	for _, s := range []string{"00" + parts + "01", "00" + parts + "0a", "cc" + parts + "0b-more", "ff" + parts + "01", "00" + parts + "01-x", "00" + parts + "0A", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parseTraceparent([]string{s})
		if !ok {
			if p != "" {
				t.Fatalf("%q is none and read as %q", s, p)
			}
			return
		}
		if len(p) != traceparentLength || !strings.HasPrefix(string(p), "00-") || p.traceID() != s[3:35] {
			t.Fatalf("%q is read as %q", s, p)
		}
		if again, ok := parseTraceparent([]string{string(p)}); !ok || again != p {
			t.Fatalf("%q is read again as %q", p, again)
		}
	})
}

func TestTraceparentOfLaterVersions(t *testing.T) {
	t.Parallel()
	const parts = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
	for in, want := range map[string]string{
		"00" + parts + "03":                                      "00" + parts + "03",
		"01" + parts + "03":                                      "00" + parts + "01",
		"01" + parts + "0a-what-ever":                            "00" + parts + "00",
		"01" + parts + "01what-ever":                             "",
		"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01": "",
		"00-0af7651916cd43dd8448eb211c80319c-" + strings.Repeat("0", 16) + "-01": "",
	} {
		if got, _ := parseTraceparent([]string{in}); string(got) != want {
			t.Errorf("%q is read as %q, want %q", in, got, want)
		}
	}
	if got, ok := parseTraceparent([]string{"00" + parts + "01", "00" + parts + "01"}); ok {
		t.Errorf("two are read as %q", got)
	}
}
