package contextlink_test

import (
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/contextlink"
)

// keys hash as plainly as can be seen through.
type keys struct{}

func (keys) SystemRef(label, value string) string {
	return strings.NewReplacer(".", "_").Replace(label + "-" + value)
}

func TestLinks(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 11, 22, 10, 0, 0, 7, time.UTC)
	l := contextlink.New(keys{}, "https://handoff.example")
	url, err := l.ContextURL(t.Context(), "default", "esc_1-1", until)
	token, ok := strings.CutPrefix(url, "https://handoff.example"+contextlink.Path)
	if err != nil || !ok {
		t.Fatalf("link = %q, %v", url, err)
	}
	change := func(old, new string) string { return strings.Replace(token, old, new, 1) }
	soon, late := until.Add(-time.Minute), until.Add(time.Hour)
	for sentence, c := range map[string]struct {
		token string
		at    time.Time
		fault string
	}{
		"a link is good until it ends":          {token, soon, ""},
		"a link ends":                           {token, until, "link-expired"},
		"another escalation is not meant":       {change("esc_1-1", "esc_2-1"), soon, "link-invalid"},
		"another end is not meant":              {change("esc_1-1.", "esc_1-1.1"), soon, "link-invalid"},
		"another tenant is not meant":           {change("default", "other"), soon, "link-invalid"},
		"a forged link that ended says no more": {change("esc_1-1", "esc_2-1"), late, "link-invalid"},
		"an end in another spelling is none":    {change("esc_1-1.", "esc_1-1.+"), soon, "link-invalid"},
		"an end that is no number is none":      {"default.esc_1-1.!.x", soon, "link-invalid"},
		"half a link is none":                   {"default.esc_1-1", soon, "link-invalid"},
		"nothing is none":                       {"", soon, "link-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			tenant, escalation, end, err := l.Open(c.token, c.at)
			switch {
			case err != nil && fault.CodeOf(err) != c.fault || err == nil && c.fault != "":
				t.Errorf("error = %v, want %q", err, c.fault)
			case err == nil && (tenant != "default" || escalation != "esc_1-1" || !end.Equal(until.Truncate(time.Second))):
				t.Errorf("link leads to %s of %s until %s", escalation, tenant, end)
			}
		})
	}
}

func TestThereIsNoLinkWithoutAnAddress(t *testing.T) {
	t.Parallel()
	if url, err := contextlink.New(keys{}, "").ContextURL(t.Context(), "default", "esc_1-1", time.Now()); url != "" || err != nil {
		t.Errorf("link = %q, %v; want none", url, err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range []string{"", "...", "default.esc_1-1.t0.abc", "default.esc_1-1.-1.abc", strings.Repeat(".", 100)} {
		f.Add(s)
	}
	l := contextlink.New(keys{}, "https://handoff.example")
	f.Fuzz(func(t *testing.T, token string) {
		tenant, escalation, end, err := l.Open(token, time.Time{})
		if err != nil {
			return
		}
		again, err := l.ContextURL(t.Context(), tenant, escalation, end)
		if err != nil || !strings.HasSuffix(again, contextlink.Path+token) {
			t.Errorf("%q opens, and is %q when it is made (%v)", token, again, err)
		}
	})
}
