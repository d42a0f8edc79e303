package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestChecks(t *testing.T) {
	t.Parallel()
	const checks = "/v1/connections/store-bot/checks"
	h := serve(nil)
	began := call(t, h, "admin", http.MethodPost, checks, `{"phrase":"help","queue":"test","to_people":true}`)
	if expect(t, began, http.StatusCreated, ""); began.Header().Get("Location") != publicURL+checks+"/eyJ9" || !strings.Contains(began.Body.String(), `"phrase":"help"`) {
		t.Errorf("begun = %v %s", began.Header(), began.Body)
	}
	if seen := call(t, h, "admin", http.MethodGet, checks+"/eyJ9", ""); seen.Code != http.StatusOK || !strings.Contains(seen.Body.String(), `"state":"Open"`) {
		t.Errorf("seen = %d %s", seen.Code, seen.Body)
	}
	expect(t, call(t, h, "admin", http.MethodDelete, checks+"/eyJ9", ""), http.StatusNoContent, "")
	expect(t, call(t, h, "admin", http.MethodPost, checks, `{"say":"help"}`), http.StatusUnprocessableEntity, "field-unknown")
	expect(t, call(t, h, "auditor", http.MethodPost, checks, `{}`), http.StatusForbidden, "not-allowed")
}
