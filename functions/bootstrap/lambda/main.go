// The Lambda function bootstrap, invoked by whoever sets up the stack.
package main

import (
	"context"
	"os"
	"time"

	"handoff/functions/bootstrap"
	"handoff/infra/cloud"
	"handoff/infra/keyring/dynamokeys"
)

func main() {
	cloud.Start(os.Getenv, time.Now, func(ctx context.Context, c *cloud.Cloud) (cloud.Handler, error) {
		keys, err := dynamokeys.Open(ctx, dynamokeys.Options{
			DB: c.DB(), Table: c.Need(cloud.KeysTable), SSM: c.SSM(), Path: c.Need(cloud.SecretsPath), KMSKey: c.Need(cloud.KMSKey), Create: true, Now: c.Now,
		})
		if err != nil {
			return nil, err
		}
		return cloud.OnInvoke((&bootstrap.Handler{Tenants: keys, Keys: keys.APIKeys(), Tenant: c.Settings.Tenant}).Handle), nil
	})
}
