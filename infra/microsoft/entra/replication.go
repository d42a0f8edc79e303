package entra

import (
	"context"
	"net/http"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
)

// Limits of waiting for an application to be known everywhere.
const (
	lagTries = 6           // waits of 1, 2, 4, 8 and 16 s between them
	lagFirst = time.Second // the first wait
)

// replicated makes a call about an application that may have been created
// seconds ago. Until every part of Graph knows it, such calls are answered 400
// Request_BadRequest or 404 Request_ResourceNotFound (community; seen for some
// seconds, no bound is documented), which look like mistakes; so these are
// repeated for half a minute, and then a fault that is worth another try later.
// A refused call was not carried out.
func (g *Graph) replicated(ctx context.Context, r controlplane.Request) (controlplane.Answer, error) {
	for try := 1; ; try++ {
		a, err := g.api.Do(ctx, r)
		if !lagging(controlplane.Refused(err)) {
			return a, err
		}
		if try == lagTries || pause(ctx, lagFirst<<(try-1)) != nil {
			return a, tooSoon(err)
		}
	}
}

func lagging(r controlplane.RefusedError) bool {
	return r.Status == http.StatusBadRequest && r.Code == "Request_BadRequest" ||
		r.Status == http.StatusNotFound && r.Code == "Request_ResourceNotFound"
}

func tooSoon(err error) error {
	f := fault.New(fault.Unavailable, "entra-application-not-visible",
		"Microsoft Graph does not know the application everywhere yet, as happens after it was created; it is tried again. If this goes on, the application was deleted.").Because(err)
	f.RetryAfter = time.Minute
	return f
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
