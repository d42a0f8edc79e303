package dataverse_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/dataverse"
)

var whoAmI = step{
	Want:   "GET " + api + "/WhoAmI",
	Answer: `{"@odata.context":"x","BusinessUnitId":"` + unitID + `","UserId":"` + userID + `","OrganizationId":"` + botID + `"}`,
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	s := whoAmI
	s.Header = odata
	got, err := client(t, s).WhoAmI(t.Context())
	if want := (dataverse.WhoAmI{Organisation: botID, BusinessUnit: unitID, User: userID}); got != want || err != nil {
		t.Errorf("who = %+v, %v", got, err)
	}
	s.Answer = `{}`
	_, err = client(t, s).WhoAmI(t.Context())
	check(t, err, "dataverse-organisation-invalid")
}

func TestServiceProtection(t *testing.T) {
	t.Parallel()
	limited := refused(whoAmI, http.StatusTooManyRequests, "0x80072322")
	limited.Set = map[string]string{"Retry-After": "12"}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if _, err := client(t, limited, whoAmI).WhoAmI(t.Context()); err != nil || time.Since(start) != 12*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
	limited.Set = map[string]string{"Retry-After": "300"}
	_, err := client(t, limited).WhoAmI(t.Context())
	if f := fault.Of(err); f == nil || f.Kind != fault.Unavailable || f.Code != "dataverse-throttled" || f.RetryAfter != 5*time.Minute {
		t.Errorf("err = %v", err)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	told := whoAmI
	told.Set = map[string]string{"x-ms-ratelimit-burst-remaining-xrm-requests": "5999", "x-ms-ratelimit-time-remaining-xrm-requests": "1,199.5"}
	c := client(t, told, whoAmI)
	for range 2 {
		if _, ok := c.Budget(); ok {
			t.Error("there is a budget before one was told")
		}
		if _, err := c.WhoAmI(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	told.Set["x-ms-ratelimit-time-remaining-xrm-requests"] = "1199.50"
	c = client(t, told)
	if _, err := c.WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, ok := c.Budget(); !ok || b != (dataverse.Budget{Requests: 5999, Seconds: 1199.5}) {
		t.Errorf("budget = %+v, %v", b, ok)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	first := with(ask("GET "+api+"/bots?$orderby=name&$select=botid,name,schemaname,language",
		`{"value":[{"botid":"`+botID+`","name":"A","schemaname":"cr1_a","language":1033}],"@odata.nextLink":"`+store+api+`/bots?$select=name&$skiptoken=%3Ccookie%20pagenumber=%222%22%20a=%22b+c%22%2F%3E"}`),
		"Prefer", "odata.maxpagesize=500")
	second := with(ask("GET "+api+`/bots?$select=name&$skiptoken=<cookie pagenumber="2" a="b c"/>`, `{"value":[{"botid":"`+userID+`","name":"B"}]}`), "Prefer", "odata.maxpagesize=500")
	elsewhere := func(link string) step {
		s := first
		s.Answer = `{"value":[],"@odata.nextLink":"` + link + `"}`
		return s
	}
	for sentence, c := range map[string]struct {
		script []step
		names  int
		code   string
	}{
		"all pages are read":                     {[]step{first, second}, 2, ""},
		"a token is taken to no other host":      {[]step{elsewhere("https://evil.example" + api + "/bots?x=1")}, 0, "dataverse-page-elsewhere"},
		"nor to another service":                 {[]step{elsewhere(store + "/other/bots")}, 0, "dataverse-page-elsewhere"},
		"nor without TLS":                        {[]step{elsewhere("http://store.crm4.dynamics.com" + api + "/bots")}, 0, "dataverse-page-elsewhere"},
		"an answer that is no list is not empty": {[]step{{Want: first.Want, Answer: `{"values":[]}`}}, 0, "dataverse-unavailable"},
		"nor is one that breaks off":             {[]step{{Want: first.Want, Answer: `{"value":[`}}, 0, "internal"},
		"a privilege that is missing is told":    {[]step{refused(first, 403, "0x80040220")}, 0, "dataverse-permission-missing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			bots, err := client(t, c.script...).Bots(t.Context())
			if check(t, err, c.code); len(bots) != c.names {
				t.Errorf("bots = %+v", bots)
			}
		})
	}
}
