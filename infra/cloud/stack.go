package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"handoff/domain/fault"
	"handoff/infra/keyring"
	"handoff/infra/keyring/dynamokeys"
	"handoff/infra/settings"
)

// stackParameter names the parameter in which a stack says what it is made of:
// a JSON object from the variables of the functions to their values. It is there
// beside the stack's outputs because the client of CloudFormation would add
// more to the program than everything else of AWS.
const stackParameter = "/handoff/%s/stack"

// OpenStack opens the adapters of a deployed stack for somebody with a shell and
// AWS credentials, which are found as by every AWS tool. What the stack is made
// of, a parameter tells. It is no function: nothing is traced or measured.
func OpenStack(ctx context.Context, name, tenant string, now func() time.Time) (*Cloud, error) {
	c := &Cloud{Now: now, Log: slog.Default(), Function: "handoff"}
	var err error
	c.AWS, err = config.LoadDefaultConfig(ctx, config.WithHTTPClient(httpClient()), config.WithRetryer(Retryer))
	if err != nil {
		return nil, fmt.Errorf("configure AWS: %w", err)
	}
	if err := signedIn(ctx, c.AWS); err != nil {
		return nil, err
	}
	values, err := readStack(ctx, c.SSM(), name)
	if err != nil {
		return nil, err
	}
	c.lookup = func(variable string) string { return values[variable] }
	c.Settings, err = settings.LoadShared(func(variable string) (string, bool) { return tenant, variable == "HANDOFF_TENANT" })
	return c, err
}

// signedIn finds out, before anything is called, what the SDK would tell at
// length about every place where it looked in vain.
func signedIn(ctx context.Context, c aws.Config) error {
	if c.Region == "" {
		return fault.New(fault.Invalid, "aws-region-missing", "It is not known in which AWS region the stack is. Set AWS_REGION, or a region in your AWS profile.")
	}
	if _, err := c.Credentials.Retrieve(ctx); err != nil {
		return fault.New(fault.Unauthenticated, "aws-credentials-missing",
			"There are no AWS credentials. Sign in as for every AWS tool: aws sso login, or AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.").Because(err)
	}
	return nil
}

func readStack(ctx context.Context, params *ssm.Client, name string) (values map[string]string, err error) {
	parameter := fmt.Sprintf(stackParameter, name)
	answer, err := params.GetParameter(ctx, &ssm.GetParameterInput{Name: &parameter})
	if _, missing := errors.AsType[*types.ParameterNotFound](err); missing {
		return nil, fault.Newf(fault.NotFound, "stack-not-found",
			"There is no stack %q of Handoff in region %s of this AWS account: it has no parameter %s.", name, params.Options().Region, parameter)
	}
	if err == nil {
		err = json.Unmarshal([]byte(*answer.Parameter.Value), &values)
	}
	if err != nil {
		return nil, fmt.Errorf("read what stack %s is made of: %w", name, err)
	}
	return values, nil
}

// NewKeyring opens the stack's keyring and makes it where there is none, for an
// import.
func (c *Cloud) NewKeyring(ctx context.Context) (*keyring.Keyring, error) {
	return dynamokeys.Open(ctx, dynamokeys.Options{
		DB: c.DB(), Table: c.Need(KeysTable), SSM: c.SSM(), Path: c.Need(SecretsPath), KMSKey: c.Need(KMSKey), Create: true, Now: c.Now,
	})
}
