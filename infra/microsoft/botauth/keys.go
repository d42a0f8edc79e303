package botauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
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

// keys holds the connector's keys. They are fetched by one caller at a time, for
// whom only those wait whose key is not known.
type keys struct {
	metadata string
	service  *rest.Client
	now      func() time.Time
	known    atomic.Pointer[keySet] // nil: none were fetched yet

	turn   chan struct{} // holds one element: whose turn it is may use what follows
	failed time.Time     // when a fetch last failed
	cause  error         // why
}

// keySet is what was fetched at once.
type keySet struct {
	byID       map[string]key
	algorithms []string // what the metadata allows; none means that it says nothing
	fetched    time.Time
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
	set := k.known.Load()
	if !set.answers(id, k.now()) {
		var err error
		if set, err = k.look(ctx, id); err != nil {
			return key{}, err
		}
	}
	found, ok := set.byID[id]
	switch {
	case len(set.algorithms) > 0 && !slices.Contains(set.algorithms, algorithm):
		return key{}, refuse(ReasonAlgorithmRefused)
	case !ok:
		return key{}, refuse(ReasonKeyUnknown)
	case found.algorithm != "" && found.algorithm != algorithm:
		return key{}, refuse(ReasonAlgorithmRefused)
	}
	return found, nil
}

// answers reports whether the set says what there is to say about an id: it has
// the key, or is too young to be fetched anew for one that it has not.
func (s *keySet) answers(id string, now time.Time) bool {
	if s == nil || now.Sub(s.fetched) >= maxAge {
		return false
	}
	_, ok := s.byID[id]
	return ok || now.Sub(s.fetched) < betweenLooks
}

// look returns a set that answers, which somebody else may have fetched while we
// waited.
func (k *keys) look(ctx context.Context, id string) (*keySet, error) {
	select {
	case <-k.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { k.turn <- struct{}{} }()
	if set := k.known.Load(); set.answers(id, k.now()) {
		return set, nil
	}
	return k.refresh(ctx)
}

// refresh fetches keys, unless that failed a moment ago: a stranger must not
// make us ask again and again.
func (k *keys) refresh(ctx context.Context) (*keySet, error) {
	if wait := k.failed.Add(afterFailure).Sub(k.now()); wait > 0 {
		return nil, unreachable(wait, k.cause)
	}
	// One caller's end must not fail the fetch for those who wait.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchDeadline)
	defer cancel()
	set, err := k.fetch(within)
	if err != nil {
		k.failed, k.cause = k.now(), err
		return nil, unreachable(afterFailure, err)
	}
	set.fetched, k.failed = k.now(), time.Time{}
	k.known.Store(set)
	return set, nil
}

func unreachable(wait time.Duration, cause error) error {
	f := fault.New(fault.Unavailable, "bot-keys-unreachable", "The keys to check the request with can't be fetched just now.").Because(cause)
	f.RetryAfter = wait
	return f
}

func (k *keys) fetch(ctx context.Context) (*keySet, error) {
	answer, err := k.service.Do(ctx, rest.Request{Method: http.MethodGet, URL: k.metadata})
	if err != nil {
		return nil, fmt.Errorf("fetch the OpenID configuration: %w", err)
	}
	var told struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.Unmarshal(answer.Body, &told); err != nil {
		return nil, fmt.Errorf("read the OpenID configuration: %w", err)
	}
	if err := sameScheme(k.metadata, told.Keys); err != nil {
		return nil, err
	}
	if answer, err = k.service.Do(ctx, rest.Request{Method: http.MethodGet, URL: told.Keys}); err != nil {
		return nil, fmt.Errorf("fetch the keys: %w", err)
	}
	byID, err := parseKeys(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	return &keySet{byID: byID, algorithms: told.Algorithms}, nil
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
