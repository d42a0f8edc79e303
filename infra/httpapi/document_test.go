package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"handoff/infra/httpapi"
)

type object = map[string]any

// document is openapi.yaml, with what is needed to hold answers to it.
type document struct {
	root    object
	schemas map[string]*jsonschema.Schema // by JSON pointer
}

// It is read once, for it takes a while to compile.
var theDocument = sync.OnceValues(readDocument)

func documented(t *testing.T) *document {
	t.Helper()
	d, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func readDocument() (*document, error) {
	var raw any
	if err := yaml.Unmarshal(httpapi.Document(), &raw); err != nil {
		return nil, err
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	d := &document{root: value.(object), schemas: make(map[string]*jsonschema.Schema)}
	closeObjects(d.root["components"])
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("openapi.json", value); err != nil {
		return nil, err
	}
	return d, d.compile(c, "", d.root)
}

// closeObjects makes fields that are not documented an error, in answers too:
// the document leaves that open, so that clients bear new fields.
func closeObjects(v any) {
	switch v := v.(type) {
	case object:
		_, fields := v["properties"]
		if _, said := v["additionalProperties"]; fields && !said {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

// compile compiles whatever stands under the name schema.
func (d *document) compile(c *jsonschema.Compiler, at string, v any) error {
	m, ok := v.(object)
	if !ok {
		return nil
	}
	for name, inner := range m {
		pointer := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if name != "schema" {
			if err := d.compile(c, pointer, inner); err != nil {
				return err
			}
			continue
		}
		s, err := c.Compile("openapi.json#" + strings.ReplaceAll(pointer, "{", "%7B"))
		if err != nil {
			return err
		}
		d.schemas[pointer] = s
	}
	return nil
}

// find returns what a pointer leads to, and the pointer without references.
func (d *document) find(pointer string) (object, string) {
	at, v := "", any(d.root)
	for _, segment := range strings.Split(pointer, "/")[1:] {
		m, _ := v.(object)
		v = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)]
		at += "/" + segment
		if next, _ := v.(object); next["$ref"] != nil {
			return d.find(strings.TrimPrefix(next["$ref"].(string), "#") + strings.TrimPrefix(pointer, at))
		}
	}
	m, _ := v.(object)
	return m, at
}

func operationAt(pattern string) (pointer string, ok bool) {
	method, path, ok := strings.Cut(pattern, " ")
	return "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(method), ok
}

// checkDocumented holds an answer to what the document says of its operation.
func checkDocumented(t *testing.T, r *http.Request, answer *http.Response, body []byte) {
	t.Helper()
	at, ok := operationAt(r.Pattern)
	at += "/responses/" + strconv.Itoa(answer.StatusCode)
	if !ok { // no operation: the path or the method does not exist
		at = "/components/responses/Invalid"
	}
	d := documented(t)
	response, at := d.find(at)
	if response == nil {
		t.Errorf("%s answered %d, which is not documented", r.Pattern, answer.StatusCode)
		return
	}
	headers, _ := response["headers"].(object)
	for name := range headers {
		if h, _ := d.find(at + "/headers/" + name); h["required"] == true && answer.Header.Get(name) == "" {
			t.Errorf("%s answered %d without %s", r.Pattern, answer.StatusCode, name)
		}
	}
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	content, _ := response["content"].(object)
	if content == nil && len(body) == 0 {
		return
	}
	schema := d.schemas[at+"/content/"+strings.ReplaceAll(media, "/", "~1")+"/schema"]
	if schema == nil {
		t.Errorf("%s answered %d with %q, documented is %v", r.Pattern, answer.StatusCode, media, slices.Collect(maps.Keys(content)))
		return
	}
	if err := checkBody(schema, media, body); err != nil {
		t.Errorf("%s answered %d with %s\nwhich is not as documented: %v", r.Pattern, answer.StatusCode, body, err)
	}
}

func checkBody(schema *jsonschema.Schema, media string, body []byte) error {
	if media == "application/yaml" || media == "text/html" {
		return schema.Validate(string(body))
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	for n := 1; ; n++ {
		var v any
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := schema.Validate(v); err != nil {
			return fmt.Errorf("text %d: %w", n, err)
		}
	}
}
