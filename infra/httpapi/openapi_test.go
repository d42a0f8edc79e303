package httpapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"handoff/domain/identity"
	"handoff/infra/httpapi"
)

func TestDocumentAndRoutesAreTheSame(t *testing.T) {
	t.Parallel()
	d := documented(t)
	inDocument := make(map[string]bool)
	for path, item := range d.root["paths"].(object) {
		for method := range item.(object) {
			if method != "parameters" {
				inDocument[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	for _, p := range httpapi.Places(works()) {
		name := p.Method + " " + p.Path
		if !inDocument[name] {
			t.Errorf("%s is mounted and not in the document", name)
		}
		delete(inDocument, name)
	}
	for name := range inDocument {
		t.Errorf("%s is in the document and not mounted", name)
	}
}

func TestDocumentNamesParametersAndRoles(t *testing.T) {
	t.Parallel()
	d := documented(t)
	for _, p := range httpapi.Places(works()) {
		t.Run(p.Method+" "+p.Path, func(t *testing.T) {
			t.Parallel()
			at, _ := operationAt(p.Method + " " + p.Path)
			op, _ := d.find(at)
			if got, want := d.queryOf(op), slices.Sorted(slices.Values(p.Query)); !slices.Equal(got, want) {
				t.Errorf("documented parameters = %v, want %v", got, want)
			}
			if got, want := names(op["x-roles"]), allowed(p); !slices.Equal(got, want) {
				t.Errorf("documented roles = %v, want %v", got, want)
			}
			security, said := op["security"].([]any)
			if said && len(security) == 0 != p.Open || !said && p.Open {
				t.Errorf("documented security = %v, open = %v", security, p.Open)
			}
			if (len(security) == 2) != p.Signable {
				t.Errorf("documented security = %v, signable = %v", security, p.Signable)
			}
		})
	}
}

func (d *document) queryOf(op object) []string {
	var all []string
	params, _ := op["parameters"].([]any)
	for _, p := range params {
		m := p.(object)
		if ref, _ := m["$ref"].(string); ref != "" {
			m, _ = d.find(strings.TrimPrefix(ref, "#"))
		}
		if m["in"] == "query" {
			all = append(all, m["name"].(string))
		}
	}
	return slices.Sorted(slices.Values(all))
}

func names(v any) []string {
	list, _ := v.([]any)
	var all []string
	for _, s := range list {
		all = append(all, s.(string))
	}
	return slices.Sorted(slices.Values(all))
}

func allowed(p httpapi.Place) []string {
	var all []string
	for _, r := range []identity.Role{identity.Admin, identity.Auditor, identity.Bot, identity.Hub} {
		if !p.Open && !p.Own && (p.Action == "" || r.May(p.Action)) {
			all = append(all, string(r))
		}
	}
	return all
}

// target fills a path's names.
func target(path string) string {
	return strings.NewReplacer("{connection}", "store-bot", "{endpoint}", "desk", "{escalation}", escalationID,
		"{delivery}", "6f1c5a52-0000-8000-8000-00000000000d", "{key}", "mfrggzdf", "{tenant}", "default", "{link}", "default.esc_1.t0.sig",
		"{schema}", "escalation-routed.v1.json").Replace(path)
}

// sample is a documented example of a request's body.
type sample struct {
	method, path, media, name string
	value                     any
}

func (s sample) body() string {
	if text, ok := s.value.(string); ok {
		return text
	}
	return asJSON(s.value)
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was read from the document
	}
	return string(b)
}

func samples(t *testing.T) []sample {
	t.Helper()
	d := documented(t)
	var all []sample
	for _, p := range httpapi.Places(works()) {
		at, _ := operationAt(p.Method + " " + p.Path)
		request, _ := d.find(at + "/requestBody")
		content, _ := request["content"].(object)
		for media, v := range content {
			m := v.(object)
			if e, ok := m["example"]; ok {
				all = append(all, sample{p.Method, p.Path, media, "example", e})
			}
			several, _ := m["examples"].(object)
			for name, e := range several {
				all = append(all, sample{p.Method, p.Path, media, name, e.(object)["value"]})
			}
			schema := d.schemas[at+"/requestBody/content/"+strings.ReplaceAll(media, "/", "~1")+"/schema"]
			for _, s := range all {
				if s.method != p.Method || s.path != p.Path {
					continue
				}
				if err := schema.Validate(s.value); err != nil {
					t.Errorf("%s %s: example %s is not as documented: %v", s.method, s.path, s.name, err)
				}
			}
		}
	}
	if len(all) < 10 {
		t.Fatalf("found %d examples", len(all))
	}
	return all
}

func TestDocumentedExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	for _, s := range samples(t) {
		t.Run(s.method+" "+s.path+" "+s.name, func(t *testing.T) {
			t.Parallel()
			w := call(t, h, "admin", s.method, target(s.path), s.body(), "Content-Type", s.media)
			if w.Code >= http.StatusBadRequest {
				t.Errorf("answer = %d, body %s", w.Code, w.Body)
			}
		})
	}
}

func TestUnknownFieldsAreNamed(t *testing.T) {
	t.Parallel()
	h := serve(nil)
	for _, s := range samples(t) {
		if s.media != "application/json" || strings.Contains(s.body(), `"conversation`) || strings.HasSuffix(s.path, "/activities") {
			continue // a hand-off keeps its unknown fields
		}
		t.Run(s.method+" "+s.path+" "+s.name, func(t *testing.T) {
			t.Parallel()
			for pointer, body := range misspelt(s.value.(object), "") {
				w := call(t, h, "admin", s.method, target(s.path), body)
				p := expect(t, w, http.StatusUnprocessableEntity, "field-unknown")
				if p.Pointer != pointer || !strings.Contains(p.Detail, "qeue") {
					t.Errorf("pointer = %q, want %q; detail %q", p.Pointer, pointer, p.Detail)
				}
			}
		})
	}
}

// misspelt returns bodies with one field too many, at every depth.
func misspelt(m object, at string) map[string]string {
	all := make(map[string]string)
	more := maps.Clone(m)
	more["qeue"] = 1
	all[at+"/qeue"] = asJSON(more)
	for name, v := range m {
		inner, ok := v.(object)
		if !ok {
			continue
		}
		for pointer, body := range misspelt(inner, "/"+name) {
			whole := maps.Clone(m)
			whole[name] = json.RawMessage(body)
			all[at+pointer] = asJSON(whole)
		}
	}
	return all
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	w := call(t, serve(nil), "", "GET", "/v1/openapi.yaml", "")
	if w.Code != http.StatusOK || w.Body.String() != string(httpapi.Document()) {
		t.Errorf("answer = %d with %d bytes, want the document", w.Code, w.Body.Len())
	}
}

func TestOnlyBoundOperationsAreServed(t *testing.T) {
	t.Parallel()
	h := httpapi.New(httpapi.API{Raise: works().Raise}, config())
	expect(t, call(t, h, "admin", "POST", "/v1/connections/store-bot/escalations", `{"conversation_id":"a"}`), http.StatusAccepted, "")
	expect(t, call(t, h, "admin", "GET", "/v1/escalations", ""), http.StatusNotFound, "not-found")
	w := call(t, h, "admin", "GET", "/v1/connections/store-bot/escalations", "")
	expect(t, w, http.StatusMethodNotAllowed, "method-not-allowed")
	if got := w.Header().Get("Allow"); got != "POST" {
		t.Errorf("Allow = %q, want POST", got)
	}
}
