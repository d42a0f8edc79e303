package relaying_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/relaying"
)

// A stranger must not find out which connections there are, nor have anything
// looked up: where the log and the keys are a cloud's, that costs money and
// somebody else's quota.
func TestNothingIsLookedUpForStrangers(t *testing.T) {
	t.Parallel()
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"mine"}`)) + ".e30.AAAA"
	nobody := fault.New(fault.NotFound, "connection-not-found", "")
	down := &http.Client{Transport: &services{}}
	for sentence, c := range map[string]struct {
		header  string
		missing error
		want    int
	}{
		"without a token, of a connection":                    {"", nil, http.StatusUnauthorized},
		"without a token, of none":                            {"", nobody, http.StatusUnauthorized},
		"while no keys can be had, of a connection":           {"Bearer " + forged, nil, http.StatusServiceUnavailable},
		"while no keys can be had, of none":                   {"Bearer " + forged, nobody, http.StatusServiceUnavailable},
		"with an algorithm that needs no key, of none":        {"Bearer eyJhbGciOiJub25lIn0.e30.", nobody, http.StatusUnauthorized},
		"with a key of Handoff's instead of a token, of none": {"Bearer hk_1_2", nobody, http.StatusUnauthorized},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			looked := false
			e := &relaying.Endpoint{
				Verifier: botauth.New(botauth.Public(), down, now), Log: slog.New(slog.DiscardHandler),
				Receiver: asked(func() error { t.Error("something was received"); return nil }),
				Link:     func(*http.Request) (relay.Link, string, error) { looked = true; return link(), app, c.missing },
			}
			w, read := httptest.NewRecorder(), new(counted)
			r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/messages", read)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			e.ServeHTTP(w, r)
			if w.Code != c.want || w.Body.String() != "{}" {
				t.Errorf("answer %d %s, want an empty %d", w.Code, w.Body, c.want)
			}
			if looked || *read > 0 {
				t.Errorf("looked up: %t, read: %d bytes; want neither", looked, *read)
			}
		})
	}
}

// counted is a body that never ends and counts what was read of it.
type counted int

func (c *counted) Read(b []byte) (int, error) {
	*c += counted(len(b))
	return copy(b, strings.Repeat("x", len(b))), nil
}
