package dynamokeys_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/keyring"
	"handoff/infra/keyring/dynamokeys"
	"handoff/tests/keyringtest"
)

func TestWhatItAsksFor(t *testing.T) {
	t.Parallel()
	s := newServices()
	ctx := t.Context()
	keyringtest.Opened(t, opener(behind(t, s)))
	s.called()
	o := behind(t, s)
	o.Tenants, o.Create = []string{"acme"}, false
	k := opened(t, o)
	var token, id string
	var sealed []byte
	for _, step := range []struct {
		what string
		do   func() error
		want []string
	}{
		{"being opened", func() error { return nil }, []string{"GetParameters"}},
		{"naming streams", func() error { _, err := k.StreamID("acme", events.KindConversation, "a"); return err }, nil},
		{"naming streams of another tenant", func() error { _, err := k.StreamID("other", events.KindConversation, "a"); return err }, []string{"GetParameters"}},
		{"naming them again", func() error { _, err := k.StreamID("other", events.KindConversation, "b"); return err }, nil},
		{"sealing under a new key", func() (err error) { sealed, err = k.Seal(ctx, "acme", "key.0", nil, nil); return err }, []string{"PutItem"}},
		{"sealing and opening again", func() error {
			_, err := k.Open(ctx, "acme", "key.0", nil, sealed)
			_, errSeal := k.Seal(ctx, "acme", "key.0", nil, nil)
			return errors.Join(err, errSeal)
		}, nil},
		{"destroying", func() error { return k.Destroy(ctx, "acme", "key.0") }, []string{"PutItem"}},
		{"issuing an API key", func() error {
			var p identity.Principal
			var err error
			token, p, err = k.APIKeys().Issue(ctx, keyringtest.BotKey("store-bot"))
			id = p.ID
			return err
		}, []string{"GetItem", "PutItem", "PutItem"}},
		{"authenticating", func() error { _, err := k.APIKeys().Authenticate(ctx, token); return err }, []string{"GetItem"}},
		{"authenticating again", func() error { _, err := k.APIKeys().Authenticate(ctx, token); return err }, nil},
		{"finding that there is a key", func() error { _, err := k.APIKeys().EnsureKey(ctx, "acme", "store-bot", identity.Bot); return err }, []string{"GetItem", "BatchGetItem"}},
		{"revoking", func() error { return k.APIKeys().Revoke(ctx, "acme", id) }, []string{"UpdateItem"}},
		{"making a secret", func() error { _, err := k.EnsureSecret(ctx, "acme", "s", nil); return err }, []string{"GetItem", "PutItem"}},
		{"reading it", func() error { _, err := k.SecretVersions(ctx, "acme", "s"); return err }, []string{"GetItem"}},
	} {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		if got := s.called(); !slices.Equal(got, step.want) {
			t.Errorf("%s: requests = %v, want %v", step.what, got, step.want)
		}
	}
}

func TestRowsFitAWriteUnit(t *testing.T) {
	t.Parallel()
	s := newServices()
	k := keyringtest.Opened(t, opener(behind(t, s)))
	stream, err := k.StreamID("acme", events.KindConversation, "c")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Seal(t.Context(), "acme", events.NewKeyID(stream, 0), nil, nil); err != nil {
		t.Fatal(err)
	}
	for at, i := range s.items {
		size := 0
		for name, value := range i {
			size += len(name) + len(value)
		}
		if size > 300 {
			t.Errorf("item %q has about %d bytes, want no more than 300 of the 1024 of a unit", at, size)
		}
	}
}

