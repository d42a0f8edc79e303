package dynamokeys

import (
	"context"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"handoff/events"
	"handoff/infra/awsfault"
	"handoff/infra/keyring"
)

// Rows implements keyring.Store. It reads the whole table. Groups of API keys
// are left out: they come back as the keys are added.
func (s *store) Rows(ctx context.Context) iter.Seq2[keyring.Row, error] {
	return func(yield func(keyring.Row, error) bool) {
		pages := dynamodb.NewScanPaginator(s.db, &dynamodb.ScanInput{TableName: &s.table, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(keyring.Row{}, awsfault.Classify(err))
				return
			}
			for _, i := range page.Items {
				for _, r := range rowsOf(i) {
					if !yield(r, nil) {
						return
					}
				}
			}
		}
	}
}

func rowsOf(i item) (rows []keyring.Row) {
	if id, ok := cutPrefix(i, conversationItem); ok {
		return []keyring.Row{{Conversation: &keyring.ConversationRow{
			Tenant: textOf(i[rangeKey]), Key: events.KeyID(id), Wrapped: binaryOf(i[attrWrapped]), Erased: i[attrErased] != nil,
		}}}
	}
	if _, ok := cutPrefix(i, apiKeyItem); ok {
		k := apiKeyOf(i)
		return []keyring.Row{{APIKey: &k}}
	}
	if tenant, ok := cutPrefix(i, secretItem); ok {
		for _, v := range versionsOf(tenant, textOf(i[rangeKey]), i) {
			rows = append(rows, keyring.Row{Secret: &v})
		}
	}
	return rows
}

func cutPrefix(i item, kind string) (rest string, ok bool) {
	return strings.CutPrefix(textOf(i[hashKey]), kind)
}
