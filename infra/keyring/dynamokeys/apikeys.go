package dynamokeys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/domain/identity"
	"handoff/infra/awsfault"
	"handoff/infra/keyring"
)

// An API key is an item of its own, found by the id in the token. The keys of
// one tenant, role and connection are a group, an item that lists their ids. A
// key is written first and added to its group after, which fails where another
// was added meanwhile; the token is told to nobody before. So the group counts
// right, and a key that a crash left outside of its group is nobody's.
const (
	attrTenant     = "t"
	attrRole       = "r"
	attrConnection = "c"
	attrName       = "n"
	attrSum        = "h"
	attrExpires    = "x"
	attrRevoked    = "v"
	attrIDs        = "i" // of the keys of a group
)

// The most that a request may ask for (DynamoDB API reference, BatchGetItem),
// and the pause before asking again for what it did not get.
const (
	maxBatch   = 100
	batchPause = 50 * time.Millisecond
)

// APIKey implements keyring.APIKeyStore.
func (s *store) APIKey(ctx context.Context, id string) (keyring.APIKeyRow, error) {
	i, err := s.get(ctx, apiKeyItem+id, noOrder)
	if err == nil && i == nil {
		err = keyring.ErrNoAPIKey
	}
	return apiKeyOf(i), err
}

// APIKeys implements keyring.APIKeyStore.
func (s *store) APIKeys(ctx context.Context, tenant string) ([]keyring.APIKeyRow, error) {
	var ids []string
	err := s.query(ctx, groupItem+tenant, "", func(group item) error {
		ids = append(ids, idsOf(group)...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.apiKeys(ctx, ids)
}

// AddAPIKey implements keyring.APIKeyStore.
func (s *store) AddAPIKey(ctx context.Context, k keyring.APIKeyRow, allow func(valid int) error) error {
	written := false
	err := s.change(ctx, groupItem+k.Tenant, string(k.Role)+"#"+k.Connection, func(group item) (item, error) {
		ids := idsOf(group)
		if slices.Contains(ids, k.ID) {
			return nil, errListed
		}
		err := s.allowed(ctx, ids, k.Created, allow)
		if err == nil && !written {
			err = s.putAPIKey(ctx, k)
			written = err == nil
		}
		return item{attrIDs: textList(append(ids, k.ID))}, err
	})
	switch {
	case errors.Is(err, errListed):
		return nil
	case err != nil && written:
		// Nobody has its token; but if it is ever exported it must not count.
		return errors.Join(err, s.RevokeAPIKey(ctx, k.Tenant, k.ID, k.Created))
	default:
		return err
	}
}

var errListed = errors.New("dynamokeys: the key is in its group")

// allowed asks whether another key may be added to a group.
func (s *store) allowed(ctx context.Context, ids []string, at time.Time, allow func(valid int) error) error {
	keys, err := s.apiKeys(ctx, ids)
	if err != nil {
		return err
	}
	valid := 0
	for _, k := range keys {
		if k.ValidAt(at) {
			valid++
		}
	}
	return allow(valid)
}

func (s *store) putAPIKey(ctx context.Context, k keyring.APIKeyRow) error {
	there, err := s.put(ctx, apiKeyToItem(k), absent, nil)
	if err == nil && there != nil && !bytes.Equal(binaryOf(there[attrSum]), k.Sum) {
		return fmt.Errorf("the id %s belongs to another key", k.ID) // ids are random
	}
	return err
}

// apiKeys reads the keys of ids. One that is not there is left out.
func (s *store) apiKeys(ctx context.Context, ids []string) (all []keyring.APIKeyRow, err error) {
	for some := range slices.Chunk(ids, maxBatch) {
		keys := make([]item, len(some))
		for i, id := range some {
			keys[i] = key(apiKeyItem+id, noOrder)
		}
		if err := s.batch(ctx, keys, func(i item) { all = append(all, apiKeyOf(i)) }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *store) batch(ctx context.Context, keys []item, take func(item)) error {
	for {
		out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: {Keys: keys, ConsistentRead: aws.Bool(true)}},
		})
		if err != nil {
			return awsfault.Classify(err)
		}
		for _, i := range out.Responses[s.table] {
			take(i)
		}
		if keys = out.UnprocessedKeys[s.table].Keys; len(keys) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(batchPause):
		}
	}
}

// RenameAPIKey implements keyring.APIKeyStore.
func (s *store) RenameAPIKey(ctx context.Context, tenant, id, name string) error {
	return s.updateAPIKey(ctx, tenant, id, "SET "+attrName+" = :new", text(name))
}

// RevokeAPIKey implements keyring.APIKeyStore.
func (s *store) RevokeAPIKey(ctx context.Context, tenant, id string, at time.Time) error {
	return s.updateAPIKey(ctx, tenant, id, "SET "+attrRevoked+" = if_not_exists("+attrRevoked+", :new)", instant(at))
}

func (s *store) updateAPIKey(ctx context.Context, tenant, id, update string, value types.AttributeValue) error {
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: key(apiKeyItem+id, noOrder), UpdateExpression: &update,
		ConditionExpression:       aws.String(attrTenant + " = :tenant"),
		ExpressionAttributeValues: item{":new": value, ":tenant": text(tenant)},
	})
	if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
		return keyring.ErrNoAPIKey
	}
	return awsfault.Classify(err)
}

func apiKeyToItem(k keyring.APIKeyRow) item {
	i := key(apiKeyItem+k.ID, noOrder)
	i[attrTenant], i[attrRole], i[attrSum], i[attrCreated] = text(k.Tenant), text(string(k.Role)), binary(k.Sum), instant(k.Created)
	for name, value := range map[string]string{attrConnection: k.Connection, attrName: k.Name} {
		if value != "" {
			i[name] = text(value)
		}
	}
	for name, value := range map[string]time.Time{attrExpires: k.Expires, attrRevoked: k.Revoked} {
		if !value.IsZero() {
			i[name] = instant(value)
		}
	}
	return i
}

func apiKeyOf(i item) keyring.APIKeyRow {
	id, _ := cutPrefix(i, apiKeyItem)
	return keyring.APIKeyRow{
		ID: id, Tenant: textOf(i[attrTenant]), Role: identity.Role(textOf(i[attrRole])), Connection: textOf(i[attrConnection]),
		Name: textOf(i[attrName]), Sum: binaryOf(i[attrSum]),
		Created: instantOf(i[attrCreated]), Expires: instantOf(i[attrExpires]), Revoked: instantOf(i[attrRevoked]),
	}
}

func idsOf(group item) (ids []string) {
	for _, a := range listOf(group[attrIDs]) {
		ids = append(ids, textOf(a))
	}
	return ids
}

func textList(all []string) types.AttributeValue {
	values := make([]types.AttributeValue, len(all))
	for i, s := range all {
		values[i] = text(s)
	}
	return &types.AttributeValueMemberL{Value: values}
}
