package dynamokeys_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"handoff/infra/keyring/dynamokeys"
	"handoff/tests/keyringtest"
)

// page is how many items or parameters one answer has at most.
const page = 3

type (
	item  = map[string]json.RawMessage
	names []map[string]string
	// request is what the store may ask for; anything else fails to decode.
	request struct {
		// DynamoDB
		TableName, ConditionExpression, UpdateExpression, KeyConditionExpression, ReturnValuesOnConditionCheckFailure string
		Key, Item, ExpressionAttributeValues, ExclusiveStartKey                                                       item
		ConsistentRead                                                                                                bool
		RequestItems                                                                                                  map[string]struct {
			Keys           []item
			ConsistentRead bool
		}
		// Parameter Store
		Names                                []string
		Name, Value, Type, Tier, KeyId, Path string
		NextToken                            string
		Overwrite, WithDecryption, Recursive bool
	}
)

// services stand in for DynamoDB and the Parameter Store behind their clients,
// on the wire. They answer what the store sends and refuse everything else. They
// show what the store does; what AWS does, the engines show.
type services struct {
	mu     sync.Mutex
	items  map[string]item
	params map[string]request
	calls  []string
}

func newServices() *services {
	return &services{items: map[string]item{}, params: map[string]request{}}
}

// place is where an item stands among the others.
func place(i item) string { return string(i["p"]) + "\x00" + string(i["o"]) }

// RoundTrip implements http.RoundTripper.
func (s *services) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var r request
	dec := json.NewDecoder(req.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return failed(http.StatusBadRequest, "SerializationException: "+err.Error(), nil), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, call, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	s.calls = append(s.calls, call)
	answers := map[string]func(request) *http.Response{
		"GetItem": s.getItem, "PutItem": s.putItem, "UpdateItem": s.updateItem,
		"BatchGetItem": s.batchGetItem, "Query": s.query, "Scan": s.query,
		"GetParameters": s.getParameters, "PutParameter": s.putParameter, "GetParametersByPath": s.byPath,
	}
	return answers[call](r), nil
}

func (s *services) getItem(r request) *http.Response {
	if !r.ConsistentRead {
		return failed(http.StatusBadRequest, "AccessDeniedException", nil)
	}
	return answered(map[string]any{"Item": s.items[place(r.Key)]})
}

func (s *services) holds(old item, r request) bool {
	values := func(name string) string { return string(r.ExpressionAttributeValues[name]) }
	switch r.ConditionExpression {
	case "":
		return true
	case "attribute_not_exists(p)":
		return old == nil
	case "u = :u":
		return old != nil && string(old["u"]) == values(":u")
	case "t = :tenant":
		return old != nil && string(old["t"]) == values(":tenant")
	}
	return false
}

func (s *services) putItem(r request) *http.Response {
	at := place(r.Item)
	if old := s.items[at]; !s.holds(old, r) {
		return failed(http.StatusBadRequest, "ConditionalCheckFailedException", old)
	}
	s.items[at] = r.Item
	return answered(struct{}{})
}

func (s *services) updateItem(r request) *http.Response {
	old := s.items[place(r.Key)]
	if !s.holds(old, r) {
		return failed(http.StatusBadRequest, "ConditionalCheckFailedException", nil)
	}
	fresh := maps.Clone(old)
	switch r.UpdateExpression {
	case "SET n = :new":
		fresh["n"] = r.ExpressionAttributeValues[":new"]
	case "SET v = if_not_exists(v, :new)":
		if fresh["v"] == nil {
			fresh["v"] = r.ExpressionAttributeValues[":new"]
		}
	default:
		return failed(http.StatusBadRequest, "ValidationException", nil)
	}
	s.items[place(r.Key)] = fresh
	return answered(struct{}{})
}

// batchGetItem answers a page and leaves the rest unprocessed.
func (s *services) batchGetItem(r request) *http.Response {
	found, rest := map[string][]item{}, map[string]map[string]any{}
	for table, asked := range r.RequestItems {
		for i, key := range asked.Keys {
			if i == page {
				rest[table] = map[string]any{"Keys": asked.Keys[i:], "ConsistentRead": asked.ConsistentRead}
				break
			}
			if it := s.items[place(key)]; it != nil {
				found[table] = append(found[table], it)
			}
		}
	}
	return answered(map[string]any{"Responses": found, "UnprocessedKeys": rest})
}

