package dynamokeys

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/events"
	"handoff/infra/awsfault"
	"handoff/infra/keyring"
)

const (
	attrWrapped = "w"
	attrErased  = "e"
)

// ConversationKey implements keyring.ConversationStore.
func (s *store) ConversationKey(ctx context.Context, tenant string, id events.KeyID) ([]byte, error) {
	found, err := s.get(ctx, conversationItem+string(id), tenant)
	if err != nil {
		return nil, err
	}
	return wrappedOf(found)
}

// MakeConversationKey implements keyring.ConversationStore: one write unit,
// whether there is a key already or not. A key whose answer was lost is found
// as anybody else's would be.
func (s *store) MakeConversationKey(ctx context.Context, tenant string, id events.KeyID, fresh []byte) ([]byte, error) {
	i := key(conversationItem+string(id), tenant)
	i[attrWrapped] = binary(fresh)
	there, err := s.put(ctx, i, absent, nil)
	if err != nil {
		return nil, err
	}
	if there == nil {
		return fresh, nil
	}
	return wrappedOf(there)
}

// DestroyConversationKey implements keyring.ConversationStore. It replaces the
// item, whatever it is, which can be done any number of times.
func (s *store) DestroyConversationKey(ctx context.Context, tenant string, id events.KeyID) error {
	i := key(conversationItem+string(id), tenant)
	i[attrErased] = &types.AttributeValueMemberBOOL{Value: true}
	_, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: i})
	return awsfault.Classify(err)
}

func wrappedOf(i item) ([]byte, error) {
	switch {
	case i == nil:
		return nil, keyring.ErrNoKey
	case i[attrErased] != nil:
		return nil, keyring.ErrErased
	default:
		return binaryOf(i[attrWrapped]), nil
	}
}
