package keyring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff/domain/fault"
)

// SecretStore keeps the versions of secrets, sealed.
type SecretStore interface {
	// Secrets returns the versions of all secrets of a tenant whose names begin
	// with prefix, in any order.
	Secrets(ctx context.Context, tenant, prefix string) ([]SecretRow, error)
	// SecretVersions returns those of one secret, in any order.
	SecretVersions(ctx context.Context, tenant, name string) ([]SecretRow, error)
	// ChangeSecret keeps what change returns, given what is kept, in one step:
	// nobody else changes the secret in between. It may be asked more than once.
	ChangeSecret(ctx context.Context, tenant, name string, change func(have []SecretRow) (keep []SecretRow, err error)) error
}

// Secret is one version of a named secret.
type Secret struct {
	Name    string
	Version int // grows; the newest is the one to sign with
	Value   []byte
	Created time.Time
}

// PutSecret makes value the only version of a tenant's secret, durably.
func (k *Keyring) PutSecret(ctx context.Context, tenant, name string, value []byte) error {
	_, err := k.addVersion(ctx, tenant, name, value, func([]SecretRow) ([]SecretRow, error) { return nil, nil })
	return err
}

// AddSecret adds a version beside those that are there, durably, so that the
// old one and the new one overlap until RetireSecret.
func (k *Keyring) AddSecret(ctx context.Context, tenant, name string, value []byte) (version int, err error) {
	return k.addVersion(ctx, tenant, name, value, func(older []SecretRow) ([]SecretRow, error) { return older, nil })
}

// RotateSecret adds a version, durably, and keeps of the older ones only the
// newest beside it.
func (k *Keyring) RotateSecret(ctx context.Context, tenant, name string, value []byte) (version int, err error) {
	return k.addVersion(ctx, tenant, name, value, func(older []SecretRow) ([]SecretRow, error) { return older[:min(len(older), 1)], nil })
}

// EnsureSecret makes value the secret if there is none, durably, and reports
// whether it did. Of several calls at once one does.
func (k *Keyring) EnsureSecret(ctx context.Context, tenant, name string, value []byte) (made bool, err error) {
	_, err = k.addVersion(ctx, tenant, name, value, func(older []SecretRow) ([]SecretRow, error) {
		if len(older) > 0 {
			return nil, errNotFirst
		}
		return nil, nil
	})
	if errors.Is(err, errNotFirst) {
		return false, nil
	}
	return err == nil, err
}

var errNotFirst = errors.New("keyring: the secret is there")

// addVersion adds a version of a secret to those of the older ones, the newest
// first, that keep returns.
func (k *Keyring) addVersion(
	ctx context.Context, tenant, name string, value []byte, keep func(older []SecretRow) ([]SecretRow, error),
) (version int, err error) {
	t, err := k.tenant(ctx, tenant)
	if err != nil {
		return 0, err
	}
	if name == "" {
		return 0, fault.New(fault.Unprocessable, "secret-name-missing", "A secret needs a name.")
	}
	created := k.now().UTC()
	err = k.store.ChangeSecret(ctx, tenant, name, func(older []SecretRow) ([]SecretRow, error) {
		slices.SortFunc(older, newestFirst)
		version = 1
		if len(older) > 0 {
			version += older[0].Version
		}
		kept, err := keep(older)
		return append(slices.Clone(kept), SecretRow{
			Tenant: tenant, Name: name, Version: version, Created: created, Sealed: t.wrapping.Wrap(secretOf(name, version), value),
		}), err
	})
	if err != nil {
		return 0, fmt.Errorf("keep secret %s: %w", name, err)
	}
	return version, nil
}

// Secret returns the newest value of a secret, or a NotFound fault
// secret-not-found.
func (k *Keyring) Secret(ctx context.Context, tenant, name string) ([]byte, error) {
	all, err := k.SecretVersions(ctx, tenant, name)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, secretNotFound(name)
	}
	return all[0].Value, nil
}

// SecretVersions returns the versions of a secret, newest first; none is no
// error.
func (k *Keyring) SecretVersions(ctx context.Context, tenant, name string) ([]Secret, error) {
	return k.readSecrets(ctx, tenant, name, k.store.SecretVersions)
}

// Secrets returns the secrets whose names begin with prefix, by name, and of
// one name the newest first.
func (k *Keyring) Secrets(ctx context.Context, tenant, prefix string) ([]Secret, error) {
	return k.readSecrets(ctx, tenant, prefix, k.store.Secrets)
}

func (k *Keyring) readSecrets(
	ctx context.Context, tenant, which string, read func(ctx context.Context, tenant, which string) ([]SecretRow, error),
) ([]Secret, error) {
	t, err := k.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	rows, err := read(ctx, tenant, which)
	if err != nil {
		return nil, fmt.Errorf("read secrets %s: %w", which, err)
	}
	slices.SortFunc(rows, newestFirst)
	var all []Secret
	for _, r := range rows {
		value, err := t.wrapping.Unwrap(secretOf(r.Name, r.Version), r.Sealed)
		if err != nil {
			return nil, fmt.Errorf("open secret %s, version %d: %w", r.Name, r.Version, err)
		}
		all = append(all, Secret{Name: r.Name, Version: r.Version, Value: value, Created: r.Created})
	}
	return all, nil
}

// RetireSecret removes one version of a secret. Unlike a conversation's key its
// sealed bytes may stay in the store for a while. It returns a NotFound fault
// secret-not-found where there is none.
func (k *Keyring) RetireSecret(ctx context.Context, tenant, name string, version int) error {
	return k.removeVersions(ctx, tenant, name, func(r SecretRow) bool { return r.Version == version })
}

// DeleteSecret removes all versions of a secret, as RetireSecret does one.
func (k *Keyring) DeleteSecret(ctx context.Context, tenant, name string) error {
	return k.removeVersions(ctx, tenant, name, func(SecretRow) bool { return true })
}

func (k *Keyring) removeVersions(ctx context.Context, tenant, name string, remove func(SecretRow) bool) error {
	if _, err := k.tenant(ctx, tenant); err != nil {
		return err
	}
	return k.store.ChangeSecret(ctx, tenant, name, func(have []SecretRow) ([]SecretRow, error) {
		kept := slices.DeleteFunc(slices.Clone(have), remove)
		if len(kept) == len(have) {
			return nil, secretNotFound(name)
		}
		return kept, nil
	})
}

// newestFirst orders versions by name, and of one name the newest first.
func newestFirst(a, b SecretRow) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), b.Version-a.Version)
}

func secretNotFound(name string) error {
	return fault.Newf(fault.NotFound, "secret-not-found", "There is no secret %q.", name)
}

func secretOf(name string, version int) string {
	return fmt.Sprintf("secret\x00%d\x00%s", version, name)
}
