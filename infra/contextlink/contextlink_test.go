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

func (keys) Ref(tenant, label, value string) (string, error) {
	return strings.NewReplacer(".", "_").Replace(tenant + "-" + label + "-" + value), nil
}

func TestLinks(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 11, 22, 10, 0, 0, 7, time.UTC)
	url, err := contextlink.New(keys{}, "https://handoff.example").ContextURL(t.Context(), "default", "esc_1-1", until)
	token, ok := strings.CutPrefix(url, "https://handoff.example"+contextlink.Path)
	if err != nil || !ok {
		t.Fatalf("link = %q, %v", url, err)
	}
	later := strings.Replace(token, ".", ".1", 1)
	other := strings.Replace(token, "esc_1-1", "esc_2-1", 1)
	for sentence, c := range map[string]struct {
		token, tenant string
		at            time.Time
		fault         string
	}{
		"a link is good until it ends":             {token, "default", until.Add(-time.Minute), ""},
		"a link ends":                              {token, "default", until, "link-expired"},
		"another escalation is not meant":          {other, "default", until.Add(-time.Minute), "link-invalid"},
		"another end is not meant":                 {later, "default", until.Add(-time.Minute), "link-invalid"},
		"another tenant did not sign":              {token, "other", until.Add(-time.Minute), "link-invalid"},
		"a forged link that ended says no more":    {other, "default", until.Add(time.Hour), "link-invalid"},
		"half a link is none":                      {"esc_1-1", "default", until, "link-invalid"},
		"an end that is no number is none":         {"esc_1-1.!.x", "default", until, "link-invalid"},
		"an escalation without a name is none":     {".a.b", "default", until, "link-invalid"},
		"a signature that is missing is a bad one": {"esc_1-1.zzz.", "default", until, "link-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			link, err := contextlink.Parse(c.token)
			if err == nil {
				err = link.Verify(keys{}, c.tenant, c.at)
			}
			if got := fault.CodeOf(err); err != nil && got != c.fault || err == nil && c.fault != "" {
				t.Errorf("error = %v, want %q", err, c.fault)
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

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "..", "esc_1-1.t0.abc", "esc_1-1.-1.abc", strings.Repeat(".", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if l, err := contextlink.Parse(token); err == nil && l.Escalation == "" {
			t.Error("a link names nothing")
		}
	})
}