// calls is everything that asks AWS for something.
func calls(k *keyring.Keyring) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Seal":    func(ctx context.Context) error { _, err := k.Seal(ctx, "acme", "key.1", nil, nil); return err },
		"Open":    func(ctx context.Context) error { _, err := k.Open(ctx, "acme", "key.1", nil, nil); return err },
		"Destroy": func(ctx context.Context) error { return k.Destroy(ctx, "acme", "key.1") },
		"Issue": func(ctx context.Context) error {
			_, _, err := k.APIKeys().Issue(ctx, keyringtest.BotKey("a"))
			return err
		},
		"Authenticate": func(ctx context.Context) error {
			_, err := k.APIKeys().Authenticate(ctx, "hk_aaaaaaaa_"+strings.Repeat("a", 52))
			return err
		},
		"List":         func(ctx context.Context) error { _, err := k.APIKeys().List(ctx, "acme"); return err },
		"Revoke":       func(ctx context.Context) error { return k.APIKeys().Revoke(ctx, "acme", "aaaaaaaa") },
		"Secrets":      func(ctx context.Context) error { _, err := k.Secrets(ctx, "acme", ""); return err },
		"Secret":       func(ctx context.Context) error { _, err := k.Secret(ctx, "acme", "s"); return err },
		"RotateSecret": func(ctx context.Context) error { _, err := k.RotateSecret(ctx, "acme", "s", nil); return err },
		"EnsureTenant": func(ctx context.Context) error { return k.EnsureTenant(ctx, "new") },
		"Tenants":      func(ctx context.Context) error { _, err := k.Tenants(ctx); return err },
		"StreamID":     func(context.Context) error { _, err := k.StreamID("new", events.KindDelivery); return err },
	}
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]fault.Kind{
		"ThrottlingException": fault.Unavailable, "ProvisionedThroughputExceededException": fault.Unavailable, "InternalServerError": fault.Unavailable,
		"AccessDeniedException": fault.Internal,
	} {
		var broken bool
		k := keyringtest.Opened(t, opener(behind(t, &wire{next: newServices(), fail: func(string) (*http.Response, bool) {
			if !broken {
				return nil, false
			}
			status := http.StatusBadRequest
			if code == "InternalServerError" {
				status = http.StatusInternalServerError
			}
			return failed(status, code, nil), false
		}})))
		broken = true
		for name, call := range calls(k) {
			if err := call(t.Context()); err == nil || fault.KindOf(err) != want {
				t.Errorf("%s with %s: error = %v, want kind %s", name, code, err, want)
			}
		}
		for _, err := range k.Export(t.Context(), mustMaster(t)) {
			if err == nil || fault.KindOf(err) != want {
				t.Errorf("Export with %s: error = %v, want kind %s", code, err, want)
			}
		}
	}
}

func mustMaster(t *testing.T) keyring.MasterKey {
	t.Helper()
	m, err := keyring.NewMasterKey([]byte(strings.Repeat("m", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	made := newServices()
	keyringtest.Opened(t, opener(behind(t, made)))
	swapped := newServices()
	keyringtest.Opened(t, opener(behind(t, swapped)))
	swapped.params["/handoff/test/tenants/acme"] = swapped.params["/handoff/test/tenants/other"]
	broken := newServices()
	broken.params["/handoff/test/system"] = request{Value: "my secret value"}
	for name, c := range map[string]struct {
		services *services
		path     string
		want     string
	}{
		"a path without a slash before it":     {made, "handoff", "must begin with a slash"},
		"a path with a slash after it":         {made, "/handoff/", "must begin with a slash"},
		"a keyring that was not made":          {newServices(), "/handoff/test", keyring.ErrNoSystem.Error()},
		"a parameter of another tenant":        {swapped, "/handoff/test", `it was written for tenant "other"`},
		"a parameter that somebody else wrote": {broken, "/handoff/test", "it is not as it was written"},
	} {
		o := behind(t, c.services)
		o.Path, o.Create, o.Tenants = c.path, false, []string{"acme"}
		_, err := dynamokeys.Open(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "my secret value") {
			t.Errorf("%s: error = %v, want %q", name, err, c.want)
		}
	}
}

func TestSecretsOfTenantsAreEncryptedUnderTheGivenKey(t *testing.T) {
	t.Parallel()
	s := newServices()
	o := behind(t, s)
	o.KMSKey = "alias/handoff"
	if err := opened(t, o).EnsureTenant(t.Context(), "Acme Inc."); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/handoff/test/system", "/handoff/test/tenants/Acme_20Inc."} {
		if p := s.params[name]; p.Type != "SecureString" || p.KeyId != "alias/handoff" || p.Overwrite {
			t.Errorf("parameter %s = type %q, key %q, overwrite %t", name, p.Type, p.KeyId, p.Overwrite)
		}
	}
}
