// Package odata reads the parts of OData 4.0 that Graph, Dataverse and the
// discovery service are asked in here: paths with keys, and the query options
// $select, $filter, $orderby, $expand, $top and $count. What it can't read it
// refuses rather than ignores.
package odata

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Error says what of a path or query can't be read.
type Error struct{ Detail string }

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

var (
	guid    = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	segment = regexp.MustCompile(`^([$A-Za-z_][A-Za-z0-9_.$]*)(?:\((.*)\))?$`)
)

// IsGUID reports whether a text is a GUID without braces.
func IsGUID(s string) bool { return guid.MatchString(s) }

// Segment is one part of a path: a name, and a key where there is one.
type Segment struct {
	Name string
	// Key is what stands in the parentheses; KeyName is set for an alternate
	// key as in applications(appId='…'). HasKey tells empty parentheses from none.
	Key, KeyName string
	HasKey       bool
}

// ParsePath reads what follows the root of a service, as in
// systemusers(…)/systemuserroles_association/$ref. A GUID as a segment of its
// own, as Graph has it, is the key of the one before.
func ParsePath(path string) ([]Segment, error) {
	var all []Segment
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if IsGUID(part) && len(all) > 0 && !all[len(all)-1].HasKey {
			all[len(all)-1].Key, all[len(all)-1].HasKey = strings.ToLower(part), true
			continue
		}
		m := segment.FindStringSubmatch(part)
		if m == nil {
			return nil, errorf("Resource not found for the segment '%s'.", part)
		}
		s := Segment{Name: m[1], Key: m[2], HasKey: strings.HasSuffix(part, ")")}
		if k, v, named := strings.Cut(s.Key, "="); named {
			s.KeyName, s.Key = k, strings.Trim(v, "'")
		}
		if IsGUID(s.Key) {
			s.Key = strings.ToLower(s.Key)
		}
		all = append(all, s)
	}
	return all, nil
}

// Order is one column of $orderby.
type Order struct {
	Column     string
	Descending bool
}

// Expand is one navigation property of $expand and what is wanted of it.
type Expand struct {
	Property string
	Select   []string
}

// Query is what the options of a request ask for.
type Query struct {
	Select  []string
	Filter  *Expr
	OrderBy []Order
	Expand  []Expand
	Top     int // 0: no limit
	Count   bool
	Skip    int // from our own next link
}

// ParseQuery reads the options of a query; see ParseFilter for fold.
func ParseQuery(raw string, fold bool) (Query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Query{}, errorf("the query can't be read")
	}
	var q Query
	for option, v := range values {
		if len(v) != 1 {
			return q, errorf("Query option '%s' was specified more than once, but it must be specified at most once.", option)
		}
		if err := q.option(option, v[0], fold); err != nil {
			return q, err
		}
	}
	return q, nil
}

func (q *Query) option(option, v string, fold bool) (err error) {
	switch option {
	case "$select":
		q.Select = list(v)
	case "$filter":
		q.Filter, err = ParseFilter(v, fold)
	case "$orderby":
		q.OrderBy, err = orders(v)
	case "$expand":
		q.Expand, err = expands(v)
	case "$count":
		q.Count = v == "true"
	case "$top":
		if q.Top, err = strconv.Atoi(v); err != nil || q.Top <= 0 {
			return errorf("Invalid value '%s' for $top query option found.", v)
		}
	case "$skiptoken":
		if q.Skip, err = strconv.Atoi(v); err != nil || q.Skip < 0 {
			return errorf("the skip token can't be read")
		}
	default:
		return errorf("The query parameter %s is not supported.", option)
	}
	return err
}

func list(v string) (all []string) {
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func orders(v string) (all []Order, err error) {
	for _, part := range list(v) {
		words := strings.Fields(part)
		if len(words) > 2 || len(words) == 2 && words[1] != "asc" && words[1] != "desc" {
			return nil, errorf("%q is no order", part)
		}
		all = append(all, Order{words[0], len(words) == 2 && words[1] == "desc"})
	}
	return all, nil
}

var expand = regexp.MustCompile(`^\s*([A-Za-z_][A-Za-z0-9_]*)(?:\(\$select=([^()]*)\))?\s*(?:,|$)`)

func expands(v string) (all []Expand, err error) {
	for v != "" {
		m := expand.FindStringSubmatch(v)
		if m == nil {
			return nil, errorf("the $expand %q can't be read", v)
		}
		all = append(all, Expand{m[1], list(m[2])})
		v = v[len(m[0]):]
	}
	return all, nil
}

// Sorted returns the rows that pass the filter, in their order, the one given
// where $orderby leaves it open.
func (q Query) Sorted(rows []Row) []Row {
	var kept []Row
	for _, r := range rows {
		if q.Filter.Match(r) {
			kept = append(kept, r)
		}
	}
	slices.SortStableFunc(kept, func(a, b Row) int {
		for _, o := range q.OrderBy {
			if c := position(a[o.Column], b[o.Column]); c != 0 && o.Descending {
				return -c
			} else if c != 0 {
				return c
			}
		}
		return 0
	})
	return kept
}

// position orders null before everything else.
func position(a, b any) int {
	if c, ok := compare(a, b, true); ok {
		return c
	}
	return cmp.Compare(truth(a != nil), truth(b != nil))
}
