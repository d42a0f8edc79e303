package entra

import (
	"context"
	"net/http"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
)

// Limits of waiting for something new to be known everywhere.
const (
	lagTries = 7                      // with waits of 0.5, 1, 2, 4, 8 and 16 s between them
	lagFirst = 500 * time.Millisecond // the first wait
)

// await tries something about an application that may have been made seconds
// ago. Until every part of Entra ID knows it, the answers look like mistakes
// (community; seen for some seconds, no bound is documented); so what lags is
// tried for half a minute, and is then a fault that is worth another try later.
func await(ctx context.Context, try func() error, lags func(error) bool) error {
	for n := 1; ; n++ {
		err := try()
		if !lags(err) {
			return err
		}
		if n == lagTries || pause(ctx, lagFirst<<(n-1)) != nil {
			return tooSoon(err)
		}
	}
}

// replicated makes a call to Graph about such an application. A call that is
// refused was not carried out.
func (g *Graph) replicated(ctx context.Context, r controlplane.Request) (a controlplane.Answer, err error) {
	err = await(ctx, func() error {
		a, err = g.api.Do(ctx, r)
		return err
	}, unknownToGraph)
	return a, err
}

func unknownToGraph(err error) bool {
	r := controlplane.Refused(err)
	return r.Status == http.StatusBadRequest && r.Code == "Request_BadRequest" ||
		r.Status == http.StatusNotFound && r.Code == "Request_ResourceNotFound"
}

// Await returns when the login service takes credentials that were just made:
// for some seconds it knows neither application nor secret. After half a minute
// it returns entra-application-not-visible, worth another try.
func (s *Source) Await(ctx context.Context) error {
	return await(ctx, func() error {
		_, err := s.Token(ctx)
		return err
	}, func(err error) bool {
		return fault.Is(err, "entra-secret-refused") || fault.Is(err, "entra-application-unknown")
	})
}

func tooSoon(err error) error {
	f := fault.New(fault.Unavailable, "entra-application-not-visible",
		"Microsoft Entra ID does not know the application or its secret everywhere yet, as happens after they were made; it is tried again. If this goes on, they were deleted.").Because(err)
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
