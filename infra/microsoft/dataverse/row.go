package dataverse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// row is one entity by column. What is null, missing or of another kind reads
// as the zero value.
type row map[string]json.RawMessage

func readRow(body []byte) (row, error) {
	var r row
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("read a row: %w", err)
	}
	return r, nil
}

func value[T any](r row, column string) (v T, ok bool) {
	raw, there := r[column]
	if !there || string(raw) == "null" || json.Unmarshal(raw, &v) != nil {
		return *new(T), false
	}
	return v, true
}

func (r row) text(column string) string {
	v, _ := value[string](r, column)
	return v
}

func (r row) id(column string) guid.ID {
	id, _ := guid.Parse(r.text(column))
	return id
}

func (r row) number(column string) int {
	v, _ := value[int](r, column)
	return v
}

func (r row) truth(column string) bool {
	v, _ := value[bool](r, column)
	return v
}

func (r row) time(column string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, r.text(column))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// label returns what people see for a choice or a lookup, if it was asked for.
func (r row) label(column string) string { return r.text(column + "@" + formatted) }

const formatted = "OData.Community.Display.V1.FormattedValue"

// query asks for rows.
type query struct {
	path    string // below the root, with a slash
	columns []string
	filter  string
	order   string
	expand  string
	labels  bool // what people see for choices and lookups comes with them
}

// Limits of a list.
const (
	pageSize = 500
	maxRows  = 10_000
	maxPages = 200 // pages may be short, and may lead to themselves
)

// list returns all rows, page after page.
func (c *Client) list(ctx context.Context, q query) ([]row, error) {
	r := controlplane.Request{Method: http.MethodGet, Path: q.path, Query: q.options(), Header: http.Header{"Prefer": {q.preferences()}}}
	var all []row
	for page := 1; ; page++ {
		a, err := c.do(ctx, r)
		if err != nil {
			return nil, err
		}
		rows, next, err := readPage(a.Body)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if next == "" {
			return all, nil
		}
		if len(all) >= maxRows || page >= maxPages {
			return nil, fault.Newf(fault.TooLarge, "dataverse-too-many-rows", "Dataverse has more than %d rows or %d pages of %s that fit; Handoff reads no more.", maxRows, maxPages, q.path)
		}
		if r.Path, r.Query, err = c.follow(next); err != nil {
			return nil, err
		}
	}
}

func (q query) options() url.Values {
	v := make(url.Values)
	for option, text := range map[string]string{"$select": strings.Join(q.columns, ","), "$filter": q.filter, "$orderby": q.order, "$expand": q.expand} {
		if text != "" {
			v.Set(option, text)
		}
	}
	return v
}

func (q query) preferences() string {
	p := "odata.maxpagesize=" + strconv.Itoa(pageSize)
	if q.labels {
		p += `,odata.include-annotations="*"`
	}
	return p
}

func readPage(body []byte) (rows []row, next string, err error) {
	page, err := readRow(body)
	if err != nil {
		return nil, "", err
	}
	if json.Unmarshal(page["value"], &rows) != nil {
		return nil, "", fault.New(fault.Unavailable, "dataverse-unavailable", "Dataverse answered with something that is no list; it is tried again.")
	}
	return rows, page.text("@odata.nextLink"), nil
}

// follow takes a next link apart. It leads to the organisation that is asked
// already: the token goes nowhere else.
func (c *Client) follow(link string) (path string, q url.Values, err error) {
	base, errB := url.Parse(c.api.Base())
	next, errN := url.Parse(link)
	if errB != nil || errN != nil || next.Scheme != base.Scheme || !strings.EqualFold(next.Host, base.Host) || next.User != nil {
		return "", nil, fault.New(fault.Unprocessable, "dataverse-page-elsewhere", "Dataverse refers to another host for the rest of a list, which is not followed.")
	}
	path, ok := strings.CutPrefix(next.EscapedPath(), base.EscapedPath()+"/")
	if !ok {
		return "", nil, fault.New(fault.Unprocessable, "dataverse-page-elsewhere", "Dataverse refers to another service for the rest of a list, which is not followed.")
	}
	return "/" + path, next.Query(), nil
}

// quoted writes a text into a filter (OData 4.0 part 2, section 5.1.1.6.1).
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
