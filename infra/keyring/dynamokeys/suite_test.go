package dynamokeys_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"handoff/infra/keyring"
	"handoff/infra/keyring/dynamokeys"
	"handoff/tests/awstest"
	"handoff/tests/keyringtest"
)

func TestTheSuiteHolds(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyringtest.Open { return opener(behind(t, newServices())) })
}

func TestTheSuiteHoldsOnEngines(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		keyringtest.Run(t, func(t *testing.T) keyringtest.Open { return opener(on(t, e)) })
	})
}

// Whatever a write did, it is tried again: its answer was lost.
func TestTheSuiteHoldsWhereAnswersAreLost(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyringtest.Open {
		var writes atomic.Int64
		return opener(behind(t, &wire{next: newServices(), fail: func(call string) (*http.Response, bool) {
			switch call {
			case "PutItem", "UpdateItem", "PutParameter":
				return nil, writes.Add(1)%2 == 1
			}
			return nil, false
		}}))
	})
}

// Most requests are refused at first.
func TestTheSuiteHoldsWhereRequestsAreThrottled(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyringtest.Open {
		var requests atomic.Int64
		return opener(behind(t, &wire{next: newServices(), fail: func(string) (*http.Response, bool) {
			if requests.Add(1)%3 == 0 {
				return nil, false
			}
			return failed(http.StatusBadRequest, "ThrottlingException", nil), false
		}}))
	})
}

// on says where an empty keyring is on an engine.
func on(t testing.TB, e awstest.Engine) dynamokeys.Options {
	t.Helper()
	c := e.Config()
	return dynamokeys.Options{
		DB: dynamodb.NewFromConfig(c), Table: e.Table(t, "keys"), SSM: ssm.NewFromConfig(c), Path: "/" + awstest.Name("keyring"), Create: true,
		Now: func() time.Time { return keyringtest.Start },
	}
}

func opener(o dynamokeys.Options) keyringtest.Open {
	return func(t testing.TB, now func() time.Time) *keyring.Keyring {
		t.Helper()
		o := o
		o.Now = now
		return opened(t, o)
	}
}

func opened(t testing.TB, o dynamokeys.Options) *keyring.Keyring {
	t.Helper()
	k, err := dynamokeys.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
