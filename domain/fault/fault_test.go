package fault_test

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"testing"

	"handoff/domain/fault"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	retried := map[fault.Kind]bool{fault.Internal: true, fault.RateLimited: true, fault.Unavailable: true}
	kebab, seen := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`), map[string]bool{}
	for k := fault.Internal; k <= fault.Unavailable; k++ {
		if k.Permanent() == retried[k] {
			t.Errorf("%s is permanent: %t", k, k.Permanent())
		}
		if !kebab.MatchString(k.String()) || seen[k.String()] {
			t.Errorf("kind %d is named %q", k, k)
		}
		seen[k.String()] = true
	}
	if got := fault.Kind(200).String(); got != "kind-200" {
		t.Errorf("an unknown kind is named %q", got)
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	base := fault.Newf(fault.Conflict, "queue-full", "Queue %q is full.", "refunds")
	for want, err := range map[string]*fault.Error{
		"":                                     {},
		`queue-full: Queue "refunds" is full.`: base,
		`queue-full`:                           fault.New(fault.Conflict, "queue-full", ""),
		`queue-full: Queue "refunds" is full. (at /queue)`:      base.At("/queue"),
		`queue-full: Queue "refunds" is full.: EOF`:             base.Because(io.EOF),
		`queue-full: Queue "refunds" is full. (at /queue): EOF`: base.At("/queue").Because(io.EOF),
	} {
		if got := err.Error(); got != want {
			t.Errorf("Error = %q, want %q", got, want)
		}
	}
	if base.Pointer != "" || base.Err != nil {
		t.Errorf("At or Because changed the fault itself: %+v", base)
	}
	if err := error(base.Because(io.EOF)); !errors.Is(err, io.EOF) {
		t.Errorf("%v hides its cause", err)
	}
}

func TestClassification(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.Gone, "context-erased", "")
	for sentence, c := range map[string]struct {
		err  error
		kind fault.Kind
		code string
	}{
		"nil is internal":                       {nil, fault.Internal, "internal"},
		"an error that nobody classified":       {io.EOF, fault.Internal, "internal"},
		"a fault":                               {gone, fault.Gone, "context-erased"},
		"a fault in a chain":                    {fmt.Errorf("open: %w", gone), fault.Gone, "context-erased"},
		"a fault among several errors":          {errors.Join(io.EOF, gone), fault.Gone, "context-erased"},
		"the outer of two faults":               {fault.New(fault.Conflict, "outer", "").Because(gone), fault.Conflict, "outer"},
		"a fault without a code":                {&fault.Error{Kind: fault.NotFound}, fault.NotFound, "internal"},
		"a fault that is only the cause's text": {errors.New(gone.Error()), fault.Internal, "internal"},
	} {
		if got := fault.KindOf(c.err); got != c.kind {
			t.Errorf("%s: kind = %s, want %s", sentence, got, c.kind)
		}
		if got := fault.CodeOf(c.err); got != c.code {
			t.Errorf("%s: code = %s, want %s", sentence, got, c.code)
		}
		if got := fault.Is(c.err, c.code); got != (fault.Of(c.err) != nil && fault.Of(c.err).Code == c.code) {
			t.Errorf("%s: Is(%s) = %t", sentence, c.code, got)
		}
	}
}
