package keyringtest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"handoff/domain/fault"
	"handoff/infra/keyring"
)

const signing = "endpoint/store-bot/desk"

// secrets is what is promised of secrets that are kept for others.
var secrets = map[string]func(*testing.T, Open){
	"versions of a secret overlap until one is retired":  overlap,
	"secrets are found by the beginning of their names":  byPrefix,
	"a secret that there isn't can't be had nor removed": missing,
	"of several secrets ensured at once one is kept":     ensured,
	"rotating keeps the secret before, and no older one": rotated,
	"versions added at once differ": func(t *testing.T, open Open) {
		k := Opened(t, open)
		const writers = 6
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				if _, err := k.AddSecret(t.Context(), Acme, signing, []byte("value")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if all, err := k.SecretVersions(t.Context(), Acme, signing); err != nil || len(all) != writers || all[0].Version != writers {
			t.Errorf("%d versions, %v, want %d", len(all), err, writers)
		}
	},
}

// values returns the versions of the secret signing.
func values(t *testing.T, k *keyring.Keyring) (v []string) {
	t.Helper()
	all, err := k.SecretVersions(t.Context(), Acme, signing)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		v = append(v, string(s.Value))
	}
	return v
}

func overlap(t *testing.T, open Open) {
	k, ctx := Opened(t, open), t.Context()
	if err := k.PutSecret(ctx, Acme, signing, []byte("first")); err != nil {
		t.Fatal(err)
	}
	version, err := k.AddSecret(ctx, Acme, signing, []byte("second"))
	if err != nil || version != 2 {
		t.Fatalf("AddSecret = %d, %v, want version 2", version, err)
	}
	closed(t, k)
	k = open(t, now)
	if got, want := values(t, k), []string{"second", "first"}; !slices.Equal(got, want) {
		t.Errorf("versions = %q, want %q", got, want)
	}
	all, err := k.SecretVersions(ctx, Acme, signing)
	if err != nil || all[0].Name != signing || all[0].Version != 2 || !all[0].Created.Equal(Start) {
		t.Errorf("newest = %+v, %v", all[0], err)
	}
	if got, err := k.Secret(ctx, Acme, signing); err != nil || string(got) != "second" {
		t.Errorf("Secret = %q, %v, want the newest", got, err)
	}
	if err := k.RetireSecret(ctx, Acme, signing, 1); err != nil {
		t.Fatal(err)
	}
	if got := values(t, k); !slices.Equal(got, []string{"second"}) {
		t.Errorf("after retiring: %q", got)
	}
	if err := k.PutSecret(ctx, Acme, signing, []byte("third")); err != nil {
		t.Fatal(err)
	}
	all, err = k.SecretVersions(ctx, Acme, signing)
	if err != nil || len(all) != 1 || string(all[0].Value) != "third" || all[0].Version != 3 {
		t.Errorf("after putting: %+v, %v, want the third alone, as version 3", all, err)
	}
}

func byPrefix(t *testing.T, open Open) {
	k, ctx := Opened(t, open), t.Context()
	for _, s := range [][3]string{
		{Acme, "endpoint/a/signing", "1"},
		{Acme, "endpoint/b/signing", "2"},
		{Acme, "endpoint_a", "3"},
		{Acme, "endpoint%", "4"},
		{Other, "endpoint/a/signing", "5"},
	} {
		if err := k.PutSecret(ctx, s[0], s[1], []byte(s[2])); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.AddSecret(ctx, Acme, "endpoint/a/signing", []byte("6")); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{
		"endpoint/": {"6", "1", "2"}, "endpoint/a/": {"6", "1"}, "endpoint%": {"4"}, "endpoint_": {"3"}, "no": nil,
		"": {"4", "6", "1", "2", "3"},
	} {
		var got []string
		all, err := k.Secrets(ctx, Acme, prefix)
		for _, s := range all {
			got = append(got, string(s.Value))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Secrets(%q) = %q, %v, want %q", prefix, got, err, want)
		}
	}
}

func missing(t *testing.T, open Open) {
	k, ctx := Opened(t, open), t.Context()
	if err := k.PutSecret(ctx, Acme, "here", []byte("value")); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Secret":             func() error { _, err := k.Secret(ctx, Acme, "missing"); return err },
		"without a name":     func() error { _, err := k.Secret(ctx, Acme, ""); return err },
		"of another tenant":  func() error { _, err := k.Secret(ctx, Other, "here"); return err },
		"DeleteSecret":       func() error { return k.DeleteSecret(ctx, Acme, "missing") },
		"delete for another": func() error { return k.DeleteSecret(ctx, Other, "here") },
		"RetireSecret":       func() error { return k.RetireSecret(ctx, Acme, "here", 2) },
		"deleted a second time": func() error {
			return errors.Join(k.PutSecret(ctx, Acme, "short", nil), k.DeleteSecret(ctx, Acme, "short"), k.DeleteSecret(ctx, Acme, "short"))
		},
	} {
		if err := call(); !fault.Is(err, "secret-not-found") {
			t.Errorf("%s: error = %v, want secret-not-found", name, err)
		}
	}
	if _, err := k.AddSecret(ctx, Acme, "", nil); !fault.Is(err, "secret-name-missing") {
		t.Errorf("error = %v, want secret-name-missing", err)
	}
	if made, err := k.EnsureSecret(ctx, Acme, "short", nil); err != nil || !made {
		t.Errorf("after it was deleted: EnsureSecret = %v, %v, want a new one", made, err)
	}
}

func ensured(t *testing.T, open Open) {
	k := Opened(t, open)
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			ok, err := k.EnsureSecret(t.Context(), Acme, signing, []byte("v"))
			if err != nil {
				t.Error(err)
			}
			if ok {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	if got := made.Load(); got != 1 {
		t.Errorf("%d calls made the secret, want 1", got)
	}
	if _, err := k.EnsureSecret(t.Context(), "nobody", signing, nil); !fault.Is(err, "tenant-not-found") {
		t.Errorf("error = %v, want tenant-not-found", err)
	}
}

func rotated(t *testing.T, open Open) {
	k := Opened(t, open)
	for i, want := range [][]string{{"1"}, {"2", "1"}, {"3", "2"}} {
		version, err := k.RotateSecret(t.Context(), Acme, signing, []byte(want[0]))
		if err != nil || version != i+1 {
			t.Errorf("RotateSecret = %d, %v, want %d", version, err, i+1)
		}
		if got := values(t, k); !slices.Equal(got, want) {
			t.Errorf("versions = %q, want %q", got, want)
		}
	}
}
