package dynamolog

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// What DynamoDB counts ("DynamoDB item sizes and formats", "Read and write
// operations", "Quotas" in its developer guide).
const (
	MaxItem   = 400 << 10 // bytes of an item at most, names included
	WriteUnit = 1 << 10   // bytes of an item that one write unit pays for
	ReadUnit  = 4 << 10   // bytes that one read unit pays for, read consistently
)

// Size returns the bytes of an item as DynamoDB counts them for its limit and
// its bill: each name in UTF-8; text in UTF-8; binary in raw bytes; a number
// about one byte for two significant digits and one more; a boolean one. It
// knows the types that this package writes.
func Size(item Item) int {
	n := 0
	for name, value := range item {
		n += len(name)
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		case *types.AttributeValueMemberN:
			n += (len(strings.Trim(v.Value, "-0"))+1)/2 + 1
		default:
			n++
		}
	}
	return n
}

// WriteUnits returns what storing an item costs.
func WriteUnits(item Item) int { return (Size(item) + WriteUnit - 1) / WriteUnit }
