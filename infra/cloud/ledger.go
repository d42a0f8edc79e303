package cloud

import (
	"context"
	"crypto/rand"
	"errors"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/keyring"
	"handoff/infra/keyring/dynamokeys"
	"handoff/infra/s3blobs"
)

// Blobs returns the bucket of large sealed parts.
func (c *Cloud) Blobs() *s3blobs.Store { return s3blobs.New(c.S3(), c.Need(BlobsBucket)) }

// EventLog returns the event log.
func (c *Cloud) EventLog() *dynamolog.Log {
	return dynamolog.New(c.DB(), c.Need(LogTable), c.Blobs())
}

// SmallLog is EventLog for functions that neither store nor read sealed parts
// over 8 KiB. They need no bucket, and the client of S3 is not linked.
func (c *Cloud) SmallLog() *dynamolog.Log {
	return dynamolog.New(c.DB(), c.Need(LogTable), noBlobs{})
}

// noBlobs is where there is no bucket.
type noBlobs struct{}

var errNoBucket = errors.New("cloud: this function has no bucket of large sealed parts")

// Put implements dynamolog.Blobs.
func (noBlobs) Put(context.Context, events.Hash, []byte) error { return errNoBucket }

// Get implements dynamolog.Blobs.
func (noBlobs) Get(context.Context, events.Hash) ([]byte, error) { return nil, errNoBucket }

// Keyring opens the keyring, once however often it is asked for.
func (c *Cloud) Keyring(ctx context.Context) (*keyring.Keyring, error) {
	if c.keys != nil {
		return c.keys, nil
	}
	o := dynamokeys.Options{
		DB: c.DB(), Table: c.Need(KeysTable), SSM: c.SSM(), Path: c.Need(SecretsPath), Tenants: []string{c.Settings.Tenant}, Now: c.Now,
	}
	if err := c.unset(); err != nil {
		return nil, err
	}
	var err error
	c.keys, err = dynamokeys.Open(ctx, o)
	return c.keys, err
}

// Ledger returns a ledger over a log, EventLog or SmallLog or one that is more,
// and the keyring that it seals with.
func (c *Cloud) Ledger(ctx context.Context, log eventlog.Log) (*eventlog.Ledger, *keyring.Keyring, error) {
	keys, err := c.Keyring(ctx)
	if err != nil {
		return nil, nil, err
	}
	return eventlog.NewLedger(log, events.Register(), keys, c.Now, rand.Text), keys, nil
}
