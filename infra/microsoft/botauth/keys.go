package botauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/rest"
)

// How long keys are kept and how often they are fetched (read from the SDK,
// openIdMetadata.ts: 24 hours, and an hour between looks for an unknown key).
const (
	maxAge        = 24 * time.Hour
	betweenLooks  = time.Hour
	afterFailure  = 10 * time.Second
	fetchDeadline = 10 * time.Second
)

// keys holds the connector's keys, fetched by one caller at a time while the
// others wait.
type keys struct {
	metadata string
	service  *rest.Client
	now      func() time.Time
	turn     chan struct{} // holds one element: whose turn it is may use what follows

	byID       map[string]key
	algorithms []string  // what the metadata allows; none means that it says nothing
	fetched    time.Time // when byID was
	failed     time.Time // when a fetch last failed
	cause      error     // why
}

func newKeys(metadata string, client *http.Client, now func() time.Time) *keys {
	service := &rest.Client{Service: "bot-keys", Title: "The login service of the Bot Framework", HTTP: client, Retry: rest.Retry{Attempts: 1}}
	k := &keys{metadata: metadata, service: service, now: now, turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	return k
}

// find returns the key with an id, if it is for the algorithm. Keys that are
// too old are of no use, even where new ones are out of reach.
func (k *keys) find(ctx context.Context, id, algorithm string) (key, error) {
	select {
	case <-k.turn:
	case <-ctx.Done():
		return key{}, context.Cause(ctx)
	}
	defer func() { k.turn <- struct{}{} }()
	age := k.now().Sub(k.fetched)
	found, ok := k.byID[id]
	if k.byID == nil || age >= maxAge || !ok && age >= betweenLooks {
		if err := k.refresh(ctx); err != nil {
			return key{}, err
		}
		found, ok = k.byID[id]
	}
	switch {
	case len(k.algorithms) > 0 && !slices.Contains(k.algorithms, algorithm):
		return key{}, refuse(ReasonAlgorithmRefused)
	case !ok:
		return key{}, refuse(ReasonKeyUnknown)
	case found.algorithm != "" && found.algorithm != algorithm:
		return key{}, refuse(ReasonAlgorithmRefused)
	}
	return found, nil
}

// refresh fetches keys, unless that failed a moment ago: a stranger must not
// make us ask again and again.
func (k *keys) refresh(ctx context.Context) error {
	if wait := k.failed.Add(afterFailure).Sub(k.now()); wait > 0 {
		return unreachable(wait, k.cause)
	}
	// One caller's end must not fail the fetch for those who wait.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchDeadline)
	defer cancel()
	byID, algorithms, err := k.fetch(within)
	if err != nil {
		k.failed, k.cause = k.now(), err
		return unreachable(afterFailure, err)
	}
	k.byID, k.algorithms, k.fetched, k.failed = byID, algorithms, k.now(), time.Time{}
	return nil
}

func unreachable(wait time.Duration, cause error) error {
	f := fault.New(fault.Unavailable, "bot-keys-unreachable", "The keys to check the request with can't be fetched just now.").Because(cause)
	f.RetryAfter = wait
	return f
}

func (k *keys) fetch(ctx context.Context) (map[string]key, []string, error) {
	answer, err := k.service.Do(ctx, rest.Request{Method: http.MethodGet, URL: k.metadata})
	if err != nil {
		return nil, nil, fmt.Errorf("fetch the OpenID configuration: %w", err)
	}
	var told struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.Unmarshal(answer.Body, &told); err != nil {
		return nil, nil, fmt.Errorf("read the OpenID configuration: %w", err)
	}
	if err := sameScheme(k.metadata, told.Keys); err != nil {
		return nil, nil, err
	}
	if answer, err = k.service.Do(ctx, rest.Request{Method: http.MethodGet, URL: told.Keys}); err != nil {
		return nil, nil, fmt.Errorf("fetch the keys: %w", err)
	}
	byID, err := parseKeys(answer.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read the keys: %w", err)
	}
	return byID, told.Algorithms, nil
}

// sameScheme refuses keys that would travel less safely than what named them.
func sameScheme(from, to string) error {
	a, err := url.Parse(from)
	if err != nil {
		return err
	}
	b, err := url.Parse(to)
	if err != nil || b.Host == "" || b.Scheme != a.Scheme {
		return errors.New("the OpenID configuration has no usable jwks_uri")
	}
	return nil
}
