package httpapi

import (
	"net/http"

	"handoff/domain/identity"
	"handoff/domain/intake/strictjson"
)

func (s *server) keys(x *exchange, r *http.Request) error {
	all, err := s.api.Keys(r.Context(), x.by)
	if err != nil {
		return err
	}
	return writePage(s, x, r, all, "")
}

// IssuedKey is a new key. Token is the key itself and is not shown again.
type IssuedKey struct {
	Key

	Token string `json:"token"`
}

func (s *server) issueKey(x *exchange, r *http.Request) error {
	var k NewKey
	err := s.decode(x, r, fields{
		"role": text(&k.Role), "connection_id": text(&k.Connection), "name": text(&k.Name), "valid_for": span(&k.ValidFor),
	})
	if err != nil {
		return err
	}
	if _, err := identity.ParseRole(k.Role); err != nil {
		return strictjson.Under("/role", err)
	}
	key, token, err := s.api.IssueKey(r.Context(), x.by, k)
	if err != nil {
		return err
	}
	return x.json(http.StatusCreated, IssuedKey{Key: key, Token: token})
}

func (s *server) revokeKey(x *exchange, r *http.Request) error {
	if err := s.api.RevokeKey(r.Context(), x.by, r.PathValue("key")); err != nil {
		return err
	}
	x.WriteHeader(http.StatusNoContent)
	return nil
}
