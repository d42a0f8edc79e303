package strictjson_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/domain/intake/strictjson"
)

func TestBrokenTextsAreRefusedWithTheirPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, code, detail string }{
		"nothing at all":                  {"", "json-invalid", "The body is empty."},
		"only white space":                {" \r\n\t", "json-invalid", "The body is empty."},
		"an object that breaks off":       {`{"a":`, "json-invalid", "line 1, column 6"},
		"a text that breaks off":          {`{"a":"b`, "json-invalid", "breaks off inside a text"},
		"a second value":                  {"{}\n {}", "json-invalid", "something after its end, at line 2, column 2"},
		"the same name twice":             {`{"a":1,"b":2,"a":3}`, "json-invalid", "same name twice in one object, at line 1, column 14"},
		"the same name, once escaped":     {`{"a":1,"\u0061":3}`, "json-invalid", "same name twice"},
		"the same name twice far down":    {`{"x":[{"y":{"a":1,"a":2}}]}`, "json-invalid", "same name twice"},
		"the same name in a large object": {large(40, "n7"), "json-invalid", "same name twice"},
		"a comma too many":                {`[1,2,]`, "json-invalid", "comma before a closing bracket"},
		"a comma too few":                 {"[1\n2]", "json-invalid", "line 2, column 1"},
		"a name without quotes":           {`{a:1}`, "json-invalid", "name in double quotes"},
		"a name without a colon":          {`{"a" 1}`, "json-invalid", "colon"},
		"a line break in a text":          {"[\"é\n\"]", "json-invalid", "control character in a text (a line break is written \\n), at line 1, column 4"},
		"an unknown escape":               {`["\x41"]`, "json-invalid", "backslash"},
		"half an escape":                  {`["\u00"]`, "json-invalid", "backslash"},
		"a word in capitals":              {`[True]`, "json-invalid", "value is expected"},
		"a word misspelt":                 {`[nil]`, "json-invalid", "none of true, false and null"},
		"a leading zero":                  {`[01]`, "json-invalid", "comma"},
		"a bare minus":                    {`[-]`, "json-invalid", "minus"},
		"a point without digits":          {`[1.]`, "json-invalid", "point"},
		"an exponent without digits":      {`[1e+]`, "json-invalid", "exponent"},
		"a byte that is no UTF-8":         {"[\"ab\xff\"]", "json-invalid", "not valid UTF-8, at line 1, column 5"},
		"lists nested too deep":           {strings.Repeat("[", 5000), "limit-exceeded", "deeper than 100 levels at line 1, column 101"},
		"objects nested too deep":         {strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101), "limit-exceeded", "deeper than 100 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fault.Of(skip([]byte(c.in)))
			if f == nil || f.Code != c.code || !strings.Contains(f.Detail, c.detail) {
				t.Errorf("fault = %v, want %s with %q", f, c.code, c.detail)
			}
		})
	}
}

