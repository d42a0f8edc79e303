package lambdahttp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/httpapi"
	"handoff/infra/lambdahttp"
	"handoff/infra/standardwebhooks"
)

// operations echo what they are asked for, so that a request that arrives
// otherwise is answered otherwise.
func operations() httpapi.API {
	return httpapi.API{
		Healthy: func(context.Context) error { return nil },
		Raise: func(_ context.Context, by identity.Principal, conn string, h intake.HandOff, r httpapi.Request) (conversation.Answer, error) {
			return conversation.Answer{EscalationID: by.ID + "/" + conn + "/" + h.Context.ConversationID, Queue: r.Key + r.Trace, Rule: h.Topic}, nil
		},
		Escalations: func(_ context.Context, _ identity.Principal, q listing.EscalationQuery) ([]listing.Escalation, string, error) {
			return []listing.Escalation{{ID: q.IDPrefix, Topic: q.Queue, Status: q.Status, Connection: q.Connection, Number: q.Limit}}, q.Cursor, nil
		},
		CheckRules: func(_ context.Context, source []byte) (string, error) { return fmt.Sprintf("%x", source), nil },
		AdoptRules: func(_ context.Context, _ identity.Principal, id string, source []byte, ifMatch string) (string, error) {
			return fmt.Sprintf("%s %s %x", id, ifMatch, source), nil
		},
		Facts: func(_ context.Context, _ identity.Principal, after int64) iter.Seq2[events.Record, error] {
			return func(yield func(events.Record, error) bool) {
				for p := after + 1; p <= 9 && yield(record(p), nil); p++ {
				}
			}
		},
		RevokeKey: func(context.Context, identity.Principal, string) error { return nil },
	}
}

func record(position int64) events.Record {
	return events.Record{Header: events.Header{Stream: uuid.UUID{15: 1}, Version: int(position), Type: "X"}, Clear: []byte(`{"a":"é<b>"}`), Position: position}
}

func realHandler(secret standardwebhooks.Secret, at time.Time) http.Handler {
	return httpapi.New(operations(), httpapi.Config{
		Authenticate: func(_ context.Context, token string) (identity.Principal, error) {
			role, err := identity.ParseRole(token)
			if err != nil {
				return identity.Principal{}, fault.New(fault.Unauthenticated, "key-invalid", "The key is not valid.")
			}
			return identity.Principal{ID: token, Tenant: "default", Role: role, Connection: map[string]string{"bot": "store-bot"}[token]}, nil
		},
		WebhookSecrets: func(context.Context, string, string) ([]standardwebhooks.Secret, error) {
			return []standardwebhooks.Secret{secret}, nil
		},
		Now: func() time.Time { return at }, PublicURL: "https://handoff.example", MaxBody: 4 << 10, FactsBytes: 1500, Version: "v1",
	})
}

// gateway is what API Gateway does: it makes an event of a request, and sends
// what comes back. Both cross the wire as JSON.
func gateway(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e request
		through(t, eventOf(t, r), &e)
		var a answer
		through(t, lambdahttp.Serve(r.Context(), h, e), &a)
		for name, value := range a.Headers {
			w.Header().Set(name, value)
		}
		for _, c := range a.Cookies {
			w.Header().Add("Set-Cookie", c)
		}
		w.WriteHeader(a.StatusCode)
		body := []byte(a.Body)
		if a.IsBase64Encoded {
			body, _ = base64.StdEncoding.DecodeString(a.Body)
		}
		_, _ = w.Write(body)
	})
}

func eventOf(t *testing.T, r *http.Request) (e request) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	e.Version = "2.0"
	e.RawPath, e.RawQueryString, _ = strings.Cut(r.RequestURI, "?")
	e.Headers = map[string]string{"host": r.Host}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	c := &e.RequestContext
	c.Stage, c.DomainName, c.HTTP.Method, c.HTTP.SourceIP = "$default", r.Host, r.Method, "203.0.113.7"
	if e.Body = string(body); !utf8.Valid(body) || len(body)%2 == 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

func through(t *testing.T, from, to any) {
	t.Helper()
	b, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		t.Error(err)
	}
}

// drawn is a request to be made: what a caller may send, right or wrong.
type drawn struct {
	Method, Target string
	Header         http.Header
	Body           string
}