func (s *services) query(r request) *http.Response {
	var found []item
	text := func(v json.RawMessage) string {
		return strings.TrimSuffix(strings.TrimPrefix(string(v), `{"S":"`), `"}`)
	}
	for _, at := range slices.Sorted(maps.Keys(s.items)) {
		i := s.items[at]
		of := r.KeyConditionExpression == "" || string(i["p"]) == string(r.ExpressionAttributeValues[":p"])
		if strings.HasSuffix(r.KeyConditionExpression, "begins_with(o, :o)") {
			of = of && strings.HasPrefix(text(i["o"]), text(r.ExpressionAttributeValues[":o"]))
		}
		if of && (r.ExclusiveStartKey == nil || at > place(r.ExclusiveStartKey)) {
			found = append(found, i)
		}
	}
	if len(found) <= page {
		return answered(map[string]any{"Items": found})
	}
	last := found[page-1]
	return answered(map[string]any{"Items": found[:page], "LastEvaluatedKey": item{"p": last["p"], "o": last["o"]}})
}

func (s *services) getParameters(r request) *http.Response {
	if len(r.Names) > 10 || !r.WithDecryption {
		return failed(http.StatusBadRequest, "ValidationException", nil)
	}
	var found names
	for _, name := range r.Names {
		if p, ok := s.params[name]; ok {
			found = append(found, map[string]string{"Name": name, "Value": p.Value})
		}
	}
	return answered(map[string]any{"Parameters": found})
}

func (s *services) putParameter(r request) *http.Response {
	if _, ok := s.params[r.Name]; ok && !r.Overwrite {
		return failed(http.StatusBadRequest, "ParameterAlreadyExists", nil)
	}
	s.params[r.Name] = r
	return answered(map[string]any{"Version": 1})
}

func (s *services) byPath(r request) *http.Response {
	var found names
	for _, name := range slices.Sorted(maps.Keys(s.params)) {
		if strings.HasPrefix(name, r.Path+"/") && name > r.NextToken {
			found = append(found, map[string]string{"Name": name, "Value": "encrypted"})
		}
	}
	if len(found) <= page {
		return answered(map[string]any{"Parameters": found})
	}
	return answered(map[string]any{"Parameters": found[:page], "NextToken": found[page-1]["Name"]})
}

// called returns and forgets what was asked for.
func (s *services) called() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func answered(body any) *http.Response { return response(http.StatusOK, body) }

// failed is an error as both services have it ("Error handling with DynamoDB" in
// its developer guide).
func failed(status int, code string, old item) *http.Response {
	body := map[string]any{"__type": "com.amazonaws#" + code, "message": "scripted"}
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
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(bytes.NewReader(b)), ContentLength: int64(len(b)),
	}
}

// wire fails requests on their way to AWS, or answers on their way back.
type wire struct {
	next http.RoundTripper
	// fail returns what comes instead of the answer, nil for the answer; lost
	// says that AWS has done what it was asked for.
	fail func(call string) (instead *http.Response, lost bool)
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	_, call, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	instead, lost := w.fail(call)
	if instead != nil {
		_ = req.Body.Close()
		return instead, nil
	}
	resp, err := w.next.RoundTrip(req)
	if err != nil || !lost {
		return resp, err
	}
	return nil, errors.Join(resp.Body.Close(), &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)})
}

// behind says where an empty keyring is, with clients that talk to rt and try
// ten times.
func behind(t testing.TB, rt http.RoundTripper) dynamokeys.Options {
	t.Helper()
	c := aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), HTTPClient: &http.Client{Transport: rt},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.RateLimiter = 10, ratelimit.None
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
	return dynamokeys.Options{
		DB: dynamodb.NewFromConfig(c), Table: "keys", SSM: ssm.NewFromConfig(c), Path: "/handoff/test", Create: true,
		Now: func() time.Time { return keyringtest.Start },
	}
}