func TestGoodTextsAreRead(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"a byte order mark":          "\ufeff{}",
		"white space all over":       " { \"a\" : [ 1 , -0.5e+3 ] } \r\n",
		"the deepest nesting":        strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"a large object":             large(40, "other"),
		"every escape":               `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`,
		"half of a surrogate pair":   `"\ud83d"`,
		"same names in two objects":  `[{"a":{"a":1}},{"a":2}]`,
		"names that differ in case":  `{"a":1,"A":2}`,
		"an empty name and no value": `{"":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := skip([]byte(in)); err != nil {
				t.Errorf("error = %v, want none", err)
			}
		})
	}
}

func TestValuesOfAWrongKindArePointedAt(t *testing.T) {
	t.Parallel()
	type want struct {
		S  string
		L  []string
		B  bool
		N  int64
		In struct{ S string }
	}
	read := func(in string) (w want, err error) {
		err = strictjson.Read([]byte(in), func(r *strictjson.Reader) error {
			return r.Object(func(name string) error {
				switch name {
				case "s":
					return r.Text(&w.S)
				case "l":
					return r.Texts(&w.L)
				case "b":
					return r.Bool(&w.B)
				case "n":
					return r.Int(&w.N)
				default:
					return r.Object(func(string) error { return r.Text(&w.In.S) })
				}
			})
		})
		return w, err
	}
	for name, c := range map[string]struct{ in, pointer, detail string }{
		"a number for a text":     {`{"s":1}`, "/s", "Expected a text and found a number."},
		"an object in a list":     {`{"l":["a",{}]}`, "/l/1", "Expected a text and found an object."},
		"a null in a list":        {`{"l":[null]}`, "/l/0", "Expected a text and found null."},
		"a text for a list":       {`{"l":"a"}`, "/l", "Expected a list and found a text."},
		"a text for a truth":      {`{"b":"yes"}`, "/b", "Expected true or false and found a text."},
		"a fraction":              {`{"n":1.5}`, "/n", "Expected a whole number, without point or exponent."},
		"a number beyond 64 bits": {`{"n":92233720368547758080}`, "/n", "Expected a whole number, without point or exponent."},
		"a name with a slash":     {`{"a/b~c":{"x":true}}`, "/a~1b~0c/x", "Expected a text and found true or false."},
		"a list for the body":     {`[]`, "", "Expected an object and found a list."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(c.in)
			f := fault.Of(err)
			if f == nil || f.Code != "field-invalid" || f.Pointer != c.pointer || f.Detail != c.detail {
				t.Errorf("fault = %v, want field-invalid at %q: %s", err, c.pointer, c.detail)
			}
		})
	}
	got, err := read(`{"s":"x\u00e9\n","l":["a","b"],"b":true,"n":-3,"in":{"s":null}}`)
	if w := (want{S: "xé\n", L: []string{"a", "b"}, B: true, N: -3}); err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("read %+v, %v, want %+v", got, err, w)
	}
	if got, err = read(`{"s":null,"l":null,"b":null,"n":null}`); err != nil || !reflect.DeepEqual(got, want{}) {
		t.Errorf("read %+v, %v from nulls, want nothing", got, err)
	}
}

func TestWhatIsReadSharesNoMemoryWithTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":{"b":"c"}}`)
	m, err := strictjson.Members(body)
	clear(body)
	if got := string(m["a"]); err != nil || got != `{"b":"c"}` {
		t.Errorf("a = %q, %v, want it as it was", got, err)
	}
}

// FuzzReader holds the reader against encoding/json: what the reader takes,
// encoding/json takes too, and reads the same values.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `{"a":[1,-2.5e3,"\u00e9\ud83d"],"b":{"c":true}}`, `{"a":1,"a":2}`, "\ufeff1", `[01]`, `"\`, "\xff", `{"a":}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := skip(data)
		plain := []byte(strings.TrimPrefix(string(data), "\ufeff"))
		if err != nil {
			if f := fault.Of(err); f == nil || f.Code != "json-invalid" && f.Code != "limit-exceeded" {
				t.Fatalf("error = %v, want a fault", err)
			}
			return
		}
		if !json.Valid(plain) {
			t.Fatalf("took %q, which is no JSON", data)
		}
		m, err := strictjson.Members(data)
		if err != nil {
			return
		}
		var same map[string]json.RawMessage
		if err := json.Unmarshal(plain, &same); err != nil || !reflect.DeepEqual(text(m), text(same)) {
			t.Fatalf("members = %q, encoding/json reads %q, %v", m, same, err)
		}
	})
}

// FuzzText holds the reading of texts against encoding/json.
func FuzzText(f *testing.F) {
	for _, s := range []string{`a\"\\\/\b\f\n\r\t\u00e9`, `\ud83d\ude00`, `\ud83d`, `\ud83d\u0041`, `\ude00\ud83d`, `\uD83D\ud83d\uDE00`, `é`, `\u000`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, inner string) {
		doc := slices.Concat([]byte(`"`), []byte(inner), []byte(`"`))
		var got, want string
		err := strictjson.Read(doc, func(r *strictjson.Reader) error { return r.Text(&got) })
		if err == nil && (json.Unmarshal(doc, &want) != nil || got != want) {
			t.Fatalf("%s reads as %q, want %q", doc, got, want)
		}
	})
}

func BenchmarkSkip(b *testing.B) {
	doc := []byte("[" + strings.Repeat(`{"id":"a|0000001","text":"Where is my parcel? It was sent on Monday.","n":[1,2,3]},`, 200) + "{}]")
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if err := skip(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func skip(data []byte) error {
	return strictjson.Read(data, func(r *strictjson.Reader) error {
		_, err := r.Raw()
		return err
	})
}

// large returns an object of n names n0, n1, … and one more.
func large(n int, more string) string {
	var s strings.Builder
	s.WriteString("{")
	for i := range n {
		s.WriteString(`"n` + strings.TrimPrefix(strictjson.Index(i), "/") + `":0,`)
	}
	return s.String() + `"` + more + `":0}`
}

func text(m map[string]json.RawMessage) map[string]string {
	s := make(map[string]string, len(m))
	for k, v := range m {
		s[k] = string(v)
	}
	return s
}
