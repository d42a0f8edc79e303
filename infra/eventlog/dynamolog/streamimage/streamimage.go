// Package streamimage reads commits out of the records with which a DynamoDB
// stream tells a Lambda function of new items. It stands apart from dynamolog so
// that what only appends does not link the Lambda runtime's events.
package streamimage

import (
	"fmt"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/infra/eventlog/dynamolog"
)

// Parse reads the new image of a record, and fails as dynamolog.ParseItem does.
// The bytes of what it returns are those of the image.
func Parse(image map[string]lambdaevents.DynamoDBAttributeValue) (dynamolog.Stored, error) {
	item := make(dynamolog.Item, len(image))
	for name, value := range image {
		a, err := attribute(value)
		if err != nil {
			return dynamolog.Stored{}, fmt.Errorf("read attribute %s of a stream record: %w", name, err)
		}
		item[name] = a
	}
	return dynamolog.ParseItem(item)
}

// attribute converts the types of attribute that an item of the log has.
func attribute(v lambdaevents.DynamoDBAttributeValue) (types.AttributeValue, error) {
	switch v.DataType() {
	case lambdaevents.DataTypeBinary:
		return &types.AttributeValueMemberB{Value: v.Binary()}, nil
	case lambdaevents.DataTypeBoolean:
		return &types.AttributeValueMemberBOOL{Value: v.Boolean()}, nil
	case lambdaevents.DataTypeNumber:
		return &types.AttributeValueMemberN{Value: v.Number()}, nil
	case lambdaevents.DataTypeString:
		return &types.AttributeValueMemberS{Value: v.String()}, nil
	default:
		return nil, fmt.Errorf("a commit has no attribute of type %d", v.DataType())
	}
}
