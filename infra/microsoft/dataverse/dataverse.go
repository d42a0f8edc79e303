// Package dataverse reads and sets up what a connection needs in a Dataverse
// organisation: the bot's publish state, and in Omnichannel for Customer Service
// the application user, queues, workstreams, routing, chat widgets and
// conversation records.
//
// Operations look before they change, so each may be repeated. They read ids,
// choices and times, and leave out what is personal: the customer of a
// conversation, its title, the names of people. Customers' text never passes
// here.
//
// Tables, columns and choices are documented (Microsoft's entity reference of
// Dynamics 365 Customer Service) where nothing else is said.
package dataverse

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

const root = "/api/data/v9.2"

// Codes that Dataverse answers with.
const (
	codeAbsent    = "0x80040217" // documented: there is no row with this id
	codeDuplicate = "0x80040237" // community: a row with these unique values is there
)

// Client calls one organisation. It is safe for concurrent use.
type Client struct {
	api    *controlplane.Client
	budget atomic.Pointer[Budget]
}

// New returns a client. Base is the organisation's address as ParseOrganisation
// returns it, the tokens are for Scope of it.
func New(o controlplane.Options) (*Client, error) {
	o.Base = strings.TrimSuffix(o.Base, "/") + root
	api, err := controlplane.New(controlplane.API{
		Name: "Dataverse", Code: "dataverse",
		Deny: "Give Handoff's application user a security role that has it: Omnichannel administrator, or System Administrator.",
	}, o)
	return &Client{api: api}, err
}

// Scope returns what a token for an organisation is asked for with.
func Scope(organisation string) string { return organisation + "/.default" }

// Budget is what the service lets the application's user do still, before the
// window of five minutes moves on (documented: service protection API limits;
// the figures are advice, of one of several servers).
type Budget struct {
	Requests int     // of 6,000
	Seconds  float64 // of execution, of 1,200
}

// Budget returns what the last answer said; ok is false before the first one.
// Whoever has time to lose, such as a scheduled check, slows down on it.
func (c *Client) Budget() (b Budget, ok bool) {
	if p := c.budget.Load(); p != nil {
		return *p, true
	}
	return b, false
}

// do makes a call with the headers that OData 4.0 requires (documented: Compose
// HTTP requests and handle errors).
func (c *Client) do(ctx context.Context, r controlplane.Request) (controlplane.Answer, error) {
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Set("OData-Version", "4.0")
	r.Header.Set("OData-MaxVersion", "4.0")
	a, err := c.api.Do(ctx, r)
	if err != nil {
		return a, err
	}
	requests, errR := strconv.Atoi(a.Header.Get("x-ms-ratelimit-burst-remaining-xrm-requests"))
	seconds, errS := strconv.ParseFloat(a.Header.Get("x-ms-ratelimit-time-remaining-xrm-requests"), 64)
	if errR == nil && errS == nil {
		c.budget.Store(&Budget{Requests: requests, Seconds: seconds})
	}
	return a, nil
}

// at is the path of a row.
func at(set string, id guid.ID) string { return "/" + set + "(" + string(id) + ")" }

// get returns one row, all of its columns where none are named.
func (c *Client) get(ctx context.Context, set string, id guid.ID, columns ...string) (row, error) {
	r := controlplane.Request{Method: http.MethodGet, Path: at(set, id)}
	if len(columns) > 0 {
		r.Query = url.Values{"$select": {strings.Join(columns, ",")}}
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	return readRow(a.Body)
}

// create makes a row and returns it.
func (c *Client) create(ctx context.Context, set string, values map[string]any) (row, error) {
	a, err := c.do(ctx, controlplane.Request{
		Method: http.MethodPost, Path: "/" + set, JSON: values,
		Header: http.Header{"Prefer": {"return=representation"}},
	})
	if err != nil {
		return nil, err
	}
	return readRow(a.Body)
}

// update changes a row; one that is not there is not created by it (documented:
// If-Match prevents upsert).
func (c *Client) update(ctx context.Context, set string, id guid.ID, values map[string]any) error {
	_, err := c.do(ctx, controlplane.Request{
		Method: http.MethodPatch, Path: at(set, id), JSON: values, Header: http.Header{"If-Match": {"*"}},
	})
	return err
}

// link adds to a relationship of many to many. Where it is there already,
// Dataverse says that it is a duplicate (community) or nothing.
func (c *Client) link(ctx context.Context, set string, id guid.ID, relationship, toSet string, to guid.ID) error {
	_, err := c.do(ctx, controlplane.Request{
		Method: http.MethodPost, Path: at(set, id) + "/" + relationship + "/$ref", Repeatable: true,
		JSON: map[string]any{"@odata.id": c.api.Base() + at(toSet, to)},
	})
	if duplicate(err) {
		return nil
	}
	return err
}

func duplicate(err error) bool { return controlplane.Refused(err).Code == codeDuplicate }

// absent reports whether the organisation has no such row, which is another
// thing than having no such table.
func absent(err error) bool {
	r := controlplane.Refused(err)
	return r.Status == http.StatusNotFound && r.Code == codeAbsent
}

// WhoAmI is whom a token stands for.
type WhoAmI struct {
	Organisation guid.ID // data-org-id of chat widgets
	BusinessUnit guid.ID
	User         guid.ID // Handoff's application user
}

// WhoAmI asks the cheapest question there is, which tells that organisation,
// token and application user fit together. What answers otherwise is the fault
// dataverse-organisation-invalid. Needs any security role.
func (c *Client) WhoAmI(ctx context.Context) (WhoAmI, error) {
	a, err := c.do(ctx, controlplane.Request{Method: http.MethodGet, Path: "/WhoAmI"})
	if err != nil {
		return WhoAmI{}, fmt.Errorf("ask who Handoff is: %w", err)
	}
	r, err := readRow(a.Body)
	if err != nil {
		return WhoAmI{}, err
	}
	w := WhoAmI{Organisation: r.id("OrganizationId"), BusinessUnit: r.id("BusinessUnitId"), User: r.id("UserId")}
	if w.Organisation == "" || w.User == "" {
		return WhoAmI{}, fault.New(fault.Unprocessable, "dataverse-organisation-invalid", "What answers at this address is no Dataverse organisation. Check the address.")
	}
	return w, nil
}

// noSuchTable reports whether the organisation does not have the table that was
// asked for (documented: 404 without the code of a missing row).
func noSuchTable(err error) bool {
	r := controlplane.Refused(err)
	return r.Status == http.StatusNotFound && r.Code != codeAbsent
}