func draw(t *rapid.T, secret standardwebhooks.Secret, at time.Time) drawn {
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	odd := rapid.StringMatching(`[a-z0-9%/.~:@+é-]{0,12}`).Draw(t, "odd")
	d := drawn{Method: one("method", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"), Header: make(http.Header)}
	d.Target = one("path", "/healthz", "/v1/version", "/v1/escalations", "/v1/facts", "/v1/connections/store-bot/escalations",
		"/v1/connections/store-bot/activities", "/v1/connections/store%2Dbot/rules", "/v1/rules/check", "/v1/keys/abc", "/v1/keys/", "//v1/../x", "/v1/"+odd)
	d.Target += one("query", "", "", "?", "?limit=2&cursor=a%2Bb%3D", "?queue=a+b%20c&id=esc_%C3%A9", "?after=3", "?after=3&after=4", "?status=open", "?limit=%zz", "?a;b", "?"+odd)
	d.Body = one("body", "", `{"conversation_id":"c","topic":"Rückerstattung"}`, `{"conversation_id":"`+strings.Repeat("x", 5000)+`"}`,
		"version: 1\n", `{"type":"event","name":"handoff.initiate","id":"1"}`, "\xff\x00{", string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")))
	headers := map[string][]string{
		"Authorization":   {"", "Bearer admin", "Bearer admin", "Bearer bot", "Bearer auditor", "bearer  hub", "Basic YTpi", "Bearer x"},
		"Content-Type":    {"", "application/json", "application/json", "application/json; charset=utf-8", "application/yaml", "text/html"},
		"Idempotency-Key": {"", `"a key"`, "word", `"broken`, "é"}, "Traceparent": {"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-x"},
		"If-Match": {"", `"tag"`, "*", "a,b"}, "Cookie": {"", "a=1", "a=1; b=2"}, "Content-Encoding": {"", "", "gzip"}, "Accept-Encoding": {"identity"},
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) { // in an order that can be drawn again
		if v := one(name, headers[name]...); v != "" {
			d.Header.Set(name, v)
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "signed") == 0 {
		d.Header.Del("Authorization")
		d.Header.Set("Webhook-Id", "msg_1")
		d.Header.Set("Webhook-Timestamp", fmt.Sprint(at.Unix()))
		d.Header.Set("Webhook-Signature", standardwebhooks.Sign(secret, "msg_1", at, []byte(d.Body)))
	}
	return d
}

// got is what a caller sees of an answer.
type got struct {
	Status int
	Header http.Header
	Body   string
}

// ids are new for each request.
var ids = regexp.MustCompile(`req_[A-Z2-7]{26}`)

func ask(t *rapid.T, c *http.Client, server string, d drawn) (got, bool) {
	r, err := http.NewRequestWithContext(context.Background(), d.Method, server+d.Target, strings.NewReader(d.Body))
	if err != nil {
		return got{}, false // nobody can send that
	}
	r.Header = d.Header.Clone()
	r.Host = "handoff.example"
	a, err := c.Do(r)
	if err != nil {
		return got{}, false // it is no HTTP
	}
	defer func() { _ = a.Body.Close() }()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	// The connection's part differs, and is neither handler's business.
	for _, name := range []string{"Date", "Content-Length", "Connection"} {
		a.Header.Del(name)
	}
	if !ids.MatchString(a.Header.Get(httpapi.HeaderRequestID)) {
		return got{}, false // net/http did not even hand it on
	}
	a.Header.Set(httpapi.HeaderRequestID, "")
	return got{Status: a.StatusCode, Header: a.Header, Body: ids.ReplaceAllString(string(body), "")}, true
}

// A caller can't tell Lambda from net/http.
func TestLambdaAnswersAsNetHTTPDoes(t *testing.T) {
	t.Parallel()
	secret, at := standardwebhooks.Generate(), time.Date(2026, 11, 22, 9, 10, 12, 0, time.UTC)
	h := realHandler(secret, at)
	direct, behind := httptest.NewServer(h), httptest.NewServer(gateway(t, h))
	t.Cleanup(direct.Close)
	t.Cleanup(behind.Close)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	statuses := make(map[int]int)
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t, secret, at)
		want, ok := ask(t, client, direct.URL, d)
		if !ok {
			t.Skip("no request")
		}
		statuses[want.Status]++
		if got, _ := ask(t, client, behind.URL, d); !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s %v %q\nwas answered %+v\nnet/http did  %+v", d.Method, d.Target, d.Header, d.Body, got, want)
		}
	})
	if statuses[http.StatusOK] == 0 || len(statuses) < 5 {
		t.Errorf("the requests had %v: they try too little", statuses)
	}
}
