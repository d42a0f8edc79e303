package dataverse_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
)

// pages answers with one page after the other, and fails the test where the
// token goes elsewhere.
type pages struct {
	*testing.T

	bodies []string
}

func (p *pages) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme+"://"+r.URL.Host != store || !strings.HasPrefix(r.URL.Path, api+"/") {
		p.Errorf("the token is sent to %s", r.URL)
	}
	if len(p.bodies) == 0 {
		return nil, errors.New("there is no more")
	}
	body := p.bodies[0]
	p.bodies = p.bodies[1:]
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Records, and where their next page is, come from the hub.
func FuzzConversations(f *testing.F) {
	const row = `{"msdyn_ocliveworkitemid":"` + botID + `","statuscode":2,"_msdyn_cdsqueueid_value":"` + queueID + `","modifiedon":"2026-11-22T09:00:00Z"}`
	for _, next := range []string{
		store + api + "/msdyn_ocliveworkitems?$skiptoken=1", "https://evil.example" + api + "/x", store + "@evil.example" + api + "/x", store + api + "/../../x",
		store + ".evil.example" + api + "/x", "//evil.example" + api + "/x", "http://store.crm4.dynamics.com" + api + "/x", store + api + "/%2e%2e/x", store + api + "/x#?",
	} {
		f.Add(`{"value":[`+row+`],"@odata.nextLink":"`+next+`"}`, `{"value":[]}`)
	}
	f.Add(`{"value":[{"statuscode":"2","modifiedon":7,"msdyn_ocliveworkitemid":null}]}`, "")
	f.Add(`{"value":7}`, "[]")
	since := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, first, second string) {
		c, err := dataverse.New(controlplane.Options{
			Base: store, HTTP: &http.Client{Transport: &pages{t, []string{first, second}}}, Tokens: controlplanetest.Tokens{}, Now: time.Now, Timeout: 50 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		all, next, err := c.Conversations(t.Context(), streamID, since)
		if next.Before(since) || err != nil && (!next.Equal(since) || len(all) > 0) {
			t.Errorf("%q, %q: %d conversations up to %s, %v", first, second, len(all), next, err)
		}
	})
}

// endless answers with a page that leads to itself.
type endless struct{}

func (endless) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"value":[],"@odata.nextLink":"` + store + api + `/msdyn_ocliveworkitems?$skiptoken=1"}`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestAListThatLeadsToItselfEnds(t *testing.T) {
	t.Parallel()
	c, err := dataverse.New(controlplane.Options{Base: store, HTTP: &http.Client{Transport: endless{}}, Tokens: controlplanetest.Tokens{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, _, err := c.Conversations(ctx, streamID, time.Now()); !fault.Is(err, "dataverse-too-many-rows") {
		t.Errorf("err = %v", err)
	}
}
