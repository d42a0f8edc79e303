package httpapi

import (
	"net/http"
	"time"

	"handoff/domain/identity"
	"handoff/domain/intake/strictjson"
)

// Key is an API key without its secret.
type Key struct {
	ID         string    `json:"id"`
	Role       string    `json:"role"`
	Connection string    `json:"connection_id,omitempty"`
	Name       string    `json:"name,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
}

func keyOf(k identity.APIKey) Key {
	return Key{ID: k.ID, Role: string(k.Role), Connection: k.Connection, Name: k.Name, CreatedAt: k.Created, ExpiresAt: k.Expires}
}

// NewKey asks for an API key.
type NewKey struct {
	Role       string        `json:"role"`
	Connection string        `json:"connection_id,omitempty"`
	Name       string        `json:"name,omitempty"`
	ValidFor   time.Duration `json:"-"` // 0: for ever
}

// IssuedKey is a new key. Token is the key itself and is not shown again.
type IssuedKey struct {
	Key

	Token string `json:"token"`
}

func (s *server) keys(x *exchange, r *http.Request) error {
	all, err := s.api.Keys(r.Context(), x.by)
	if err != nil {
		return err
	}
	rows := make([]Key, len(all))
	for i, k := range all {
		rows[i] = keyOf(k)
	}
	return writePage(s, x, r, rows, "")
}

func (s *server) issueKey(x *exchange, r *http.Request) error {
	var k NewKey
	err := s.decode(x, r, fields{
		"role": text(&k.Role), "connection_id": text(&k.Connection), "name": text(&k.Name), "valid_for": span(&k.ValidFor),
	})
	if err != nil {
		return err
	}
	role, err := identity.ParseRole(k.Role)
	if err != nil {
		return strictjson.Under("/role", err)
	}
	n := identity.NewKey{Tenant: x.by.Tenant, Role: role, Connection: k.Connection, Name: k.Name}
	if k.ValidFor > 0 {
		n.Expires = s.Now().Add(k.ValidFor).UTC()
	}
	key, token, err := s.api.IssueKey(r.Context(), x.by, n)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, IssuedKey{Key: keyOf(key), Token: token})
}

func (s *server) revokeKey(x *exchange, r *http.Request) error {
	if err := s.api.RevokeKey(r.Context(), x.by, r.PathValue("key")); err != nil {
		return err
	}
	x.WriteHeader(http.StatusNoContent)
	return nil
}
