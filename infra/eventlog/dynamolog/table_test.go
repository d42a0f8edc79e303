package dynamolog_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// table stands in for DynamoDB behind the client, on the wire: it answers what
// the log sends and refuses everything else, such as a read that is not
// consistent. It shows what the log does; what DynamoDB does, the engines show.
type table struct {
	page int // items of a page

	mu    sync.Mutex
	items []item // ordered by key
	calls []string
}

type (
	value struct {
		S, N *string `json:",omitempty"` //nolint:tagliatelle // names of DynamoDB
		B    []byte  `json:",omitempty"` //nolint:tagliatelle // names of DynamoDB
		BOOL *bool   `json:",omitempty"` //nolint:tagliatelle // names of DynamoDB
	}
	item map[string]value
)

func (i item) version() int {
	n, _ := strconv.Atoi(*i["v"].N)
	return n
}

func (i item) keys() item { return item{"s": i["s"], "v": i["v"]} }

func compare(a, b item) int {
	return cmp.Or(bytes.Compare(a["s"].B, b["s"].B), cmp.Compare(a.version(), b.version()))
}

// request is what the log may ask for.
type request struct {
	TableName, ConditionExpression, ReturnValuesOnConditionCheckFailure, KeyConditionExpression string
	Item, ExpressionAttributeValues, ExclusiveStartKey                                          item
	ConsistentRead                                                                              bool
	ScanIndexForward                                                                            *bool
	Limit                                                                                       int
}

// RoundTrip implements http.RoundTripper.
func (tb *table) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(req.Body)
	dec.DisallowUnknownFields()
	var r request
	if err := dec.Decode(&r); err != nil {
		return failed(http.StatusBadRequest, "SerializationException", nil), nil
	}
	tb.mu.Lock()
	defer tb.mu.Unlock()
	_, call, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	tb.calls = append(tb.calls, call)
	switch {
	case call == "PutItem" && r.ConditionExpression == "attribute_not_exists(s)" && r.ReturnValuesOnConditionCheckFailure == "ALL_OLD":
		return tb.put(r.Item), nil
	case call == "Query" && r.ConsistentRead:
		return tb.query(r), nil
	case call == "Scan" && r.ConsistentRead:
		return tb.answer(tb.items, r), nil
	}
	return failed(http.StatusBadRequest, "AccessDeniedException", nil), nil
}

func (tb *table) put(i item) *http.Response {
	at, there := slices.BinarySearchFunc(tb.items, i, compare)
	if there {
		return failed(http.StatusBadRequest, "ConditionalCheckFailedException", tb.items[at])
	}
	tb.items = slices.Insert(tb.items, at, i)
	return answered(struct{}{})
}

func (tb *table) query(r request) *http.Response {
	var found []item
	for _, i := range tb.items {
		if bytes.Equal(i["s"].B, r.ExpressionAttributeValues[":s"].B) && holds(i.version(), r) {
			found = append(found, i)
		}
	}
	if r.ScanIndexForward != nil && !*r.ScanIndexForward {
		slices.Reverse(found)
	}
	return tb.answer(found, r)
}

func holds(version int, r request) bool {
	bound := 0
	if v := r.ExpressionAttributeValues[":v"].N; v != nil {
		bound, _ = strconv.Atoi(*v)
	}
	switch r.KeyConditionExpression {
	case "s = :s":
		return true
	case "s = :s AND v > :v":
		return version > bound
	case "s = :s AND v <= :v":
		return version <= bound
	}
	return false
}

// answer returns a page of items. Only items in ascending order are paged.
func (tb *table) answer(all []item, r request) *http.Response {
	if r.ExclusiveStartKey != nil {
		at, _ := slices.BinarySearchFunc(all, r.ExclusiveStartKey, compare)
		all = all[at+1:]
	}
	limit := tb.page
	if r.Limit > 0 {
		limit = r.Limit
	}
	if len(all) > limit {
		return answered(map[string]any{"Items": all[:limit], "LastEvaluatedKey": all[limit-1].keys()})
	}
	return answered(map[string]any{"Items": all})
}

// called returns and forgets what the log asked for.
func (tb *table) called() []string {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	calls := tb.calls
	tb.calls = nil
	return calls
}

// change changes the stored item at an index.
func (tb *table) change(at int, change func(item)) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.items[at] = maps.Clone(tb.items[at])
	change(tb.items[at])
}

func answered(body any) *http.Response { return response(http.StatusOK, body) }

// failed is an error as DynamoDB's JSON protocol has it ("Error handling with
// DynamoDB" in its developer guide).
func failed(status int, code string, old item) *http.Response {
	body := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": "scripted"}
	if old != nil {
		body["Item"] = old
	}
	return response(status, body)
}

func response(status int, body any) *http.Response {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader(b)), ContentLength: int64(len(b)),
	}
}

// client returns a client that talks to rt and tries so often.
func client(t testing.TB, rt http.RoundTripper, attempts int) *dynamodb.Client {
	t.Helper()
	return dynamodb.NewFromConfig(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), HTTPClient: &http.Client{Transport: rt},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.Backoff = attempts, retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	})
}
