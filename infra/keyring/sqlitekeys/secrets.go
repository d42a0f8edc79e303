package sqlitekeys

import (
	"context"

	"zombiezen.com/go/sqlite"

	"handoff/infra/keyring"
	"handoff/infra/sqlitedb"
)

// Secrets implements keyring.SecretStore.
func (s *store) Secrets(ctx context.Context, tenant, prefix string) (all []keyring.SecretRow, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		all, err = secrets(c, tenant, "substr(name, 1, length(?2)) = ?2", prefix)
		return err
	})
	return all, err
}

// SecretVersions implements keyring.SecretStore.
func (s *store) SecretVersions(ctx context.Context, tenant, name string) (all []keyring.SecretRow, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		all, err = secrets(c, tenant, "name = ?2", name)
		return err
	})
	return all, err
}

func secrets(c *sqlite.Conn, tenant, where, arg string) (all []keyring.SecretRow, err error) {
	err = query(c, "SELECT name, version, created, sealed FROM secrets WHERE tenant = "+tenantID+" AND "+where, func(s *sqlite.Stmt) error {
		all = append(all, keyring.SecretRow{
			Tenant: tenant, Name: s.ColumnText(0), Version: s.ColumnInt(1), Created: sqlitedb.Instant(s.ColumnInt64(2)), Sealed: blob(s, 3),
		})
		return nil
	}, tenant, arg)
	return all, err
}

// ChangeSecret implements keyring.SecretStore.
func (s *store) ChangeSecret(ctx context.Context, tenant, name string, change func([]keyring.SecretRow) ([]keyring.SecretRow, error)) error {
	return s.db.Write(ctx, func(c *sqlite.Conn) error {
		have, err := secrets(c, tenant, "name = ?2", name)
		if err != nil {
			return err
		}
		keep, err := change(have)
		if err != nil {
			return err
		}
		if err := exec(c, "DELETE FROM secrets WHERE tenant = "+tenantID+" AND name = ?2", tenant, name); err != nil {
			return err
		}
		for _, r := range keep {
			err := exec(c, "INSERT INTO secrets (tenant, name, version, created, sealed) VALUES ("+tenantID+", ?2, ?3, ?4, ?5)",
				tenant, name, r.Version, sqlitedb.Nanos(r.Created), r.Sealed)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
