package keyring

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"handoff/domain/fault"
	"handoff/domain/identity"
)

const (
	// botKeys is how many keys of a bot are valid at once on one connection:
	// the one in use and the one that takes its place.
	botKeys    = 2
	maxKeyName = 200
)

type (
	// NewKey is identity.NewKey.
	NewKey = identity.NewKey
	// APIKey is identity.APIKey.
	APIKey = identity.APIKey
)

// APIKeyStore keeps API keys.
type APIKeyStore interface {
	// APIKey returns the key of an id, or ErrNoAPIKey.
	APIKey(ctx context.Context, id string) (APIKeyRow, error)
	// APIKeys returns all keys of a tenant, in any order.
	APIKeys(ctx context.Context, tenant string) ([]APIKeyRow, error)
	// AddAPIKey adds a key unless allow refuses, given how many keys of its
	// tenant, role and connection are valid when it is created. Of several
	// additions at once each is told of those that went before it; allow may be
	// asked more than once. Adding a key again changes nothing.
	AddAPIKey(ctx context.Context, k APIKeyRow, allow func(valid int) error) error
	// RenameAPIKey and RevokeAPIKey change a key, or return ErrNoAPIKey where
	// the tenant has no such key. A key is revoked once; what comes after
	// changes nothing.
	RenameAPIKey(ctx context.Context, tenant, id, name string) error
	RevokeAPIKey(ctx context.Context, tenant, id string, at time.Time) error
}

// ErrNoAPIKey is what a store returns for a key that it has not.
var ErrNoAPIKey = fault.New(fault.NotFound, "key-not-found", "There is no such key.")

// APIKeys are the keys by which callers prove who they are; each is a principal
// of its own. It is part of a Keyring and safe for concurrent use.
type APIKeys struct {
	ring  *Keyring
	cache *cache[string, APIKeyRow]
}

// Issue makes a key and returns its token, which is nowhere stored and can't be
// had again. A third valid key of a bot on one connection is a Conflict fault
// too-many-keys.
func (a *APIKeys) Issue(ctx context.Context, n NewKey) (token string, p identity.Principal, err error) {
	return a.issue(ctx, n, func(valid int) error {
		if n.Role == identity.Bot && valid >= botKeys {
			return fault.Newf(fault.Conflict, "too-many-keys",
				"Connection %q has %d valid keys for its bot already. Revoke the one that is no longer in use, then make a new one.", n.Connection, valid)
		}
		return nil
	})
}

// EnsureKey issues a key of a role on a connection if none of them is valid,
// and returns its token only then. Of several calls at once one does.
func (a *APIKeys) EnsureKey(ctx context.Context, tenant, connection string, role identity.Role) (token string, err error) {
	token, _, err = a.issue(ctx, NewKey{Tenant: tenant, Connection: connection, Role: role}, func(valid int) error {
		if valid > 0 {
			return errHasKey
		}
		return nil
	})
	if errors.Is(err, errHasKey) {
		return "", nil
	}
	return token, err
}

var errHasKey = errors.New("keyring: there is such a key")

// issue makes a key unless allow refuses, given how many keys of that role are
// valid on that connection.
func (a *APIKeys) issue(ctx context.Context, n NewKey, allow func(valid int) error) (string, identity.Principal, error) {
	now := a.ring.now()
	if err := a.check(ctx, n, now); err != nil {
		return "", identity.Principal{}, err
	}
	t := newToken()
	sum := t.Sum()
	k := APIKeyRow{
		ID: t.ID(), Tenant: n.Tenant, Role: n.Role, Connection: n.Connection, Name: n.Name, Sum: sum[:], Created: now.UTC(), Expires: n.Expires.UTC(),
	}
	if err := a.ring.store.AddAPIKey(ctx, k, allow); err != nil {
		return "", identity.Principal{}, fmt.Errorf("issue a key of role %s: %w", n.Role, err)
	}
	return t.Reveal(), k.apiKey().Principal, nil
}

func newToken() identity.Token {
	var id [5]byte
	var secret [32]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand, since Go 1.24)
	_, _ = rand.Read(secret[:])
	return identity.NewToken(id, secret)
}

