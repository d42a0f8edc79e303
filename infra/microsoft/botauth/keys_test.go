package botauth_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/botauth"
)

func (s *scene) ask(t testing.TB) error {
	t.Helper()
	_, err := s.check(t, bearer(s.genuine().sign(t)), appID, body)
	return err
}

func TestKeysAreFetchedOnceADay(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := s.ask(t); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.add(24*time.Hour - time.Second)
	if err := s.ask(t); err != nil || s.fetches.Load() != 1 {
		t.Errorf("%d fetches (%v), want 1", s.fetches.Load(), err)
	}
	s.add(time.Second)
	if err := s.ask(t); err != nil || s.fetches.Load() != 2 {
		t.Errorf("%d fetches (%v) after a day, want 2", s.fetches.Load(), err)
	}
}

func TestAnUnknownKeyIsLookedForOnceAnHour(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if err := s.ask(t); err != nil {
		t.Fatal(err)
	}
	s.publish(jwk("k2", &pair()[1].PublicKey))
	rotated := s.genuine()
	rotated.header["kid"], rotated.key = "k2", pair()[1]
	h := bearer(rotated.sign(t))
	if _, err := s.check(t, h, appID, body); botauth.ReasonOf(err) != botauth.ReasonKeyUnknown {
		t.Errorf("within the hour: %v", err)
	}
	s.add(time.Hour)
	f := s.genuine()
	f.header["kid"], f.key = "k2", pair()[1]
	if _, err := s.check(t, bearer(f.sign(t)), appID, body); err != nil {
		t.Errorf("after the hour: %v", err)
	}
	f.header["kid"] = "k3"
	for range 3 {
		if _, err := s.check(t, bearer(f.sign(t)), appID, body); botauth.ReasonOf(err) != botauth.ReasonKeyUnknown {
			t.Error(err)
		}
	}
	if s.fetches.Load() != 2 {
		t.Errorf("%d fetches, want 2", s.fetches.Load())
	}
}

// A stranger decides when an unknown key is looked for, and may choose a moment
// at which the login service hangs.
func TestALookForAStrangersKeyKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if err := s.ask(t); err != nil {
		t.Fatal(err)
	}
	s.add(time.Hour)
	s.hang = make(chan struct{})
	stranger := s.genuine()
	stranger.header["kid"] = "mine"
	answered := make(chan error, 1)
	go func() {
		_, err := s.check(t, bearer(stranger.sign(t)), appID, body)
		answered <- err
	}()
	s.hang <- struct{}{} // it asks
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := s.Verify(ctx, bearer(s.genuine().sign(t)), appID); err != nil {
		t.Errorf("meanwhile: %v", err)
	}
	close(s.hang)
	if err := <-answered; botauth.ReasonOf(err) != botauth.ReasonKeyUnknown {
		t.Errorf("the stranger: %v", err)
	}
}

func TestKeysOutOfReachLetNobodyIn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.status.Store(http.StatusBadGateway)
	err := s.ask(t)
	if f := fault.Of(err); f == nil || f.Kind != fault.Unavailable || f.Code != "bot-keys-unreachable" || f.RetryAfter <= 0 {
		t.Fatalf("err = %v", err)
	}
	s.status.Store(0)
	if err := s.ask(t); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("asked again a moment after a failure: %v", err)
	}
	s.add(10 * time.Second)
	if err := s.ask(t); err != nil {
		t.Errorf("after the pause: %v", err)
	}
	s.status.Store(http.StatusBadGateway)
	s.add(23 * time.Hour)
	if err := s.ask(t); err != nil {
		t.Errorf("keys of yesterday: %v", err)
	}
	s.add(time.Hour)
	if err := s.ask(t); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("keys older than a day: %v", err)
	}
}

