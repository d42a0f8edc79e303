package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"handoff/events"
)

var update = flag.Bool("update", false, "rewrite schemas and golden files of the current versions")

// golden is one golden file: a fact as stored, before sealing.
type golden struct {
	Type          string          `json:"type"`
	Schema        int             `json:"schema"`
	Clear         json.RawMessage `json:"clear"`
	PrivateSchema int             `json:"private_schema,omitempty"`
	Private       json.RawMessage `json:"private,omitempty"`
}

func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	codec := events.Register()
	for name, current := range codec.Types() {
		for version := 1; version <= current; version++ {
			t.Run(fmt.Sprintf("%s.v%d", name, version), func(t *testing.T) {
				t.Parallel()
				if *update && version == current {
					rewriteGolden(t, codec, name, version)
				}
				g := readGolden(t, name, version)
				f := decodeGolden(t, codec, g)
				if version < current {
					return // lifted to another version; that it decodes is the promise
				}
				if got := encodeGolden(t, codec, f); got != canonical(t, g) {
					t.Errorf("encoded again:\n%s\nwant:\n%s", got, canonical(t, g))
				}
				if empty := unset(reflect.ValueOf(f).Elem(), name); len(empty) > 0 {
					t.Errorf("the example leaves fields empty: %v", empty)
				}
			})
		}
	}
}

func TestNoGoldenFileIsLeftOver(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.v*.json")
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, current := range events.Register().Types() {
		want += current
	}
	if len(files) != want {
		t.Errorf("%d golden files, want %d: one for each version of each fact", len(files), want)
	}
}

func goldenPath(name string, version int) string {
	return filepath.Join("testdata", fmt.Sprintf("%s.v%d.json", name, version))
}

func readGolden(t *testing.T, name string, version int) golden {
	t.Helper()
	data, err := os.ReadFile(goldenPath(name, version))
	if err != nil {
		t.Fatalf("golden file (make it with -update): %v", err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if g.Type != name || g.Schema != version {
		t.Fatalf("golden file is of %s version %d, want %s version %d", g.Type, g.Schema, name, version)
	}
	return g
}

func decodeGolden(t *testing.T, codec *events.Codec, g golden) events.Fact {
	t.Helper()
	f, err := codec.Decode(g.Type, g.Schema, g.Clear)
	if err != nil {
		t.Fatal(err)
	}
	_, confidential := f.(events.Confidential)
	if confidential != (g.Private != nil) {
		t.Fatalf("golden file has a private part: %t, want %t", g.Private != nil, confidential)
	}
	if confidential {
		if err := codec.DecodePrivate(f, append([]byte{byte(g.PrivateSchema)}, g.Private...)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// encodeGolden returns the canonical golden file of a fact.
func encodeGolden(t *testing.T, codec *events.Codec, f events.Fact) string {
	t.Helper()
	clear, private, schema, err := codec.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	g := golden{Type: f.FactType(), Schema: schema, Clear: clear}
	if private != nil {
		g.PrivateSchema, g.Private = int(private[0]), private[1:]
	}
	return canonical(t, g)
}

func canonical(t *testing.T, g golden) string {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(g); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// rewriteGolden brings the golden file of a current version into canonical form,
// and makes one with every field set where there is none.
func rewriteGolden(t *testing.T, codec *events.Codec, name string, version int) {
	t.Helper()
	var f events.Fact
	if _, err := os.Stat(goldenPath(name, version)); errors.Is(err, fs.ErrNotExist) {
		f = zero(t, codec, name, version)
		fill(reflect.ValueOf(f).Elem(), name)
	} else {
		f = decodeGolden(t, codec, readGolden(t, name, version))
	}
	rewrite(t, goldenPath(name, version), []byte(encodeGolden(t, codec, f)))
}

// rewrite leaves a file alone that says the same, for tests that read it now.
func rewrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// zero returns the fact of a type with nothing set.
func zero(t *testing.T, codec *events.Codec, name string, version int) events.Fact {
	t.Helper()
	f, err := codec.Decode(name, version, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// unset returns the paths of all fields in v that have their zero value.
func unset(v reflect.Value, path string) (paths []string) {
	if v.IsZero() && v.NumField() > 0 {
		return []string{path}
	}
	for i := range v.NumField() {
		field, name := v.Field(i), path+"."+v.Type().Field(i).Name
		if field.IsZero() || field.Kind() == reflect.Slice && field.Len() == 0 {
			paths = append(paths, name)
			continue
		}
		for _, s := range structsIn(field) {
			paths = append(paths, unset(s, name)...)
		}
	}
	return paths
}

// structsIn returns the structs of this package that v is, points to or holds.
func structsIn(v reflect.Value) (all []reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		return structsIn(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, structsIn(v.Index(i))...)
		}
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			all = append(all, v)
		}
	}
	return all
}

// fill sets every field of v to some value.
func fill(v reflect.Value, name string) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
		return
	case *json.RawMessage:
		*x = json.RawMessage(`{"example":1}`)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case reflect.Map:
		elem := reflect.New(v.Type().Elem()).Elem()
		fill(elem, name)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("example"), elem)
	case reflect.String:
		v.SetString(name)
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(1)
	}
}
