package awsfault_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"handoff/domain/fault"
	"handoff/infra/awsfault"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.Gone, "gone", "It is gone.")
	for sentence, c := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"throttled":               {&types.ProvisionedThroughputExceededException{}, fault.Unavailable},
		"throttled as another":    {&smithy.GenericAPIError{Code: "ThrottlingException"}, fault.Unavailable},
		"reset":                   {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, fault.Unavailable},
		"not reached":             {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, fault.Unavailable},
		"too slow":                {context.DeadlineExceeded, fault.Unavailable},
		"not allowed":             {&smithy.GenericAPIError{Code: "AccessDeniedException"}, fault.Internal},
		"no such table":           {&types.ResourceNotFoundException{}, fault.Internal},
		"given up by the caller":  {&smithy.CanceledError{Err: context.Canceled}, fault.Internal},
		"classified already":      {gone, fault.Gone},
		"something else entirely": {errors.New("else"), fault.Internal},
	} {
		got := awsfault.Classify(fmt.Errorf("call: %w", c.err))
		if fault.KindOf(got) != c.want || !errors.Is(got, c.err) {
			t.Errorf("%s: Classify = %v of kind %s, want %s", sentence, got, fault.KindOf(got), c.want)
		}
	}
	if err := awsfault.Classify(nil); err != nil {
		t.Errorf("Classify(nil) = %v", err)
	}
}
