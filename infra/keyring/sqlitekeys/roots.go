package sqlitekeys

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"handoff/infra/keyring"
)

// systemNaming is the row of the secret that belongs to no tenant. It is the
// check of the master key too: it opens under one only.
const systemNaming = "system-naming"

// Roots implements keyring.RootStore. It returns keyring.ErrWrongMasterKey
// where the system's do not open.
func (s *store) Roots(ctx context.Context, tenants ...string) (map[string]keyring.Roots, error) {
	all := make(map[string]keyring.Roots)
	err := s.read(ctx, func(c *sqlite.Conn) error {
		for _, name := range tenants {
			if err := s.roots(c, name, all); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

func (s *store) roots(c *sqlite.Conn, tenant string, into map[string]keyring.Roots) error {
	if tenant == "" {
		return query(c, "SELECT wrapped FROM system_secrets WHERE name = ?", func(st *sqlite.Stmt) error {
			r, err := s.master.Unwrap(keyring.RootsRow{Naming: blob(st, 0)})
			if err != nil {
				return keyring.ErrWrongMasterKey
			}
			into[tenant] = r
			return nil
		}, systemNaming)
	}
	return query(c, "SELECT naming, wrapping FROM tenants WHERE name = ?", func(st *sqlite.Stmt) error {
		r, err := s.master.Unwrap(keyring.RootsRow{Tenant: tenant, Naming: blob(st, 0), Wrapping: blob(st, 1)})
		if err != nil {
			return fmt.Errorf("unwrap the secrets of tenant %q: %w", tenant, err)
		}
		into[tenant] = r
		return nil
	}, tenant)
}

// PutRoots implements keyring.RootStore.
func (s *store) PutRoots(ctx context.Context, tenant string, r keyring.Roots, replace bool) error {
	row := s.master.Wrap(tenant, r)
	return s.db.Write(ctx, func(c *sqlite.Conn) error {
		if tenant == "" {
			return exec(c, "INSERT INTO system_secrets (name, wrapped) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET wrapped = ?2 WHERE ?3",
				systemNaming, row.Naming, replace)
		}
		return exec(c, "INSERT INTO tenants (name, naming, wrapping) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET naming = ?2, wrapping = ?3 WHERE ?4",
			tenant, row.Naming, row.Wrapping, replace)
	})
}

// Tenants implements keyring.RootStore.
func (s *store) Tenants(ctx context.Context) (names []string, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT name FROM tenants ORDER BY name", func(st *sqlite.Stmt) error {
			names = append(names, st.ColumnText(0))
			return nil
		})
	})
	return names, err
}
