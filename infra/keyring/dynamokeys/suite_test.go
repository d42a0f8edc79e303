package dynamokeys_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"handoff/infra/keyring"
	"handoff/infra/keyring/dynamokeys"
	"handoff/tests/awstest"
	"handoff/tests/keyringtest"
)

func TestAWSKeepsTheKeyringsPromises(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, e awstest.Engine) {
		keyringtest.Run(t, func(t *testing.T) keyringtest.Open {
			t.Helper()
			o := options(t, e)
			return func(t testing.TB, now func() time.Time) *keyring.Keyring {
				t.Helper()
				o := o
				o.Now = now
				return opened(t, o)
			}
		})
	})
}

// options say where an empty keyring is.
func options(t testing.TB, e awstest.Engine) dynamokeys.Options {
	t.Helper()
	c := e.Config()
	return dynamokeys.Options{
		DB: dynamodb.NewFromConfig(c), Table: e.Table(t, "keys"), SSM: ssm.NewFromConfig(c), Path: "/" + awstest.Name("keyring"), Create: true,
		Now: func() time.Time { return keyringtest.Start },
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
