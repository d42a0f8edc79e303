package keyring

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/keyring/seal"
)

// Row is one row of a keyring: exactly one of its parts is set. By rows a
// keyring moves from one store to another, as lines of JSON that hold nothing in
// clear but names, and hashes of API keys' secrets.
type Row struct {
	Roots        *RootsRow        `json:"roots,omitempty"`
	Conversation *ConversationRow `json:"conversation,omitempty"`
	APIKey       *APIKeyRow       `json:"api_key,omitempty"`
	Secret       *SecretRow       `json:"secret,omitempty"`
	// MAC is over the rest, under the key that the row travels with, so that
	// nobody adds a key of his own on the way.
	MAC []byte `json:"mac,omitempty"`
}

// RootsRow is a tenant's roots, or the system's with neither tenant nor
// wrapping secret, under the key that they travel with.
type RootsRow struct {
	Tenant   string `json:"tenant,omitempty"`
	Naming   []byte `json:"naming"`
	Wrapping []byte `json:"wrapping,omitempty"`
}

// ConversationRow is a conversation's key under its tenant's roots, or the mark
// that it was destroyed.
type ConversationRow struct {
	Tenant  string       `json:"tenant"`
	Key     events.KeyID `json:"key"`
	Wrapped []byte       `json:"wrapped,omitempty"`
	Erased  bool         `json:"erased,omitempty"`
}

// APIKeyRow is an API key as it is checked.
type APIKeyRow struct {
	ID         string        `json:"id"`
	Tenant     string        `json:"tenant"`
	Role       identity.Role `json:"role"`
	Connection string        `json:"connection,omitempty"`
	Name       string        `json:"name,omitempty"`
	Sum        []byte        `json:"sum"` // of the token's secret, see identity.Token.Sum
	Created    time.Time     `json:"created"`
	Expires    time.Time     `json:"expires,omitzero"`
	Revoked    time.Time     `json:"revoked,omitzero"`
}

// SecretRow is one version of a secret under its tenant's roots.
type SecretRow struct {
	Tenant  string    `json:"tenant"`
	Name    string    `json:"name"`
	Version int       `json:"version"`
	Created time.Time `json:"created"`
	Sealed  []byte    `json:"sealed"`
}

// ValidAt reports whether the key may be used at t.
func (r APIKeyRow) ValidAt(t time.Time) bool {
	return r.Revoked.IsZero() && (r.Expires.IsZero() || r.Expires.After(t))
}

func (r APIKeyRow) apiKey() APIKey {
	return APIKey{
		Principal: identity.Principal{ID: r.ID, Tenant: r.Tenant, Role: r.Role, Connection: r.Connection, Name: r.Name},
		Created:   r.Created, Expires: r.Expires, Revoked: r.Revoked,
	}
}

// String names the row.
func (r Row) String() string {
	switch {
	case r.Roots != nil && r.Roots.Tenant == systemName:
		return "the system's secret"
	case r.Roots != nil:
		return fmt.Sprintf("the secrets of tenant %q", r.Roots.Tenant)
	case r.Conversation != nil:
		return fmt.Sprintf("key %s of tenant %q", r.Conversation.Key, r.Conversation.Tenant)
	case r.APIKey != nil:
		return fmt.Sprintf("API key %s of tenant %q", r.APIKey.ID, r.APIKey.Tenant)
	case r.Secret != nil:
		return fmt.Sprintf("version %d of secret %s of tenant %q", r.Secret.Version, r.Secret.Name, r.Secret.Tenant)
	default:
		return "an empty row"
	}
}

// ErrRowDiffers is returned by Import for a row that is kept otherwise.
var ErrRowDiffers = errors.New("the keyring has another one")

// Export yields all rows: first the roots, wrapped under a key that travels
// apart from them, then the others as they are stored. Rows that are written
// meanwhile may be missing.
func (k *Keyring) Export(ctx context.Context, under MasterKey) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for r, err := range k.rows(ctx, under) {
			if err == nil {
				r.MAC, err = under.sign(r)
			}
			if err != nil {
				yield(Row{}, fmt.Errorf("export the keyring: %w", err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (k *Keyring) rows(ctx context.Context, under MasterKey) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		roots, err := k.exportRoots(ctx, under)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for _, r := range roots {
			if !yield(Row{Roots: &r}, nil) {
				return
			}
		}
		k.store.Rows(ctx)(yield)
	}
}

// sign returns the row's MAC.
func (m MasterKey) sign(r Row) ([]byte, error) {
	r.MAC = nil
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r, err)
	}
	return m.secret.Derive("handoff/transfer/v1").MAC(b), nil
}

