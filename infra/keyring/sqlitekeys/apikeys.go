package sqlitekeys

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/identity"
	"handoff/infra/keyring"
	"handoff/infra/sqlitedb"
)

// columns are those of an API key.
const columns = "id, tenant, role, connection, name, sum, created, expires, revoked"

// APIKey implements keyring.APIKeyStore.
func (s *store) APIKey(ctx context.Context, id string) (k keyring.APIKeyRow, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		k, err = apiKey(c, id)
		return err
	})
	return k, err
}

// APIKeys implements keyring.APIKeyStore.
func (s *store) APIKeys(ctx context.Context, tenant string) (all []keyring.APIKeyRow, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		all, err = apiKeys(c, "tenant = ?", tenant)
		return err
	})
	return all, err
}

// AddAPIKey implements keyring.APIKeyStore.
func (s *store) AddAPIKey(ctx context.Context, k keyring.APIKeyRow, allow func(valid int) error) error {
	return s.db.Write(ctx, func(c *sqlite.Conn) error {
		valid, err := countValid(c, k)
		if err == nil {
			err = allow(valid)
		}
		if err != nil {
			return err
		}
		err = exec(c, "INSERT INTO api_keys ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			k.ID, k.Tenant, string(k.Role), k.Connection, k.Name, k.Sum, sqlitedb.Nanos(k.Created), sqlitedb.Nanos(k.Expires), sqlitedb.Nanos(k.Revoked))
		if err != nil || c.Changes() > 0 {
			return err
		}
		// Ids are random; one that was given out to another key is refused here.
		if there, err := apiKey(c, k.ID); err != nil || !bytes.Equal(there.Sum, k.Sum) {
			return fmt.Errorf("the id %s belongs to another key: %w", k.ID, err)
		}
		return nil
	})
}

func countValid(c *sqlite.Conn, k keyring.APIKeyRow) (valid int, err error) {
	err = query(c, `SELECT count(*) FROM api_keys
		WHERE tenant = ? AND connection = ? AND role = ? AND revoked = 0 AND (expires = 0 OR expires > ?)`,
		func(s *sqlite.Stmt) error { valid = s.ColumnInt(0); return nil }, k.Tenant, k.Connection, string(k.Role), sqlitedb.Nanos(k.Created))
	return valid, err
}

func apiKey(c *sqlite.Conn, id string) (keyring.APIKeyRow, error) {
	found, err := apiKeys(c, "id = ?", id)
	if err == nil && len(found) == 0 {
		err = keyring.ErrNoAPIKey
	}
	if err != nil {
		return keyring.APIKeyRow{}, err
	}
	return found[0], nil
}

func apiKeys(c *sqlite.Conn, where string, args ...any) (all []keyring.APIKeyRow, err error) {
	err = query(c, "SELECT "+columns+" FROM api_keys WHERE "+where, func(s *sqlite.Stmt) error {
		all = append(all, keyring.APIKeyRow{
			ID: s.ColumnText(0), Tenant: s.ColumnText(1), Role: identity.Role(s.ColumnText(2)), Connection: s.ColumnText(3), Name: s.ColumnText(4),
			Sum: blob(s, 5), Created: sqlitedb.Instant(s.ColumnInt64(6)), Expires: sqlitedb.Instant(s.ColumnInt64(7)), Revoked: sqlitedb.Instant(s.ColumnInt64(8)),
		})
		return nil
	}, args...)
	return all, err
}

// RenameAPIKey implements keyring.APIKeyStore.
func (s *store) RenameAPIKey(ctx context.Context, tenant, id, name string) error {
	return s.changeAPIKey(ctx, "UPDATE api_keys SET name = ?1 WHERE tenant = ?2 AND id = ?3", name, tenant, id)
}

// RevokeAPIKey implements keyring.APIKeyStore.
func (s *store) RevokeAPIKey(ctx context.Context, tenant, id string, at time.Time) error {
	return s.changeAPIKey(ctx, "UPDATE api_keys SET revoked = iif(revoked = 0, ?1, revoked) WHERE tenant = ?2 AND id = ?3", sqlitedb.Nanos(at), tenant, id)
}

func (s *store) changeAPIKey(ctx context.Context, sql string, args ...any) error {
	return s.db.Write(ctx, func(c *sqlite.Conn) error {
		err := exec(c, sql, args...)
		if err == nil && c.Changes() == 0 {
			return keyring.ErrNoAPIKey
		}
		return err
	})
}
