package guid_test

import (
	"regexp"
	"testing"

	"handoff/infra/microsoft/entra/guid"
)

const plain = guid.ID("b0000000-0000-4000-8000-00000000000a")

func TestParse(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		pasted string
		want   guid.ID
	}{
		"an id is itself":                       {"b0000000-0000-4000-8000-00000000000a", plain},
		"braces and blanks go":                  {"  {B0000000-0000-4000-8000-00000000000A}\r\n", plain},
		"so do blanks inside of braces":         {"{ B0000000-0000-4000-8000-00000000000A }", plain},
		"quotes, a comma and a byte order mark": {"\ufeff\"b0000000-0000-4000-8000-00000000000a\",", plain},
		"a blank that has no width":             {"\u200bb0000000-0000-4000-8000-00000000000a\u00a0", plain},
		"dashes may be missing":                 {"B00000000000400080000000" + "0000000A", plain},
		"nothing is no id":                      {"", ""},
		"the id of zeros is none":               {"00000000-0000-0000-0000-000000000000", ""},
		"a digit too few":                       {"b0000000-0000-4000-8000-00000000000", ""},
		"a letter that is no digit":             {"g0000000-0000-4000-8000-00000000000a", ""},
		"dashes in other places":                {"b00000000-000-4000-8000-00000000000a", ""},
		"a secret":                              {"q7Z8Q~abcdefghijklmnopqrstuvwxyz0123456", ""},
		"a link that has one in it":             {"https://x.example/b0000000-0000-4000-8000-00000000000a", ""},
		"a name of a resource":                  {"urn:uuid:b0000000-0000-4000-8000-00000000000a", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got, ok := guid.Parse(c.pasted); got != c.want || ok != (c.want != "") {
				t.Errorf("Parse(%q) = %q, %v, want %q", c.pasted, got, ok, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{string(plain), "{B0000000-0000-4000-8000-00000000000A}", "x", "\u200b", "00000000000000000000000000000000"} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	f.Fuzz(func(t *testing.T, pasted string) {
		id, ok := guid.Parse(pasted)
		if ok != form.MatchString(string(id)) {
			t.Fatalf("Parse(%q) = %q, %v", pasted, id, ok)
		}
		if again, same := guid.Parse("{" + string(id) + "} "); ok && (!same || again != id) {
			t.Fatalf("Parse(%q) is %q, which is read as %q", pasted, id, again)
		}
	})
}
