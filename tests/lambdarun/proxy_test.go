package lambdarun_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"handoff/tests/awstest"
	"handoff/tests/lambdarun"
)

// behind returns what clients of an instance are made from, with a proxy before
// a server that answers everything and counts.
func behind(t *testing.T) (aws.Config, *lambdarun.Proxy, *atomic.Int64) {
	t.Helper()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(server.Close)
	p, err := lambdarun.NewProxy(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(p)
	t.Cleanup(front.Close)
	cfg := awstest.Engine{Endpoint: front.URL}.Config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider("deliver-7", "test", "")
	return cfg, p, &calls
}

func TestFaultsAreMetOnTheWay(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		fault lambdarun.Fault
		calls int64 // that reach the server, with one repetition by the client
	}{
		"a call passes":           {fault: lambdarun.Passed, calls: 1},
		"a call is throttled":     {fault: lambdarun.Throttled, calls: 1},
		"a call fails":            {fault: lambdarun.Failed, calls: 1},
		"an answer is lost":       {fault: lambdarun.Lost, calls: 2},
		"an instance dies before": {fault: lambdarun.KilledSoon, calls: 1},
		"an instance dies after":  {fault: lambdarun.KilledLate, calls: 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			cfg, p, calls := behind(t)
			var met, killed atomic.Int64
			p.Kill = func(instance string) {
				if instance == "deliver-7" {
					killed.Add(1)
				}
				panic(http.ErrAbortHandler) // as the end of the connection does
			}
			p.Plant(func(call lambdarun.Call) lambdarun.Fault {
				if call.Function != "deliver" || call.Service != "dynamodb" || call.Action != "DescribeTable" || !strings.Contains(string(call.Body), "TableName") {
					t.Errorf("the call is %+v", call)
				}
				if met.Add(1) > 1 {
					return lambdarun.Passed
				}
				return c.fault
			})
			_, err := dynamodb.NewFromConfig(cfg).DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("t")})
			if err != nil && c.fault != lambdarun.Passed {
				t.Errorf("with a repetition it is %v", err)
			}
			if n := calls.Load(); n != c.calls {
				t.Errorf("%d calls reach the server, want %d", n, c.calls)
			}
			dies := c.fault == lambdarun.KilledSoon || c.fault == lambdarun.KilledLate
			if (killed.Load() == 1) != dies || p.Met()[c.fault] == 0 {
				t.Errorf("it was killed %d times, and faults are %v", killed.Load(), p.Met())
			}
		})
	}
}

func TestWhatIsNotAllowedIsRefused(t *testing.T) {
	t.Parallel()
	cfg, p, calls := behind(t)
	p.Allowed = func(c lambdarun.Call) string {
		if c.Service == "sqs" {
			return c.Function + " may not"
		}
		return ""
	}
	if _, err := dynamodb.NewFromConfig(cfg).ListTables(t.Context(), nil); err != nil {
		t.Error(err)
	}
	_, err := sqs.NewFromConfig(cfg).ListQueues(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("error = %v, want that access is denied", err)
	}
	if got := p.Denied(); calls.Load() != 1 || len(got) != 1 || got[0] != "deliver may not" {
		t.Errorf("%d calls passed, denied are %q", calls.Load(), got)
	}
}
