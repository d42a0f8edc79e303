package rest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/rest"
)

// script answers calls one after the other, the last answer for ever. Inside a
// synctest bubble it costs no time.
type script struct {
	answers []answer
	times   []time.Time
	seen    []*http.Request
}

type answer struct {
	status int
	after  string // Retry-After
	body   string
	err    error
	hangs  bool

	operation string // X-Correlating-OperationId
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.times, s.seen = append(s.times, time.Now()), append(s.seen, r)
	a := s.answers[min(len(s.times), len(s.answers))-1]
	if a.hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	resp := &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}
	if a.after != "" {
		resp.Header.Set("Retry-After", a.after)
	}
	if a.operation != "" {
		resp.Header.Set("X-Correlating-OperationId", a.operation)
	}
	if a.status/100 == 3 {
		resp.Header.Set("Location", "https://elsewhere.example/")
	}
	return resp, nil
}

func client(s *script) *rest.Client {
	return &rest.Client{Service: "hub", Title: "The hub", HTTP: &http.Client{Transport: s}, Now: time.Now}
}

func TestWhatAnswersMean(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		answer answer
		kind   fault.Kind
		code   string
	}{
		"400":                   {answer{status: 400}, fault.Unprocessable, "hub-refused"},
		"401":                   {answer{status: 401}, fault.Unprocessable, "hub-token-refused"},
		"403":                   {answer{status: 403}, fault.Unprocessable, "hub-forbidden"},
		"404":                   {answer{status: 404}, fault.NotFound, "hub-not-found"},
		"409":                   {answer{status: 409}, fault.Conflict, "hub-conflict"},
		"413":                   {answer{status: 413}, fault.TooLarge, "hub-too-large"},
		"429":                   {answer{status: 429}, fault.RateLimited, "hub-rate-limited"},
		"500":                   {answer{status: 500}, fault.Unavailable, "hub-unavailable"},
		"503":                   {answer{status: 503}, fault.Unavailable, "hub-unavailable"},
		"a redirect":            {answer{status: 307}, fault.Unprocessable, "hub-refused"},
		"an answer too long":    {answer{status: 200, body: strings.Repeat("a", rest.DefaultAnswer+1)}, fault.Unavailable, "hub-answer-invalid"},
		"no connection":         {answer{err: errors.New("refused")}, fault.Unavailable, "hub-unreachable"},
		"no answer in its time": {answer{hangs: true}, fault.Unavailable, "hub-timeout"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: []answer{c.answer}}
				_, err := client(s).Do(t.Context(), rest.Request{Method: "GET", URL: "https://hub.example/secret-id", Bearer: "secret-token", Repeatable: true})
				if fault.KindOf(err) != c.kind || !fault.Is(err, c.code) {
					t.Fatalf("err = %v, want %s", err, c.code)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error tells %q", err)
				}
				if s.seen[0].Header.Get("Authorization") != "Bearer secret-token" {
					t.Error("the token did not travel")
				}
			})
		})
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		answers    []answer
		repeatable bool
		attempts   int
		ok         bool
		least      time.Duration // how long it takes at least, and at most
		most       time.Duration
	}{
		"an answer at once":                  {[]answer{{status: 200}}, true, 1, true, 0, 0},
		"an outage that ends":                {[]answer{{status: 500}, {err: io.EOF}, {status: 202}}, true, 3, true, 750 * time.Millisecond, 1500 * time.Millisecond},
		"an outage that does not end":        {[]answer{{status: 500}}, true, 4, false, 1750 * time.Millisecond, 3500 * time.Millisecond},
		"an outage, and no repeating":        {[]answer{{status: 502}}, false, 1, false, 0, 0},
		"too much at once, and no repeating": {[]answer{{status: 429, after: "3"}, {status: 200}}, false, 2, true, 3 * time.Second, 3 * time.Second},
		"Retry-After as a date":              {[]answer{{status: 503, after: "Sat, 01 Jan 2000 00:00:07 GMT"}, {status: 200}}, true, 2, true, 7 * time.Second, 7 * time.Second},
		"a longer pause than anybody waits":  {[]answer{{status: 429, after: "60"}}, true, 1, false, 0, 0},
		"a refusal that will not change":     {[]answer{{status: 400}}, true, 1, false, 0, 0},
		"a Retry-After that can't be read":   {[]answer{{status: 503, after: "soon"}, {status: 200}}, true, 2, true, 250 * time.Millisecond, 500 * time.Millisecond},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, began := &script{answers: c.answers}, time.Now()
				a, err := client(s).Do(t.Context(), rest.Request{Method: "POST", URL: "https://hub.example/", Body: []byte("{}"), Repeatable: c.repeatable})
				took := time.Since(began)
				if (err == nil) != c.ok || len(s.seen) != c.attempts || c.ok && a.Attempts != c.attempts {
					t.Errorf("%d calls, answer %+v, %v; want %d", len(s.seen), a, err, c.attempts)
				}
				if took < c.least || took > c.most {
					t.Errorf("took %s, want %s to %s", took, c.least, c.most)
				}
			})
		})
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{{status: 429, after: "60", body: `{"error":{"code":"TooMany","message":"slow"}}`}}}
	_, err := client(s).Do(t.Context(), rest.Request{Method: "GET", URL: "https://hub.example/"})
	if f := fault.Of(err); f == nil || f.RetryAfter != time.Minute {
		t.Errorf("err = %+v, want a minute", f)
	}
	if r := rest.RefusalOf(err); r == nil || r.Status != 429 || r.Code != "TooMany" || r.Message != "slow" {
		t.Errorf("refusal = %v", r)
	}
}