func (k *Keyring) exportRoots(ctx context.Context, under MasterKey) (rows []RootsRow, err error) {
	if under.IsZero() {
		return nil, errors.New("there is no key to wrap the tenants' secrets with")
	}
	names, err := k.store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	names = append([]string{systemName}, names...)
	roots, err := k.store.Roots(ctx, names...)
	for _, name := range names {
		rows = append(rows, under.Wrap(name, roots[name]))
	}
	return rows, err
}

// Import keeps a row that Export yielded; the roots go first. It returns
// seal.ErrTampered for a row that was changed, or exported under another key.
// Importing a row again changes nothing. A row that is kept otherwise stays as it is and gives
// ErrRowDiffers, with two exceptions: a conversation's key that is destroyed on
// either side is destroyed afterwards, and the system's secret is replaced as
// long as there is no tenant.
func (k *Keyring) Import(ctx context.Context, under MasterKey, r Row) (err error) {
	mac, err := under.sign(r)
	switch {
	case err != nil:
	case !hmac.Equal(mac, r.MAC):
		err = fmt.Errorf("it was changed, or exported under another key: %w", seal.ErrTampered)
	case r.Roots != nil:
		err = k.importRoots(ctx, under, *r.Roots)
	case r.Conversation != nil:
		err = k.importConversation(ctx, *r.Conversation)
	case r.APIKey != nil:
		err = k.importAPIKey(ctx, *r.APIKey)
	case r.Secret != nil:
		err = k.importSecret(ctx, *r.Secret)
	default:
		err = errors.New("it holds nothing that this version knows")
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", r, err)
	}
	return nil
}

func (k *Keyring) importRoots(ctx context.Context, under MasterKey, r RootsRow) error {
	fresh, err := under.Unwrap(r)
	if err != nil {
		return err
	}
	replace := false
	if r.Tenant == systemName {
		tenants, err := k.store.Tenants(ctx)
		if err != nil {
			return err
		}
		replace = len(tenants) == 0
	}
	if err := k.store.PutRoots(ctx, r.Tenant, fresh, replace); err != nil {
		return err
	}
	kept, err := k.store.Roots(ctx, r.Tenant)
	if err != nil {
		return err
	}
	if kept[r.Tenant] != fresh {
		return ErrRowDiffers
	}
	k.adopt(r.Tenant, fresh)
	return nil
}

func (k *Keyring) importConversation(ctx context.Context, r ConversationRow) error {
	if r.Erased {
		return k.Destroy(ctx, r.Tenant, r.Key)
	}
	t, err := k.tenant(ctx, r.Tenant)
	if err != nil {
		return err
	}
	// What no key of ours opens would make the conversation unreadable for ever.
	if _, err := unwrapSecret(t.wrapping, conversationOf(r.Key), r.Wrapped); err != nil {
		return err
	}
	kept, err := k.store.MakeConversationKey(ctx, r.Tenant, r.Key, r.Wrapped)
	switch {
	case errors.Is(err, ErrErased):
		return nil
	case err == nil && !bytes.Equal(kept, r.Wrapped):
		return ErrRowDiffers
	default:
		return err
	}
}

func (k *Keyring) importAPIKey(ctx context.Context, r APIKeyRow) error {
	if _, err := k.tenant(ctx, r.Tenant); err != nil {
		return err
	}
	kept, err := k.store.APIKey(ctx, r.ID)
	if err != nil && !errors.Is(err, ErrNoAPIKey) {
		return err
	}
	if err == nil && !equal(Row{APIKey: &kept}, Row{APIKey: &r}) {
		return ErrRowDiffers
	}
	return k.store.AddAPIKey(ctx, r, func(int) error { return nil })
}

func (k *Keyring) importSecret(ctx context.Context, r SecretRow) error {
	t, err := k.tenant(ctx, r.Tenant)
	if err != nil {
		return err
	}
	if _, err := t.wrapping.Unwrap(secretOf(r.Name, r.Version), r.Sealed); err != nil {
		return err
	}
	err = k.store.ChangeSecret(ctx, r.Tenant, r.Name, func(have []SecretRow) ([]SecretRow, error) {
		i := slices.IndexFunc(have, func(h SecretRow) bool { return h.Version == r.Version })
		switch {
		case i < 0:
			return append(slices.Clone(have), r), nil
		case equal(Row{Secret: &have[i]}, Row{Secret: &r}):
			return nil, errNotFirst
		default:
			return nil, ErrRowDiffers
		}
	})
	if errors.Is(err, errNotFirst) {
		return nil
	}
	return err
}

// equal compares rows as they are written.
func equal(a, b Row) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
