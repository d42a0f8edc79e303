// Package dynamokeys stores the keyring on AWS: rows in a DynamoDB table, and
// the two secrets of each tenant in a parameter of the Systems Manager Parameter
// Store, as a SecureString, which the service encrypts under a KMS key.
//
// The parameters are read once per instance; KMS is never asked for a
// conversation. Everything in the table is wrapped under them, or is a hash.
// Parameter Store answers 40 requests a second unless the account is set to its
// higher throughput ("Parameter Store throughput" in its user guide): more
// instances than that, started at once, wait for each other.
//
// Every method is one request where nobody else writes the same row, except for
// issuing an API key. Nothing needs a transaction. A request whose answer was
// lost may be repeated: each write is either the same when it is done twice, or
// recognises itself.
//
// What an instance has read it believes for 10 seconds (Keep). So after a key
// is destroyed or an API key revoked, another instance that has used it right
// before may use it for that long; package keyring says why nothing sealed under
// a destroyed key is ever committed. All reads are consistent ones, so no such
// delay comes on top.
//
// The table must have no point-in-time recovery and no backups that are kept
// for long: they would undo erasures.
package dynamokeys

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"handoff/infra/keyring"
)

// Keep is how long an instance believes what it has read of the table.
const Keep = 10 * time.Second

// Options say where a keyring is. DB, Table, SSM, Path and Now are needed.
type Options struct {
	DB *dynamodb.Client
	// Table has the hash key p and the range key o, both text.
	Table string
	SSM   *ssm.Client
	// Path begins the names of the parameters: <path>/system, and
	// <path>/tenants/<tenant>. It begins with a slash and ends without one.
	Path string
	// KMSKey is the id, ARN or alias of the key that new parameters are
	// encrypted under; empty means the account's own key for parameters.
	KMSKey string
	// Tenants are loaded at once, in the same request as the system's secret,
	// so that their first use waits for nothing.
	Tenants []string
	// Create makes the system's secret where it is missing. Without it Open
	// returns keyring.ErrNoSystem.
	Create bool
	Now    func() time.Time
}

// Open opens a keyring. Closing it closes no client.
func Open(ctx context.Context, o Options) (*keyring.Keyring, error) {
	if !strings.HasPrefix(o.Path, "/") || strings.HasSuffix(o.Path, "/") {
		return nil, fmt.Errorf("open the keyring: the path %q of its parameters must begin with a slash and end without one", o.Path)
	}
	s := &store{db: o.DB, table: o.Table, ssm: o.SSM, path: o.Path, kmsKey: o.KMSKey}
	k, err := keyring.New(ctx, s, keyring.Options{Now: o.Now, Keep: Keep, Tenants: o.Tenants, Create: o.Create})
	if errors.Is(err, keyring.ErrNoSystem) {
		return nil, fmt.Errorf("open the keyring at %s: %w; the function bootstrap makes it", o.Path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the keyring at %s: %w", o.Path, err)
	}
	return k, nil
}

// store is a keyring.Store. It holds nothing of its own.
type store struct {
	db     *dynamodb.Client
	table  string
	ssm    *ssm.Client
	path   string
	kmsKey string
}

// Close implements keyring.Store.
func (*store) Close() error { return nil }