func (a *APIKeys) check(ctx context.Context, n NewKey, now time.Time) error {
	if _, err := a.ring.tenant(ctx, n.Tenant); err != nil {
		return err
	}
	if _, err := identity.ParseRole(string(n.Role)); err != nil {
		return err
	}
	switch {
	case n.Role == identity.Bot && n.Connection == "":
		return fault.New(fault.Unprocessable, "key-connection-missing", "A bot's key needs the connection on which it may raise escalations.")
	case n.Role != identity.Bot && n.Role != identity.Hub && n.Connection != "":
		return fault.Newf(fault.Unprocessable, "key-connection-refused", "A key of role %q is for the whole tenant, not for one connection.", n.Role)
	case !n.Expires.IsZero() && !n.Expires.After(now):
		return fault.New(fault.Unprocessable, "key-expiry-past", "The key would have expired already.")
	}
	return checkName(n.Name)
}

func checkName(name string) error {
	if len(name) > maxKeyName || !utf8.ValidString(name) {
		return fault.Newf(fault.Unprocessable, "key-name-invalid", "A key's name has at most %d bytes of text.", maxKeyName)
	}
	return nil
}

// Authenticate returns the principal that a token proves. Otherwise it returns
// an Unauthenticated fault: key-invalid for anything that is no token of ours,
// key-revoked or key-expired only to whoever holds the right secret.
func (a *APIKeys) Authenticate(ctx context.Context, token string) (identity.Principal, error) {
	t, err := identity.ParseToken(token)
	if err != nil {
		return identity.Principal{}, err
	}
	k, err := a.get(ctx, t.ID())
	if err != nil {
		return identity.Principal{}, err
	}
	sum := t.Sum()
	switch {
	case subtle.ConstantTimeCompare(sum[:], k.Sum) != 1:
		return identity.Principal{}, keyInvalid()
	case !k.Revoked.IsZero():
		return identity.Principal{}, fault.New(fault.Unauthenticated, "key-revoked", "This key was revoked; ask an administrator for a new one.")
	case !k.Expires.IsZero() && !a.ring.now().Before(k.Expires):
		return identity.Principal{}, fault.New(fault.Unauthenticated, "key-expired", "This key has expired; ask an administrator for a new one.")
	}
	return k.apiKey().Principal, nil
}

func (a *APIKeys) get(ctx context.Context, id string) (APIKeyRow, error) {
	if k, ok := a.cache.get(id); ok {
		return k, nil
	}
	mark := a.cache.mark(id)
	k, err := a.ring.store.APIKey(ctx, id)
	if errors.Is(err, ErrNoAPIKey) {
		return APIKeyRow{}, keyInvalid()
	}
	if err != nil {
		return APIKeyRow{}, fmt.Errorf("look up key %s: %w", id, err)
	}
	a.cache.put(id, k, mark)
	return k, nil
}

// List returns all keys of a tenant, revoked ones too since facts may name
// them, the oldest first.
func (a *APIKeys) List(ctx context.Context, tenant string) ([]APIKey, error) {
	rows, err := a.ring.store.APIKeys(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	keys := make([]APIKey, len(rows))
	for i, r := range rows {
		keys[i] = r.apiKey()
	}
	slices.SortFunc(keys, func(a, b APIKey) int {
		if order := a.Created.Compare(b.Created); order != 0 {
			return order
		}
		return strings.Compare(a.ID, b.ID)
	})
	return keys, nil
}

// Rename changes the name by which people know a key.
func (a *APIKeys) Rename(ctx context.Context, tenant, id, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return a.changed(id, a.ring.store.RenameAPIKey(ctx, tenant, id, name))
}

// Revoke makes a key invalid for ever, from the moment it returns; where
// several instances share a store, on the others within Options.Keep. Revoking
// it again changes nothing.
func (a *APIKeys) Revoke(ctx context.Context, tenant, id string) error {
	return a.changed(id, a.ring.store.RevokeAPIKey(ctx, tenant, id, a.ring.now()))
}

// changed is what to do after a key was changed, or perhaps not: until then
// others may still read what it was.
func (a *APIKeys) changed(id string, err error) error {
	a.cache.drop(id)
	if err != nil {
		return fmt.Errorf("change key %s: %w", id, err)
	}
	return nil
}

func keyInvalid() error {
	return fault.New(fault.Unauthenticated, "key-invalid", "The key is not valid. It may be mistyped, or made for another server.")
}
