package httpapi_test

import (
	"encoding/json"
	"testing"

	"handoff/domain/emission"
)

func TestEveryEventsSchemaIsServedWhereItsEventSays(t *testing.T) {
	t.Parallel()
	for _, typ := range emission.Types() {
		w := call(t, serve(nil), "", "GET", emission.SchemaPath(typ), "")
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/schema+json" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %d %s, want 200 and a schema", typ, w.Code, w.Header().Get("Content-Type"))
		}
	}
	for _, path := range []string{"/schemas/none.v1.json", "/schemas/..%2fopen.go"} {
		if w := call(t, serve(nil), "", "GET", path, ""); w.Code != 404 {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
	}
}
