package healthcheck_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/infra/healthcheck"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		status     int
		retryAfter string
		want       publication.State
		wait       time.Duration
	}{
		"it works":                           {200, "", publication.Published, 0},
		"it works and says nothing":          {204, "", publication.Published, 0},
		"it is not there":                    {404, "", publication.Unpublished, 0},
		"it is gone":                         {410, "", publication.Unpublished, 0},
		"the URL moved: nobody knows":        {302, "", publication.Unknown, 0},
		"somebody wants a key: nobody knows": {401, "", publication.Unknown, 0},
		"it is down: nobody knows":           {500, "", publication.Unknown, 0},
		"it is busy":                         {503, "90", publication.Unknown, 90 * time.Second},
		"it wants peace for ever":            {429, "999999999", publication.Unknown, time.Hour},
		"it names a day":                     {503, "Wed, 21 Oct 2026 07:28:00 GMT", publication.Unknown, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					t.Errorf("asked with %s", r.Method)
				}
				w.Header().Set("Location", "/elsewhere")
				if c.retryAfter != "" {
					w.Header().Set("Retry-After", c.retryAfter)
				}
				w.WriteHeader(c.status)
			}))
			defer s.Close()
			client := s.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			got, err := healthcheck.Checker{Client: client}.Check(t.Context(), s.URL)
			if got.State != c.want || (err == nil) != (c.want != publication.Unknown) {
				t.Fatalf("Check = %+v, %v, want %q", got, err, c.want)
			}
			if err != nil && (fault.KindOf(err).Permanent() || fault.Of(err).RetryAfter != c.wait) {
				t.Errorf("err = %v, again after %v, want %v", err, fault.Of(err).RetryAfter, c.wait)
			}
		})
	}
}

func TestABotThatCantBeReachedIsNotUnpublished(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	if got, err := (healthcheck.Checker{Client: http.DefaultClient}).Check(t.Context(), s.URL); got.State != publication.Unknown || !fault.Is(err, "health-unknown") {
		t.Errorf("Check = %+v, %v", got, err)
	}
	if _, err := (healthcheck.Checker{Client: http.DefaultClient}).Check(t.Context(), "::"); !fault.Is(err, "health-url-invalid") {
		t.Errorf("err = %v", err)
	}
}
