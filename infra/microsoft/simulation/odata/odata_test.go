package odata_test

import (
	"testing"

	"handoff/infra/microsoft/simulation/odata"
)

func row() odata.Row {
	return odata.Row{
		"name": "Store bot", "priority": 5.0, "on": true, "none": nil, "id": "0e000000-0000-4000-8000-000000000004", "at": "2026-11-23T09:00:00Z",
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]bool{
		"name eq 'store BOT'":                        true,
		"name eq 'O''Brien'":                         false,
		"priority gt 4 and priority le 5":            true,
		"priority lt 5 or on eq true":                true,
		"not (on eq true)":                           false,
		"not on eq false and none eq null":           true,
		"none ne null":                               false,
		"none gt 1":                                  false,
		"id eq 0E000000-0000-4000-8000-000000000004": true,
		"at ge 2026-11-23T09:00:00Z":                 true,
		"at gt 2026-11-23T10:00:00+01:00":            false,
		"contains(name,'bot') and startswith(name,'st') and endswith(name,'t')": true,
		"contains(none,'x')": false,
		"1 eq 1":             true,
		"on eq true or on eq true and on eq false": true,
	} {
		e, err := odata.ParseFilter(filter, true)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
		} else if got := e.Match(row()); got != want {
			t.Errorf("%s = %t, want %t", filter, got, want)
		}
	}
	exact, err := odata.ParseFilter("name eq 'store bot'", false)
	if err != nil || exact.Match(row()) {
		t.Errorf("case is folded without being asked: %v", err)
	}
}

func TestFilterRefuses(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{
		"", "name", "name eq", "name like 'x'", "(name eq 'x'", "name eq 'x')", "length(name) eq 1", "contains(name)", "name eq 'x", "a/b eq 1", "not",
	} {
		if _, err := odata.ParseFilter(filter, true); err == nil {
			t.Errorf("%q is taken", filter)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	s, err := odata.ParsePath("/applications(appId='X')/a/0E000000-0000-4000-8000-000000000004/$ref")
	if err != nil || len(s) != 3 || s[0].KeyName != "appId" || s[0].Key != "X" || s[1].Key != "0e000000-0000-4000-8000-000000000004" || s[2].Name != "$ref" {
		t.Errorf("segments = %+v, %v", s, err)
	}
	for _, path := range []string{"", "a b", "a(", "0e000000-0000-4000-8000-000000000004"} {
		if _, err := odata.ParsePath(path); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
}

// What comes from outside is read or refused, and never more than that.
func FuzzQuery(f *testing.F) {
	f.Add("$filter=not (a eq 1 or contains(b,'x'))&$orderby=a desc&$expand=c($select=d),e&$top=1", "systemusers(x)/$ref")
	f.Add("$filter='&$skiptoken=-1", "a(b=c)/()")
	f.Fuzz(func(t *testing.T, query, path string) {
		if q, err := odata.ParseQuery(query, true); err == nil {
			q.Sorted([]odata.Row{row(), {}})
		}
		if s, err := odata.ParsePath(path); err == nil && len(s) == 0 {
			t.Error("a path of nothing is read")
		}
	})
}
