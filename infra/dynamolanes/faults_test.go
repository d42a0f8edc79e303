package dynamolanes_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"handoff/domain/fault"
	"handoff/infra/dynamolanes"
)

// script answers every request alike, and is no network.
type script struct {
	status int
	body   string
	asked  []string // bodies
}

// RoundTrip implements http.RoundTripper.
func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	asked, _ := io.ReadAll(r.Body)
	s.asked = append(s.asked, string(asked))
	return &http.Response{
		StatusCode: s.status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(s.body)), Request: r,
	}, nil
}

func (s *script) config() aws.Config {
	return aws.Config{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: s}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

func TestAServiceThatIsDownIsUnavailable(t *testing.T) {
	t.Parallel()
	for sentence, s := range map[string]*script{
		"it fails":     {status: 500, body: `{"__type":"InternalServerError"}`},
		"it throttles": {status: 400, body: `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			table, timers := dynamolanes.NewTable(dynamodb.NewFromConfig(s.config()), "work"), dynamolanes.NewSQSTimers(sqs.NewFromConfig(s.config()), "https://sqs.example/q")
			there := dynamolanes.Item{P: "p", O: "o", N: 1}
			_, read := table.Read(t.Context(), "p", "o", 1)
			_, put := table.Swap(t.Context(), there, there)
			_, removed := table.Swap(t.Context(), there, dynamolanes.Item{})
			all := map[string]error{"Read": read, "put": put, "delete": removed, "Wake": timers.Wake(t.Context(), 0, "lane")}
			for _, err := range table.Due(t.Context(), "lane#", time.Time{}) {
				all["Due"] = err
			}
			for call, err := range all {
				if fault.KindOf(err) != fault.Unavailable {
					t.Errorf("%s = %v, want it unavailable", call, err)
				}
			}
			if len(all) != 5 {
				t.Errorf("%d calls failed, want 5", len(all))
			}
		})
	}
}

func TestItemsThatNobodyWroteAreErrors(t *testing.T) {
	t.Parallel()
	for sentence, item := range map[string]string{
		"no revision":          `{"p":{"S":"p"},"o":{"S":"o"}}`,
		"a revision as text":   `{"p":{"S":"p"},"o":{"S":"o"},"n":{"S":"1"}}`,
		"a due time as text":   `{"p":{"S":"p"},"o":{"S":"o"},"n":{"N":"1"},"d":{"S":"1"}}`,
		"a revision too large": `{"p":{"S":"p"},"o":{"S":"o"},"n":{"N":"1e30"}}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := &script{status: 200, body: `{"Items":[` + item + `],"Count":1}`}
			if found, err := dynamolanes.NewTable(dynamodb.NewFromConfig(s.config()), "work").Read(t.Context(), "p", "o", 1); err == nil {
				t.Errorf("Read = %+v", found)
			}
		})
	}
}

func TestWakeUps(t *testing.T) {
	t.Parallel()
	s := &script{status: 200, body: `{"Successful":[],"Failed":[]}`}
	timers := dynamolanes.NewSQSTimers(sqs.NewFromConfig(s.config()), "https://sqs.example/q")
	lanes := strings.Split(strings.Repeat("lane#a ", 12), " ")[:12]
	if err := timers.Wake(t.Context(), 2500*time.Millisecond, lanes...); err != nil {
		t.Fatal(err)
	}
	if len(s.asked) != 2 || strings.Count(s.asked[0], `"DelaySeconds":3`) != 10 || strings.Count(s.asked[1], `"DelaySeconds":3`) != 2 {
		t.Errorf("asked %q, want twelve messages after 3 s in two requests", s.asked)
	}
	if err := timers.Wake(t.Context(), time.Hour, "lane#a"); err != nil || !strings.Contains(s.asked[2], `"DelaySeconds":900`) {
		t.Errorf("Wake = %v, asked %s, want the longest delay that there is", err, s.asked[2])
	}
	s.body = `{"Successful":[],"Failed":[{"Id":"0","Code":"InternalError","SenderFault":false}]}`
	if err := timers.Wake(t.Context(), 0, "lane#a"); err == nil {
		t.Error("a message that SQS refused is no error")
	}
}
