package keyring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"zombiezen.com/go/sqlite"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring/seal"
)

const maxTenantName = 128

// tenant is a tenant's secrets, unwrapped. It doesn't change.
type tenant struct {
	id       int64
	names    *seal.Namer
	wrapping seal.Secret
}

// EnsureTenant makes the secrets of a tenant, durably, unless it has them.
func (k *Keyring) EnsureTenant(ctx context.Context, name string) error {
	if name == "" || len(name) > maxTenantName || !utf8.ValidString(name) {
		return fault.Newf(fault.Unprocessable, "tenant-invalid", "A tenant's name has 1 to %d bytes of text.", maxTenantName)
	}
	if _, err := k.tenant(name); err == nil {
		return nil
	}
	naming := k.master.Wrap(namingOf(name), seal.NewSecret().Bytes())
	wrapping := k.master.Wrap(wrappingOf(name), seal.NewSecret().Bytes())
	err := k.db.Write(ctx, func(c *sqlite.Conn) error {
		return exec(c, "INSERT INTO tenants (name, naming, wrapping) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", name, naming, wrapping)
	})
	if err == nil {
		err = k.loadTenants(ctx)
	}
	if err != nil {
		return fmt.Errorf("make the keys of tenant %q: %w", name, err)
	}
	return nil
}

// Tenants returns the names of all tenants, sorted.
func (k *Keyring) Tenants() []string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Sorted(maps.Keys(k.tenants))
}

// StreamID returns the id of a tenant's stream that stands for parts. The same
// parts always give the same id, so the log's check of versions finds repeats.
func (k *Keyring) StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error) {
	t, err := k.tenant(tenant)
	if err != nil {
		return events.StreamID{}, err
	}
	return t.names.Stream(string(kind), parts...), nil
}

// Ref returns what stands for value in clear parts, such as a customer's e-mail
// address: the same for equal values of one label and tenant.
func (k *Keyring) Ref(tenant, label, value string) (string, error) {
	t, err := k.tenant(tenant)
	if err != nil {
		return "", err
	}
	return t.names.Ref(label, value), nil
}

func (k *Keyring) tenant(name string) (*tenant, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	t, ok := k.tenants[name]
	if !ok {
		return nil, fault.New(fault.NotFound, "tenant-not-found", "There is no such tenant.")
	}
	return t, nil
}

// loadTenants adds those that are not known yet.
func (k *Keyring) loadTenants(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT id, name, naming, wrapping FROM tenants", func(s *sqlite.Stmt) error {
			name := s.ColumnText(1)
			if _, ok := k.tenants[name]; ok {
				return nil
			}
			t, err := k.unwrapTenant(s.ColumnInt64(0), name, blob(s, 2), blob(s, 3))
			if err == nil {
				k.tenants[name] = t
			}
			return err
		})
	})
}

func (k *Keyring) unwrapTenant(id int64, name string, naming, wrapping []byte) (*tenant, error) {
	n, err := unwrapSecret(k.master, namingOf(name), naming)
	if err != nil {
		return nil, fmt.Errorf("unwrap the naming secret of tenant %q: %w", name, err)
	}
	w, err := unwrapSecret(k.master, wrappingOf(name), wrapping)
	if err != nil {
		return nil, fmt.Errorf("unwrap the wrapping secret of tenant %q: %w", name, err)
	}
	return &tenant{id: id, names: seal.NewNamer(n), wrapping: w}, nil
}

func namingOf(tenant string) string   { return "tenant-naming\x00" + tenant }
func wrappingOf(tenant string) string { return "tenant-wrapping\x00" + tenant }
