package sqlitekeys_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"handoff/infra/keyring"
	"handoff/infra/keyring/seal"
)

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
