package dynamokeys

import (
	"regexp"
	"strings"
	"testing"
)

// Every name becomes one that parameters may have, and comes back from it; what
// is no such name is refused.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"default", "Acme Inc.", "a_b", "_", "_2", "_2f", "_2F", "a/b", "ü", "\xff", "__", "%!x"} {
		f.Add(name)
	}
	allowed := regexp.MustCompile(`^[a-zA-Z0-9_.-]*$`)
	f.Fuzz(func(t *testing.T, name string) {
		escaped := escape(name)
		if back, err := unescape(escaped); err != nil || back != name || !allowed.MatchString(escaped) {
			t.Errorf("%q is written %q and read %q, %v", name, escaped, back, err)
		}
		if read, err := unescape(name); err == nil && escape(read) != name {
			t.Errorf("%q is read as %q, which is written %q", name, read, escape(read))
		}
	})
}

// Whatever stands in a parameter, an error tells nobody what it is.
func FuzzParameters(f *testing.F) {
	f.Add("acme", `{"tenant":"acme","naming":"AAAA","wrapping":""}`)
	f.Add("", `{"naming":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}`)
	f.Add("acme", `AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=`)
	f.Add("acme", ``)
	f.Fuzz(func(t *testing.T, tenant, value string) {
		_, err := parse(tenant, value)
		if err != nil && len(value) > 8 && strings.Contains(err.Error(), value) {
			t.Errorf("error = %v, which tells %q", err, value)
		}
	})
}
