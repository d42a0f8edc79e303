package keyring

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"zombiezen.com/go/sqlite"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/lru"
	"handoff/infra/sqlitedb"
)

const (
	// botKeys is how many keys of a bot are valid at once on one connection:
	// the one in use and the one that takes its place.
	botKeys    = 2
	maxKeyName = 200
)

// APIKeys are the keys by which callers prove who they are; each is a principal
// of its own. It is part of a Keyring and safe for concurrent use.
type APIKeys struct {
	ring  *Keyring
	cache *lru.Cache[string, stored]
}

type (
	// NewKey is identity.NewKey.
	NewKey = identity.NewKey
	// APIKey is identity.APIKey.
	APIKey = identity.APIKey
)

// stored is a key as it is checked.
type stored struct {
	APIKey
	sum [32]byte // of the token's secret, see identity.Token.Sum
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
	if err := a.check(n, now); err != nil {
		return "", identity.Principal{}, err
	}
	t := newToken()
	sum := t.Sum()
	err := a.ring.db.Write(ctx, func(c *sqlite.Conn) error {
		valid, err := countValid(c, n, now)
		if err == nil {
			err = allow(valid)
		}
		if err != nil {
			return err
		}
		// Ids are random; one that was given out before is refused here.
		return exec(c, "INSERT INTO api_keys (id, tenant, role, connection, name, sum, created, expires, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
			t.ID(), n.Tenant, string(n.Role), n.Connection, n.Name, sum[:], sqlitedb.Nanos(now), sqlitedb.Nanos(n.Expires))
	})
	if err != nil {
		return "", identity.Principal{}, fmt.Errorf("issue a key of role %s: %w", n.Role, err)
	}
	return t.Reveal(), identity.Principal{ID: t.ID(), Tenant: n.Tenant, Role: n.Role, Connection: n.Connection, Name: n.Name}, nil
}

func newToken() identity.Token {
	var id [5]byte
	var secret [32]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand, since Go 1.24)
	_, _ = rand.Read(secret[:])
	return identity.NewToken(id, secret)
}

func (a *APIKeys) check(n NewKey, now time.Time) error {
	if _, err := a.ring.tenant(n.Tenant); err != nil {
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

func countValid(c *sqlite.Conn, n NewKey, now time.Time) (valid int, err error) {
	err = query(c, `SELECT count(*) FROM api_keys
		WHERE tenant = ? AND connection = ? AND role = ? AND revoked = 0 AND (expires = 0 OR expires > ?)`,
		func(s *sqlite.Stmt) error { valid = s.ColumnInt(0); return nil }, n.Tenant, n.Connection, string(n.Role), sqlitedb.Nanos(now))
	return valid, err
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
	case subtle.ConstantTimeCompare(sum[:], k.sum[:]) != 1:
		return identity.Principal{}, keyInvalid()
	case !k.Revoked.IsZero():
		return identity.Principal{}, fault.New(fault.Unauthenticated, "key-revoked", "This key was revoked; ask an administrator for a new one.")
	case !k.Expires.IsZero() && !a.ring.now().Before(k.Expires):
		return identity.Principal{}, fault.New(fault.Unauthenticated, "key-expired", "This key has expired; ask an administrator for a new one.")
	}
	return k.Principal, nil
}

func (a *APIKeys) get(ctx context.Context, id string) (stored, error) {
	if k, ok := a.cache.Get(id); ok {
		return k, nil
	}
	mark := a.cache.Mark(id)
	found, err := a.read(ctx, "id = ?", id)
	if err != nil {
		return stored{}, fmt.Errorf("look up key %s: %w", id, err)
	}
	if len(found) == 0 {
		return stored{}, keyInvalid()
	}
	a.cache.Put(id, found[0], mark)
	return found[0], nil
}

// List returns all keys of a tenant, revoked ones too since facts may name
// them, the oldest first.
func (a *APIKeys) List(ctx context.Context, tenant string) ([]APIKey, error) {
	found, err := a.read(ctx, "tenant = ? ORDER BY created, id", tenant)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	keys := make([]APIKey, len(found))
	for i, k := range found {
		keys[i] = k.APIKey
	}
	return keys, nil
}

func (a *APIKeys) read(ctx context.Context, where, arg string) ([]stored, error) {
	var found []stored
	err := a.ring.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT id, tenant, role, connection, name, created, expires, revoked, sum FROM api_keys WHERE "+where,
			func(s *sqlite.Stmt) error {
				k := stored{APIKey: APIKey{
					Principal: identity.Principal{
						ID: s.ColumnText(0), Tenant: s.ColumnText(1), Role: identity.Role(s.ColumnText(2)), Connection: s.ColumnText(3), Name: s.ColumnText(4),
					},
					Created: sqlitedb.Instant(s.ColumnInt64(5)), Expires: sqlitedb.Instant(s.ColumnInt64(6)), Revoked: sqlitedb.Instant(s.ColumnInt64(7)),
				}}
				s.ColumnBytes(8, k.sum[:])
				found = append(found, k)
				return nil
			}, arg)
	})
	return found, err
}

// Rename changes the name by which people know a key.
func (a *APIKeys) Rename(ctx context.Context, tenant, id, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return a.change(ctx, id, "UPDATE api_keys SET name = ?1 WHERE tenant = ?2 AND id = ?3", name, tenant, id)
}

// Revoke makes a key invalid for ever, from the moment it returns. Revoking it
// again changes nothing.
func (a *APIKeys) Revoke(ctx context.Context, tenant, id string) error {
	return a.change(ctx, id, "UPDATE api_keys SET revoked = iif(revoked = 0, ?1, revoked) WHERE tenant = ?2 AND id = ?3", sqlitedb.Nanos(a.ring.now()), tenant, id)
}

func (a *APIKeys) change(ctx context.Context, id, sql string, args ...any) error {
	err := a.ring.db.Write(ctx, func(c *sqlite.Conn) error {
		err := exec(c, sql, args...)
		if err == nil && c.Changes() == 0 {
			return fault.New(fault.NotFound, "key-not-found", "There is no such key.")
		}
		return err
	})
	a.cache.Drop(id) // only now: until the commit others may still read it
	if err != nil {
		return fmt.Errorf("change key %s: %w", id, err)
	}
	return nil
}

func keyInvalid() error {
	return fault.New(fault.Unauthenticated, "key-invalid", "The key is not valid. It may be mistyped, or made for another server.")
}
