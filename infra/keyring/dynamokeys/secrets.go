package dynamokeys

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/infra/keyring"
)

const (
	attrVersions = "l" // list of the versions of a secret; empty once it was deleted
	attrNumber   = "n"
	attrCreated  = "m"
	attrSealed   = "b"
)

// Secrets implements keyring.SecretStore.
func (s *store) Secrets(ctx context.Context, tenant, prefix string) (all []keyring.SecretRow, err error) {
	err = s.query(ctx, secretItem+tenant, prefix, func(i item) error {
		all = append(all, versionsOf(tenant, textOf(i[rangeKey]), i)...)
		return nil
	})
	return all, err
}

// SecretVersions implements keyring.SecretStore.
func (s *store) SecretVersions(ctx context.Context, tenant, name string) ([]keyring.SecretRow, error) {
	if name == "" {
		return nil, nil // no item can have such a key
	}
	i, err := s.get(ctx, secretItem+tenant, name)
	return versionsOf(tenant, name, i), err
}

// ChangeSecret implements keyring.SecretStore.
func (s *store) ChangeSecret(ctx context.Context, tenant, name string, change func([]keyring.SecretRow) ([]keyring.SecretRow, error)) error {
	return s.change(ctx, secretItem+tenant, name, func(old item) (item, error) {
		keep, err := change(versionsOf(tenant, name, old))
		versions := make([]types.AttributeValue, len(keep))
		for i, r := range keep {
			versions[i] = &types.AttributeValueMemberM{Value: item{
				attrNumber: number(int64(r.Version)), attrCreated: instant(r.Created), attrSealed: binary(r.Sealed),
			}}
		}
		return item{attrVersions: &types.AttributeValueMemberL{Value: versions}}, err
	})
}

func versionsOf(tenant, name string, i item) (all []keyring.SecretRow) {
	for _, v := range listOf(i[attrVersions]) {
		if m, ok := v.(*types.AttributeValueMemberM); ok {
			all = append(all, keyring.SecretRow{
				Tenant: tenant, Name: name, Version: int(numberOf(m.Value[attrNumber])),
				Created: instantOf(m.Value[attrCreated]), Sealed: binaryOf(m.Value[attrSealed]),
			})
		}
	}
	return all
}
