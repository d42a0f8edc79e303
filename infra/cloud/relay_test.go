package cloud_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/cloud"
	"handoff/infra/looks"
	"handoff/infra/microsoft/relaying"
	"handoff/tests/functiontest"
)

// relayer notes what a relay is asked for, and fails.
type relayer struct {
	mu    sync.Mutex
	asked []string
	fails bool
}

func (r *relayer) note(what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, what)
	if r.fails {
		return errBroken
	}
	return nil
}

func (r *relayer) Handle(_ context.Context, n events.Notification) error {
	return r.note("fact " + n.Type)
}

func (r *relayer) Look(_ context.Context, stream events.StreamID) error {
	return r.note("look " + stream.String())
}

func (r *relayer) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	_ = r.note(q.Method + " " + q.URL.Path)
	w.WriteHeader(http.StatusTeapot)
}

// queue is the messages that a queue hands out. Those of a FIFO queue have a
// group.
func queue(t *testing.T, received int, group string, bodies ...string) []byte {
	t.Helper()
	var e lambdaevents.SQSEvent
	for i, b := range bodies {
		m := lambdaevents.SQSMessage{
			MessageId: fmt.Sprint("m", i), Body: b, ReceiptHandle: fmt.Sprint("r", i), EventSourceARN: "arn:aws:sqs:eu-central-1:123456789012:relay.fifo",
			Attributes: map[string]string{"ApproximateReceiveCount": fmt.Sprint(received)},
		}
		if group != "" {
			m.Attributes["MessageGroupId"] = group
		}
		e.Records = append(e.Records, m)
	}
	return encode(t, e)
}

// relay binds a relay to queues at a server that notes what it is asked for.
func relay(t *testing.T, r *relayer) (h cloud.Handler, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	sqs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, strings.TrimPrefix(q.Header.Get("X-Amz-Target"), "AmazonSQS.")+" "+string(body))
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(sqs.Close)
	env := environment("HANDOFF_RELAY_QUEUE", "https://sqs.example/relay.fifo", "HANDOFF_RELAY_TIMERS_QUEUE", "https://sqs.example/timers")
	h, err := bind(t, env, func(_ context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		c.AWS = aws.Config{Region: "us-east-1", BaseEndpoint: &sqs.URL, Credentials: credentials.NewStaticCredentialsProvider("t", "t", "")}
		return c.OnRelay(r, r, &looks.Keeper{Timers: c.RelayTimers(), Queue: c.Relay()}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestWhatRelayIsToldOf(t *testing.T) {
	t.Parallel()
	stream := uuid.UUID{7}
	look := `{"stream":"` + stream.String() + `","look_at":"2026-11-22T10:00:00Z"}`
	for sentence, c := range map[string]struct {
		payload []byte
		asked   []string
	}{
		"a fact":                            {queue(t, 1, "g", string(encode(t, raised()))), []string{"fact EscalationRaised"}},
		"a look":                            {queue(t, 1, "g", look), []string{"look " + stream.String()}},
		"what the hub says":                 {[]byte(`{"version":"2.0","rawPath":"/v1/messages/a/b","requestContext":{"http":{"method":"POST","path":"/v1/messages/a/b"}}}`), []string{"POST /v1/messages/a/b"}},
		"a message of neither queue":        {queue(t, 1, "g", "{}"), nil},
		"a timer that is none":              {queue(t, 1, "", "{}"), nil},
		"a fact in the queue of the timers": {queue(t, 1, "", string(encode(t, raised()))), nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := &relayer{}
			h, _ := relay(t, r)
			out, err := h(t.Context(), c.payload)
			if err != nil || !slices.Equal(r.asked, c.asked) {
				t.Errorf("asked for %q, want %q; answer %s, %v", r.asked, c.asked, out, err)
			}
			if failed := strings.Contains(string(out), `"itemIdentifier"`); failed != (c.asked == nil) {
				t.Errorf("answer %s", out)
			}
		})
	}
}

func TestWhatFailsComesBackSoon(t *testing.T) {
	t.Parallel()
	for received, want := range map[int]int{1: 2, 2: 4, 3: 8, 5: 32, 6: 60, 70: 60} {
		r := &relayer{fails: true}
		h, asked := relay(t, r)
		out, err := h(t.Context(), queue(t, received, "g", string(encode(t, raised()))))
		if err != nil || back(t, out) != "m0" {
			t.Errorf("%s, %v came back, want the message", out, err)
		}
		var said struct {
			QueueURL, ReceiptHandle string
			VisibilityTimeout       int
		}
		all := asked()
		if len(all) != 1 || !strings.HasPrefix(all[0], "ChangeMessageVisibility ") {
			t.Fatalf("SQS is asked %q", all)
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(all[0], "ChangeMessageVisibility ")), &said); err != nil {
			t.Fatal(err)
		}
		if said.VisibilityTimeout != want || said.ReceiptHandle != "r0" || said.QueueURL != "https://sqs.eu-central-1.amazonaws.com/123456789012/relay.fifo" {
			t.Errorf("received %d times: %+v, want %d s", received, said, want)
		}
	}
}

func TestAnAddressOfOursIsNeededWhereLinksAreMade(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{"": "HANDOFF_PUBLIC_URL is not set", "https://handoff.example/": ""} {
		_, err := bind(t, environment("HANDOFF_PUBLIC_URL", url), func(_ context.Context, c *cloud.Cloud) (cloud.Handler, error) {
			if got := c.PublicURL(); got != strings.TrimSuffix(url, "/") {
				t.Errorf("the address is %q, want %q", got, url)
			}
			return nothing, nil
		})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("with %q: %v, want %q", url, err, want)
		}
	}
}

