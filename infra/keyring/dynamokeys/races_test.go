package dynamokeys_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/keyring"
	"handoff/tests/keyringtest"
)

// rivals are two instances. Right before the first one's n-th write reaches
// AWS, the other one gets its turn.
type rivals struct {
	*services
	k, other *keyring.Keyring
	turn     func()
	at       int  // which write
	lose     bool // the answer of the write before that
	writes   int
}

func newRivals(t *testing.T) *rivals {
	t.Helper()
	r := &rivals{services: newServices()}
	r.other = keyringtest.Opened(t, opener(behind(t, r.services)))
	r.k = keyringtest.Opened(t, opener(behind(t, &wire{next: r.services, fail: r.fail})))
	return r
}

func (r *rivals) fail(call string) (*http.Response, bool) {
	if call != "PutItem" || r.turn == nil {
		return nil, false
	}
	r.writes++
	if r.writes == r.at {
		r.turn()
	}
	return nil, r.lose && r.writes == r.at-1
}

// valid returns how many API keys there are, listed or not, that were not
// revoked.
func (r *rivals) valid() (n int) {
	for at, i := range r.items {
		if strings.HasPrefix(at, `{"S":"a#`) && i["v"] == nil {
			n++
		}
	}
	return n
}

func TestAnAPIKeyThatWasOvertaken(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		at, others int
		code       string
		keys       int
	}{
		"by one that is issued before it is written":   {at: 1, others: 1, keys: 2},
		"by one that is issued before it is listed":    {at: 2, others: 1, keys: 2},
		"by as many as there may be":                   {at: 1, others: 2, code: "too-many-keys", keys: 2},
		"by as many as there may be, before it's said": {at: 2, others: 2, code: "too-many-keys", keys: 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			r := newRivals(t)
			r.at, r.turn = c.at, func() {
				for range c.others {
					keyringtest.Issue(t, r.other, keyringtest.BotKey("store-bot"))
				}
			}
			_, _, err := r.k.APIKeys().Issue(t.Context(), keyringtest.BotKey("store-bot"))
			if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) {
				t.Errorf("error = %v, want %q", err, c.code)
			}
			all, err := r.k.APIKeys().List(t.Context(), keyringtest.Acme)
			if err != nil || len(all) != c.keys || r.valid() != c.keys {
				t.Errorf("%d keys are listed and %d valid, %v, want %d", len(all), r.valid(), err, c.keys)
			}
		})
	}
}

// The answer of a write is lost, and before it is tried again somebody else
// writes: it has happened once all the same.
func TestALostAnswerIsRecognisedAfterOthersWrote(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		at   int
		turn func(r *rivals) error
		do   func(r *rivals) error
		want []string
	}{
		"a secret that was rotated": {
			2,
			func(r *rivals) error {
				_, err := r.other.RotateSecret(t.Context(), keyringtest.Acme, "s", []byte("theirs"))
				return err
			},
			func(r *rivals) error {
				_, err := r.k.RotateSecret(t.Context(), keyringtest.Acme, "s", []byte("ours"))
				return err
			},
			[]string{"theirs", "ours"},
		},
		"a secret that got a version": {
			2,
			func(r *rivals) error {
				_, err := r.other.AddSecret(t.Context(), keyringtest.Acme, "s", []byte("theirs"))
				return err
			},
			func(r *rivals) error {
				_, err := r.k.AddSecret(t.Context(), keyringtest.Acme, "s", []byte("ours"))
				return err
			},
			[]string{"theirs", "ours", "first"},
		},
	} {
		r := newRivals(t)
		if err := r.other.PutSecret(t.Context(), keyringtest.Acme, "s", []byte("first")); err != nil {
			t.Fatal(err)
		}
		r.lose, r.at, r.turn = true, c.at, func() {
			if err := c.turn(r); err != nil {
				t.Error(err)
			}
		}
		if err := c.do(r); err != nil {
			t.Fatal(err)
		}
		var got []string
		all, err := r.k.SecretVersions(t.Context(), keyringtest.Acme, "s")
		for _, s := range all {
			got = append(got, string(s.Value))
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: versions = %q, %v, want %q", sentence, got, err, c.want)
		}
	}
}

func TestAKeyThatWasDestroyedBeforeItWasWritten(t *testing.T) {
	t.Parallel()
	r := newRivals(t)
	r.at, r.turn = 1, func() {
		if err := r.other.Destroy(t.Context(), keyringtest.Acme, "key.0"); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.k.Seal(t.Context(), keyringtest.Acme, "key.0", nil, nil); !fault.Is(err, "context-erased") {
		t.Errorf("error = %v, want context-erased", err)
	}
}

func TestAllKeysAreListedHoweverMany(t *testing.T) {
	t.Parallel()
	k := keyringtest.Opened(t, opener(behind(t, newServices())))
	want := 3 * page
	for i := range want {
		role := []identity.Role{identity.Admin, identity.Auditor}[i%2]
		keyringtest.Issue(t, k, keyring.NewKey{Tenant: keyringtest.Acme, Role: role})
	}
	if all, err := k.APIKeys().List(t.Context(), keyringtest.Acme); err != nil || len(all) != want {
		t.Errorf("%d keys, %v, want %d", len(all), err, want)
	}
}