// What a service says may repeat what it was told: names of conversations, and
// what stands in them.
func TestNoErrorRepeatsWhatAServiceSays(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ body, want string }{
		"a message":           {`{"error":{"code":"NotFound","message":"There is no 19:secret of R. Bakker"}}`, "status 400 NotFound (operation op1)"},
		"a code that is none": {`{"error":{"code":"There is no 19:secret","message":"x"}}`, "status 400 (operation op1)"},
		"a page":              {`<html>19:secret</html>`, "status 400 (operation op1)"},
	} {
		s := &script{answers: []answer{{status: 400, body: c.body, operation: "op1"}}}
		_, err := client(s).Do(t.Context(), rest.Request{Method: "GET", URL: "https://hub.example/19:secret"})
		if err == nil || strings.Contains(err.Error(), "19:secret") || strings.Contains(err.Error(), "Bakker") || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: err = %v, want %s at its end", sentence, err, c.want)
		}
	}
}

func TestTheCallersEndIsNoFaultOfTheService(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &script{answers: []answer{{hangs: true}}}
	_, err := client(s).Do(ctx, rest.Request{Method: "GET", URL: "https://hub.example/", Repeatable: true})
	if !errors.Is(err, context.Canceled) || fault.Of(err) != nil {
		t.Errorf("err = %v", err)
	}
}

func TestAWaitEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, began := &script{answers: []answer{{status: 429, after: "5"}}}, time.Now()
		_, err := client(s).Do(ctx, rest.Request{Method: "GET", URL: "https://hub.example/"})
		if !fault.Is(err, "hub-rate-limited") || time.Since(began) != time.Second {
			t.Errorf("err = %v after %s", err, time.Since(began))
		}
	})
}

// A real server, since a RoundTripper of our own sees no redirect followed.
func TestRedirectsCarryNoTokenAway(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("was asked") }))
	defer elsewhere.Close()
	here := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer here.Close()
	c := &rest.Client{Service: "hub", Title: "The hub"}
	if _, err := c.Do(t.Context(), rest.Request{Method: "GET", URL: here.URL, Bearer: "x"}); !fault.Is(err, "hub-refused") {
		t.Errorf("err = %v", err)
	}
}
