// Package awsfault classifies what AWS's clients return.
package awsfault

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"handoff/domain/fault"
)

// Classify returns err as a fault of kind Unavailable where another try later may
// help: the service was throttling, failing, slow or not reached, and the client
// gave up. It returns every other error as it is, and nil for nil.
//
// Which errors those are, the client's own retries know.
func Classify(err error) error {
	if err == nil || fault.Of(err) != nil || retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) != aws.TrueTernary {
		return err
	}
	return fault.New(fault.Unavailable, "aws-unavailable", "A service that Handoff depends on does not answer; try again.").Because(err)
}
