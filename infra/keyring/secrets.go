package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/fault"
)

// Secret is one version of a named secret.
type Secret struct {
	Name    string
	Version int // grows; the newest is the one to sign with
	Value   []byte
	Created time.Time
}

// PutSecret makes value the only version of a tenant's secret, durably.
func (k *Keyring) PutSecret(ctx context.Context, tenant, name string, value []byte) error {
	_, err := k.writeSecret(ctx, tenant, name, value, keepNone)
	return err
}

// AddSecret adds a version beside those that are there, durably, so that the
// old one and the new one overlap until RetireSecret.
func (k *Keyring) AddSecret(ctx context.Context, tenant, name string, value []byte) (version int, err error) {
	return k.writeSecret(ctx, tenant, name, value, keepAll)
}

// RotateSecret adds a version, durably, and keeps of the older ones only the
// newest beside it.
func (k *Keyring) RotateSecret(ctx context.Context, tenant, name string, value []byte) (version int, err error) {
	return k.writeSecret(ctx, tenant, name, value, keepOne)
}

// EnsureSecret makes value the secret if there is none, durably, and reports
// whether it did. Of several calls at once one does.
func (k *Keyring) EnsureSecret(ctx context.Context, tenant, name string, value []byte) (made bool, err error) {
	_, err = k.writeSecret(ctx, tenant, name, value, onlyFirst)
	if errors.Is(err, errNotFirst) {
		return false, nil
	}
	return err == nil, err
}

// What becomes of the versions that are there when one is written.
const (
	keepNone  = 0
	keepOne   = 1
	keepAll   = -1 // as a LIMIT it is none (sqlite.org/lang_select.html, section 5)
	onlyFirst = -2 // and write nothing if there are any
)

var errNotFirst = errors.New("keyring: the secret is there")

func (k *Keyring) writeSecret(ctx context.Context, tenant, name string, value []byte, keep int) (int, error) {
	t, err := k.tenant(tenant)
	if err != nil {
		return 0, err
	}
	if name == "" {
		return 0, fault.New(fault.Unprocessable, "secret-name-missing", "A secret needs a name.")
	}
	var version int
	created := k.now().UnixNano()
	err = k.db.Write(ctx, func(c *sqlite.Conn) error {
		v, err := nextVersion(c, t, name)
		if err != nil {
			return err
		}
		version = v
		if keep == onlyFirst && version > 1 {
			return errNotFirst
		}
		if err := dropVersions(c, t, name, keep); err != nil {
			return err
		}
		return exec(c, "INSERT INTO secrets (tenant, name, version, created, sealed) VALUES (?, ?, ?, ?, ?)",
			t.id, name, version, created, t.wrapping.Wrap(secretOf(name, version), value))
	})
	if err != nil {
		return 0, fmt.Errorf("keep secret %s: %w", name, err)
	}
	return version, nil
}

// dropVersions removes all but the newest versions, as many as keep says.
func dropVersions(c *sqlite.Conn, t *tenant, name string, keep int) error {
	return exec(c, `DELETE FROM secrets WHERE tenant = ?1 AND name = ?2 AND version NOT IN
		(SELECT version FROM secrets WHERE tenant = ?1 AND name = ?2 ORDER BY version DESC LIMIT ?3)`, t.id, name, keep)
}

func nextVersion(c *sqlite.Conn, t *tenant, name string) (version int, err error) {
	err = query(c, "SELECT coalesce(max(version), 0) + 1 FROM secrets WHERE tenant = ? AND name = ?", func(s *sqlite.Stmt) error {
		version = s.ColumnInt(0)
		return nil
	}, t.id, name)
	return version, err
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
	return k.readSecrets(ctx, tenant, "name = ?2", name)
}

// Secrets returns the secrets whose names begin with prefix, by name, and of
// one name the newest first.
func (k *Keyring) Secrets(ctx context.Context, tenant, prefix string) ([]Secret, error) {
	return k.readSecrets(ctx, tenant, "substr(name, 1, length(?2)) = ?2", prefix)
}

func (k *Keyring) readSecrets(ctx context.Context, tenant, where, arg string) ([]Secret, error) {
	t, err := k.tenant(tenant)
	if err != nil {
		return nil, err
	}
	var all []Secret
	err = k.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT name, version, created, sealed FROM secrets WHERE tenant = ?1 AND "+where+" ORDER BY name, version DESC",
			func(s *sqlite.Stmt) (err error) {
				one := Secret{Name: s.ColumnText(0), Version: s.ColumnInt(1), Created: time.Unix(0, s.ColumnInt64(2)).UTC()}
				one.Value, err = t.wrapping.Unwrap(secretOf(one.Name, one.Version), blob(s, 3))
				all = append(all, one)
				return err
			}, t.id, arg)
	})
	if err != nil {
		return nil, fmt.Errorf("read secrets %s: %w", arg, err)
	}
	return all, nil
}

// RetireSecret removes one version of a secret. Unlike a conversation's key its
// sealed bytes stay in the write-ahead log until that is emptied. It returns a NotFound fault
// secret-not-found where there is none.
func (k *Keyring) RetireSecret(ctx context.Context, tenant, name string, version int) error {
	return k.deleteSecrets(ctx, tenant, name, "version = ?3", version)
}

// DeleteSecret removes all versions of a secret. It returns a NotFound fault
// secret-not-found where there is none.
func (k *Keyring) DeleteSecret(ctx context.Context, tenant, name string) error {
	return k.deleteSecrets(ctx, tenant, name, "version >= ?3", 0)
}

func (k *Keyring) deleteSecrets(ctx context.Context, tenant, name, where string, arg int) error {
	t, err := k.tenant(tenant)
	if err != nil {
		return err
	}
	return k.db.Write(ctx, func(c *sqlite.Conn) error {
		err := exec(c, "DELETE FROM secrets WHERE tenant = ?1 AND name = ?2 AND "+where, t.id, name, arg)
		if err == nil && c.Changes() == 0 {
			return secretNotFound(name)
		}
		return err
	})
}

func secretNotFound(name string) error {
	return fault.Newf(fault.NotFound, "secret-not-found", "There is no secret %q.", name)
}

func secretOf(name string, version int) string {
	return fmt.Sprintf("secret\x00%d\x00%s", version, name)
}