func TestKeySets(t *testing.T) {
	t.Parallel()
	good := func() object { return jwk("k1", &pair()[0].PublicKey) }
	with := func(name string, value any) object { k := good(); k[name] = value; return k }
	short := rsa.PublicKey{N: new(big.Int).Rsh(pair()[0].N, 1100), E: 65537}
	for sentence, c := range map[string]struct {
		keys     []object
		metadata object
		reason   botauth.Reason
		out      bool // of reach
	}{
		"a key without endorsements":           {keys: []object{good()}},
		"keys of other kinds beside it":        {keys: []object{{"kty": "EC", "kid": "e", "crv": "P-256"}, good(), {"kty": "oct", "kid": "o", "k": "AA"}}},
		"only keys of other kinds":             {keys: []object{{"kty": "EC", "kid": "k1"}}, out: true},
		"a key for encryption":                 {keys: []object{with("use", "enc")}, out: true},
		"a key for another algorithm":          {keys: []object{with("alg", "RS512")}, reason: botauth.ReasonAlgorithmRefused},
		"an exponent of one":                   {keys: []object{with("e", "AQ")}, out: true},
		"a key that is too short":              {keys: []object{jwk("k1", &short)}, out: true},
		"endorsements that can't be read":      {keys: []object{with("endorsements", "msteams")}, out: true},
		"no keys at all":                       {keys: []object{}, out: true},
		"an algorithm the metadata leaves out": {keys: []object{good()}, metadata: object{"id_token_signing_alg_values_supported": []string{"RS512"}}, reason: botauth.ReasonAlgorithmRefused},
		"metadata without jwks_uri":            {keys: []object{good()}, metadata: object{"jwks_uri": nil}, out: true},
		"keys that travel another way":         {keys: []object{good()}, metadata: object{"jwks_uri": "ftp://keys.example/"}, out: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.publish(c.keys...)
			maps.Copy(s.metadata, c.metadata)
			err := s.ask(t)
			if got := botauth.ReasonOf(err); got != c.reason {
				t.Errorf("reason = %q (%v), want %q", got, err, c.reason)
			}
			if out := fault.KindOf(err) == fault.Unavailable; out != c.out {
				t.Errorf("err = %v, want out of reach: %t", err, c.out)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	s := newScene(f)
	good := s.genuine().sign(f)
	for _, seed := range []string{good, "", ".", "..", "a.b.c", good + ".", swapClaims(good), symmetric(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := s.Verify(t.Context(), bearer(token), appID)
		if (err == nil) != (strings.TrimSpace(token) == good) {
			t.Errorf("%q: %v", token, err)
		}
	})
}

func FuzzAdmit(f *testing.F) {
	s := newScene(f)
	token, err := s.Verify(f.Context(), bearer(s.genuine().sign(f)), appID)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{body, "", "{}", "[]", `{"channelId":1}`, `{"channelId":"msteams","serviceUrl":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		caller, a, err := token.Admit(sent)
		if err == nil && (caller.ChannelID == "" || caller.ServiceURL != service || a == nil) {
			t.Errorf("admitted %q as %+v", sent, caller)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	good := jwk("k1", &pair()[0].PublicKey)
	set, err := json.Marshal(object{"keys": []object{good}})
	if err != nil {
		f.Fatal(err)
	}
	const metadata = `{"jwks_uri":"https://login.example/keys","id_token_signing_alg_values_supported":["RS256"]}`
	for _, seed := range []string{string(set), `{"keys":[]}`, `{"keys":[{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}]}`, `{"keys":[{"kty":"RSA","kid":"k1","n":"","e":"AAAAAAAAAAAA"}]}`, `[]`, `{"keys":{}}`, `{"keys":[7,null]}`} {
		f.Add(metadata, seed)
	}
	f.Add(`{"jwks_uri":7}`, string(set))
	f.Add(`{"jwks_uri":"http://evil.example/keys"}`, string(set))
	f.Add(`{"jwks_uri":"https:evil"}`, "")
	s := newScene(f)
	token := bearer(s.genuine().sign(f))
	f.Fuzz(func(t *testing.T, metadata, keys string) {
		login := transport(func(r *http.Request) string {
			if r.URL.Scheme != "https" || r.URL.Host == "" {
				t.Errorf("keys are fetched from %s", r.URL)
			}
			if r.URL.Path == "/openid" {
				return metadata
			}
			return keys
		})
		v := botauth.New(botauth.Cloud{Metadata: "https://login.example/openid", Issuer: botauth.Public().Issuer}, &http.Client{Transport: login}, s.now)
		_, err := v.Verify(t.Context(), token, appID)
		if err == nil && !strings.Contains(keys, good["n"].(string)[:40]) && !strings.Contains(keys, `\u`) {
			t.Errorf("%q and %q let a stranger in", metadata, keys)
		}
		if k := fault.KindOf(err); err != nil && k != fault.Unavailable && k != fault.Unauthenticated {
			t.Errorf("%q and %q: %v", metadata, keys, err)
		}
	})
}

// transport answers every request with a body.
type transport func(r *http.Request) string

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f(r))), Request: r}, nil
}
