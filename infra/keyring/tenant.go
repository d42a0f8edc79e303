package keyring

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring/seal"
)

const (
	maxTenantName = 128
	// systemName stands for the secret that belongs to no tenant.
	systemName = ""
	// loadTimeout bounds the loading of a tenant where the caller has no
	// context to bound it with.
	loadTimeout = 10 * time.Second
)

// Roots are the two secrets from which everything of a tenant is derived. The
// system's, which is no tenant's, have no wrapping secret.
type Roots struct{ Naming, Wrapping seal.Secret }

// RootStore keeps roots, each under the name of its tenant, the system's under
// an empty name.
type RootStore interface {
	// Roots returns those that there are of the tenants named.
	Roots(ctx context.Context, tenants ...string) (map[string]Roots, error)
	// PutRoots keeps roots. Unless it is to replace, it leaves those alone that
	// are there, which is no error.
	PutRoots(ctx context.Context, tenant string, r Roots, replace bool) error
	// Tenants returns the names of all tenants, in any order.
	Tenants(ctx context.Context) ([]string, error)
}

// tenant is what a tenant's roots yield. It doesn't change.
type tenant struct {
	names    *seal.Namer
	wrapping seal.Secret
}

// EnsureTenant makes the secrets of a tenant, durably, unless it has them.
func (k *Keyring) EnsureTenant(ctx context.Context, name string) error {
	if name == "" || len(name) > maxTenantName || !utf8.ValidString(name) {
		return fault.Newf(fault.Unprocessable, "tenant-invalid", "A tenant's name has 1 to %d bytes of text.", maxTenantName)
	}
	if _, err := k.tenant(ctx, name); !fault.Is(err, codeNoTenant) {
		return err
	}
	return k.makeRoots(ctx, name, Roots{Naming: seal.NewSecret(), Wrapping: seal.NewSecret()})
}

// makeRoots keeps roots unless there are some, and loads those that are kept.
func (k *Keyring) makeRoots(ctx context.Context, name string, fresh Roots) error {
	err := k.store.PutRoots(ctx, name, fresh, false)
	if err == nil {
		err = k.load(ctx, name)
	}
	if err == nil && !k.knows(name) {
		err = fault.New(fault.Unavailable, "tenant-not-ready", "The tenant was made and can't be read yet; try again.")
	}
	if err != nil {
		return fmt.Errorf("make the keys of tenant %q: %w", name, err)
	}
	return nil
}

func (k *Keyring) knows(name string) bool {
	if name == systemName {
		return k.systemNames() != nil
	}
	_, ok := k.loaded(name)
	return ok
}

// Tenants returns the names of all tenants, in any order.
func (k *Keyring) Tenants(ctx context.Context) ([]string, error) {
	names, err := k.store.Tenants(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	return names, nil
}

// StreamID returns the id of a tenant's stream that stands for parts. The same
// parts always give the same id, so the log's check of versions finds repeats.
// It waits for the store only at the first use of a tenant that New was not
// told of, and then for 10 s at most.
func (k *Keyring) StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error) {
	t, err := k.tenantSoon(tenant)
	if err != nil {
		return events.StreamID{}, err
	}
	return t.names.Stream(string(kind), parts...), nil
}

// Ref returns what stands for value in clear parts, such as a customer's e-mail
// address: the same for equal values of one label and tenant. It waits as
// StreamID does.
func (k *Keyring) Ref(tenant, label, value string) (string, error) {
	t, err := k.tenantSoon(tenant)
	if err != nil {
		return "", err
	}
	return t.names.Ref(label, value), nil
}

func (k *Keyring) tenantSoon(name string) (*tenant, error) {
	if t, ok := k.loaded(name); ok {
		return t, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	return k.tenant(ctx, name)
}

const codeNoTenant = "tenant-not-found"

func (k *Keyring) tenant(ctx context.Context, name string) (*tenant, error) {
	if t, ok := k.loaded(name); ok {
		return t, nil
	}
	if name != systemName {
		if err := k.load(ctx, name); err != nil {
			return nil, err
		}
	}
	if t, ok := k.loaded(name); ok {
		return t, nil
	}
	return nil, fault.New(fault.NotFound, codeNoTenant, "There is no such tenant.")
}

func (k *Keyring) loaded(name string) (*tenant, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	t, ok := k.tenants[name]
	return t, ok
}

// load reads the roots of tenants, or of the system. Those that are known stay
// as they are: roots never change.
func (k *Keyring) load(ctx context.Context, names ...string) error {
	found, err := k.store.Roots(ctx, names...)
	if err != nil {
		return fmt.Errorf("load the keys of tenants %q: %w", names, err)
	}
	for name, r := range found {
		k.adopt(name, r)
	}
	return nil
}

func (k *Keyring) adopt(name string, r Roots) {
	names := seal.NewNamer(r.Naming)
	k.mu.Lock()
	defer k.mu.Unlock()
	if name == systemName {
		k.system = names
	} else {
		k.tenants[name] = &tenant{names: names, wrapping: r.Wrapping}
	}
}

// Wrap encrypts the roots of a tenant, or of the system under an empty name.
func (m MasterKey) Wrap(tenant string, r Roots) RootsRow {
	row := RootsRow{Tenant: tenant, Naming: m.secret.Wrap(namingOf(tenant), r.Naming.Bytes())}
	if tenant != systemName {
		row.Wrapping = m.secret.Wrap(wrappingOf(tenant), r.Wrapping.Bytes())
	}
	return row
}

// Unwrap undoes Wrap. It returns seal.ErrTampered where the row was wrapped
// under another key or for another tenant.
func (m MasterKey) Unwrap(row RootsRow) (r Roots, err error) {
	if r.Naming, err = unwrapSecret(m.secret, namingOf(row.Tenant), row.Naming); err != nil {
		return Roots{}, fmt.Errorf("naming secret: %w", err)
	}
	if row.Tenant == systemName {
		return r, nil
	}
	if r.Wrapping, err = unwrapSecret(m.secret, wrappingOf(row.Tenant), row.Wrapping); err != nil {
		return Roots{}, fmt.Errorf("wrapping secret: %w", err)
	}
	return r, nil
}

func unwrapSecret(by seal.Secret, name string, wrapped []byte) (seal.Secret, error) {
	b, err := by.Unwrap(name, wrapped)
	if err != nil {
		return seal.Secret{}, err
	}
	return seal.SecretFrom(b)
}

func namingOf(tenant string) string {
	if tenant == systemName {
		return "system-naming"
	}
	return "tenant-naming\x00" + tenant
}

func wrappingOf(tenant string) string { return "tenant-wrapping\x00" + tenant }