func TestMicrosoftIsTheRealOneUnlessAFakeIsNamed(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{"": "", "https://example.com": "simulation-url-invalid", "http://127.0.0.1:9": "simulation-unreachable"} {
		_, err := bind(t, environment("HANDOFF_MICROSOFT_SIMULATION", url), func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
			at, err := c.Microsoft(ctx)
			if err == nil && at.Simulated {
				t.Error("it is a fake")
			}
			return nothing, err
		})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("with %q: %v, want %q", url, err, want)
		}
	}
}

// keys name the streams of a bench, and of no tenant but its own.
type keys struct{ *functiontest.Keys }

func (k keys) StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error) {
	if tenant == ".." {
		return events.StreamID{}, errBroken // nobody is asked for such a name
	}
	if tenant != functiontest.Tenant {
		return events.StreamID{}, fault.New(fault.NotFound, "tenant-not-found", "There is no such tenant.")
	}
	return k.Keys.StreamID(tenant, kind, parts...)
}

func (keys) Secret(context.Context, string, string) ([]byte, error) { return nil, errBroken }

func TestWhoseAddressARequestCameTo(t *testing.T) {
	t.Parallel()
	b := functiontest.New(t)
	b.Give("ready", functiontest.Ready("ready", functiontest.Rules)...)
	b.Give("asked-for", functiontest.Requested("asked-for"))
	var e *relaying.Endpoint
	_, err := bind(t, environment(), func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		var err error
		e, err = c.Messages(ctx, nil, b.Ledger, keys{b.Keys})
		return nothing, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"default/ready": "app-ready", "default/asked-for": "", "default/nobodys": "", "other/ready": "", "default/no name": "", "../ready": "",
	} {
		tenant, connection, _ := strings.Cut(address, "/")
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.SetPathValue("tenant", tenant)
		r.SetPathValue("connection", connection)
		l, application, err := e.Link(r)
		if want == "" {
			if application != "" || fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s is of %q, %v; want nobody's", address, application, err)
			}
		} else if err != nil || application != want || l.Tenant+"/"+l.Connection != address {
			t.Errorf("%s is of %q, %+v, %v; want %q", address, application, l, err, want)
		}
	}
}
