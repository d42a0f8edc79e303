package sqlitekeys_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"handoff/domain/fault"
	"handoff/infra/keyring"
	"handoff/infra/keyring/seal"
)

const signing = "endpoint/store-bot/desk/signing"

func values(secrets []keyring.Secret) (v []string) {
	for _, s := range secrets {
		v = append(v, string(s.Value))
	}
	return v
}

func TestSecretsOverlap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	ctx := t.Context()
	if err := k.PutSecret(ctx, "acme", signing, []byte("first")); err != nil {
		t.Fatal(err)
	}
	version, err := k.AddSecret(ctx, "acme", signing, []byte("second"))
	if err != nil || version != 2 {
		t.Fatalf("AddSecret = %d, %v, want version 2", version, err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k = openAt(t, dir)
	all, err := k.SecretVersions(ctx, "acme", signing)
	if got, want := values(all), []string{"second", "first"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("versions = %q, %v, want %q", got, err, want)
	}
	if got := all[0]; got.Name != signing || got.Version != 2 || !got.Created.Equal(start) {
		t.Errorf("newest = %+v", got)
	}
	if got, err := k.Secret(ctx, "acme", signing); err != nil || string(got) != "second" {
		t.Errorf("Secret = %q, %v, want the newest", got, err)
	}
	if err := k.RetireSecret(ctx, "acme", signing, 1); err != nil {
		t.Fatal(err)
	}
	all, err = k.SecretVersions(ctx, "acme", signing)
	if got := values(all); err != nil || !slices.Equal(got, []string{"second"}) {
		t.Errorf("after retiring: %q, %v", got, err)
	}
	if err := k.PutSecret(ctx, "acme", signing, []byte("third")); err != nil {
		t.Fatal(err)
	}
	all, err = k.SecretVersions(ctx, "acme", signing)
	if got := values(all); err != nil || !slices.Equal(got, []string{"third"}) || all[0].Version != 3 {
		t.Errorf("after putting: %q, %v, want the third alone, as version 3", got, err)
	}
}

func TestSecretsByPrefix(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	ctx := t.Context()
	for _, s := range [][3]string{
		{"acme", "endpoint/a/signing", "1"},
		{"acme", "endpoint/b/signing", "2"},
		{"acme", "endpoint_a", "3"},
		{"acme", "endpoint%", "4"},
		{"other", "endpoint/a/signing", "5"},
	} {
		if err := k.PutSecret(ctx, s[0], s[1], []byte(s[2])); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.AddSecret(ctx, "acme", "endpoint/a/signing", []byte("6")); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{
		"endpoint/": {"6", "1", "2"}, "endpoint/a/": {"6", "1"}, "endpoint%": {"4"}, "endpoint_": {"3"}, "no": nil,
		"": {"4", "6", "1", "2", "3"},
	} {
		got, err := k.Secrets(ctx, "acme", prefix)
		if err != nil || !slices.Equal(values(got), want) {
			t.Errorf("Secrets(%q) = %q, %v, want %q", prefix, values(got), err, want)
		}
	}
}

func TestSecretErrors(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	ctx := t.Context()
	if err := k.PutSecret(ctx, "acme", "here", []byte("value")); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Secret":             func() error { _, err := k.Secret(ctx, "acme", "missing"); return err },
		"of another tenant":  func() error { _, err := k.Secret(ctx, "other", "here"); return err },
		"DeleteSecret":       func() error { return k.DeleteSecret(ctx, "acme", "missing") },
		"delete for another": func() error { return k.DeleteSecret(ctx, "other", "here") },
		"RetireSecret":       func() error { return k.RetireSecret(ctx, "acme", "here", 2) },
		"deleted a second time": func() error {
			return errors.Join(k.PutSecret(ctx, "acme", "short-lived", nil), k.DeleteSecret(ctx, "acme", "short-lived"), k.DeleteSecret(ctx, "acme", "short-lived"))
		},
	} {
		if err := call(); !fault.Is(err, "secret-not-found") {
			t.Errorf("%s: error = %v, want secret-not-found", name, err)
		}
	}
	if _, err := k.AddSecret(ctx, "acme", "", nil); !fault.Is(err, "secret-name-missing") {
		t.Errorf("error = %v, want secret-name-missing", err)
	}
}

func TestEnsureAndRotateSecret(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	ctx := t.Context()
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			ok, err := k.EnsureSecret(ctx, "acme", signing, []byte("v"))
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
	for i, want := range [][]string{{"2", "v"}, {"3", "2"}} {
		version, err := k.RotateSecret(ctx, "acme", signing, []byte(want[0]))
		if err != nil || version != i+2 {
			t.Errorf("RotateSecret = %d, %v, want %d", version, err, i+2)
		}
		if all, err := k.SecretVersions(ctx, "acme", signing); err != nil || !slices.Equal(values(all), want) {
			t.Errorf("versions = %q, %v, want %q", values(all), err, want)
		}
	}
	if _, err := k.EnsureSecret(ctx, "nobody", signing, nil); !fault.Is(err, "tenant-not-found") {
		t.Errorf("error = %v, want tenant-not-found", err)
	}
}

func TestSecretVersionsAddedAtOnceDiffer(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := k.AddSecret(t.Context(), "acme", signing, []byte("value")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := k.SecretVersions(t.Context(), "acme", signing); err != nil || len(all) != 16 || all[0].Version != 16 {
		t.Errorf("%d versions, %v, want 16", len(all), err)
	}
}

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	if err := k.PutSecret(t.Context(), "acme", "one", []byte("a value that nobody may see")); err != nil {
		t.Fatal(err)
	}
	if err := k.PutSecret(t.Context(), "acme", "two", []byte("another")); err != nil {
		t.Fatal(err)
	}
	if where := contains(t, dir, []byte("nobody may see")); where != nil {
		t.Errorf("the value is in %v", where)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, dir, "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'one') WHERE name = 'two'")
	if _, err := openAt(t, dir).Secret(t.Context(), "acme", "two"); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("error = %v, want ErrTampered", err)
	}
}

func TestTheFileTellsNoTokenAndNoMasterKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	token, _, err := k.APIKeys().Issue(t.Context(), keyring.NewKey{Tenant: "acme", Role: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"token": []byte(token), "secret": []byte(token[12:]), "master key": bytes.Repeat([]byte{1}, 32)} {
		if where := contains(t, dir, b); where != nil {
			t.Errorf("the %s is in %v", what, where)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, keyring.FileName)); err != nil {
		t.Fatal(err)
	}
}
