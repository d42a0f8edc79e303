package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	invopop "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"handoff/events"
	"handoff/events/schema"
)

func TestSchemasAreThoseOfTheTypes(t *testing.T) {
	t.Parallel()
	codec, reflector := events.Register(), newReflector(t)
	for name, version := range codec.Types() {
		f := zero(t, codec, name, version)
		compareSchema(t, schema.ClearName(name, version), reflector.clear(f))
		if p, ok := f.(events.Confidential); ok {
			compareSchema(t, schema.PrivateName(name, privateVersion(t, codec, f)), reflector.private(p))
		}
	}
}

func TestEveryVersionHasASchema(t *testing.T) {
	t.Parallel()
	var want []string
	codec := events.Register()
	for name, current := range codec.Types() {
		for v := 1; v <= current; v++ {
			want = append(want, schema.ClearName(name, v))
		}
		f := zero(t, codec, name, current)
		if _, ok := f.(events.Confidential); ok {
			for v := 1; v <= privateVersion(t, codec, f); v++ {
				want = append(want, schema.PrivateName(name, v))
			}
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(schema.Names())); !slices.Equal(got, want) {
		t.Errorf("schemas = %v\nwant %v", got, want)
	}
	if _, ok := schema.Clear("EscalationRaised", 99); ok {
		t.Error("there is a schema of a version that does not exist")
	}
}

func TestGoldenFilesFollowTheirSchemas(t *testing.T) {
	t.Parallel()
	for name, current := range events.Register().Types() {
		for version := 1; version <= current; version++ {
			t.Run(fmt.Sprintf("%s.v%d", name, version), func(t *testing.T) {
				t.Parallel()
				g := readGolden(t, name, version)
				validate(t, schema.ClearName(name, version), g.Clear)
				if g.Private != nil {
					validate(t, schema.PrivateName(name, g.PrivateSchema), g.Private)
				}
			})
		}
	}
}

func TestEmptyFactsFollowTheirSchemas(t *testing.T) {
	t.Parallel()
	codec := events.Register()
	for name, version := range codec.Types() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := zero(t, codec, name, version)
			clear, private, _, err := codec.Encode(f)
			if err != nil || private != nil {
				t.Fatalf("Encode = %q with private part %q, %v; want no private part", clear, private, err)
			}
			validate(t, schema.ClearName(name, version), clear)
			p, ok := f.(events.Confidential)
			if !ok {
				return
			}
			p.Private() // makes an empty one
			if _, private, _, err = codec.Encode(f); err != nil {
				t.Fatal(err)
			}
			if len(private) > 0 {
				validate(t, schema.PrivateName(name, int(private[0])), private[1:])
			}
		})
	}
}

func TestSchemasRefuseWhatNoFactSays(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ file, json string }{
		"an unknown field":            {"Released.v1.json", `{"tenant":"t","connection":"c","more":1}`},
		"a missing field":             {"Released.v1.json", `{"tenant":"t"}`},
		"a number for a string":       {"Released.v1.json", `{"tenant":1,"connection":"c"}`},
		"a time that is none":         {"EscalationDeadlineSet.v1.json", `{"number":1,"deadline":"noon","code":"c"}`},
		"private values in the clear": {"EscalationAccepted.v1.json", `{"number":1,"words":{"message":"hello"}}`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if err := check(t, c.file, []byte(c.json)); err == nil {
				t.Errorf("%s takes %s", c.file, c.json)
			}
		})
	}
}

// reflector makes schemas from types and the comments beside their fields.
type reflector struct{ *invopop.Reflector }

func newReflector(t *testing.T) reflector {
	t.Helper()
	r := &invopop.Reflector{Anonymous: true, ExpandedStruct: true}
	if err := r.AddGoComments("handoff/events", "."); err != nil {
		t.Fatal(err)
	}
	return reflector{r}
}

func (r reflector) clear(f events.Fact) *invopop.Schema { return r.Reflect(f) }

// private gives any JSON where the type says no more than that.
func (r reflector) private(f events.Confidential) *invopop.Schema {
	p := f.Private()
	if _, raw := p.(*json.RawMessage); raw {
		return &invopop.Schema{Version: invopop.Version, Description: "Any JSON; its maker says more."}
	}
	return r.Reflect(p)
}

func compareSchema(t *testing.T, name string, s *invopop.Schema) {
	t.Helper()
	want, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	path := filepath.Join("schema", name)
	if *update {
		rewrite(t, path, want)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("schema (make it with -update): %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not the schema of the type; a fact that was released needs a new version, another is brought up to date with -update.\ngot:\n%s\nwant:\n%s",
			path, got, want)
	}
}

// privateVersion returns the version with which private parts of f are written.
func privateVersion(t *testing.T, codec *events.Codec, f events.Fact) int {
	t.Helper()
	g := reflect.New(reflect.TypeOf(f).Elem())
	fill(g.Elem(), "example")
	_, private, _, err := codec.Encode(g.Interface().(events.Fact))
	if err != nil || len(private) == 0 {
		t.Fatalf("%s has no private part: %v", f.FactType(), err)
	}
	return int(private[0])
}

func validate(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := check(t, file, data); err != nil {
		t.Errorf("%s against %s: %v", data, file, err)
	}
}

// check reports why data does not follow a schema as checked in.
func check(t *testing.T, file string, data []byte) error {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("schema", file))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(file, doc); err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return c.MustCompile(file).Validate(value)
}
