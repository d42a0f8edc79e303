package entra

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// Password is a client secret. Its value is shown this once.
type Password struct {
	KeyID  guid.ID
	Secret Secret
	Ends   time.Time
}

// AddPassword makes a secret for an application, by its object id, that ends at
// a time. Each call makes another one: keep what it returns before anything
// else is done. The login service takes it some seconds later; Source.Await
// waits for that. Needs Application.ReadWrite.OwnedBy.
func (g *Graph) AddPassword(ctx context.Context, object guid.ID, name string, ends time.Time) (Password, error) {
	a, err := g.replicated(ctx, controlplane.Request{
		Method: http.MethodPost, Path: "/applications/" + string(object) + "/addPassword",
		JSON: map[string]any{"passwordCredential": map[string]any{"displayName": name, "endDateTime": ends.UTC().Format(time.RFC3339)}},
	})
	if err != nil {
		return Password{}, wrap("add a secret to", object, err)
	}
	var w struct {
		KeyID       string
		SecretText  string
		EndDateTime time.Time
	}
	if a.Decode(&w) != nil || w.SecretText == "" { // without the cause, which might repeat the secret
		return Password{}, fmt.Errorf("add a secret to application %s: the answer has none", object)
	}
	key, _ := guid.Parse(w.KeyID)
	return Password{KeyID: key, Secret: Secret(w.SecretText), Ends: w.EndDateTime}, nil
}

// KnownPassword is what Graph tells of a secret that was made before.
type KnownPassword struct {
	KeyID guid.ID
	Name  string
	Ends  time.Time // zero: it does not say
	hint  string
}

// Begins reports whether the secret may be this one: Graph keeps the first three
// characters (documented: hint of passwordCredential).
func (p KnownPassword) Begins(s Secret) bool {
	return p.hint != "" && strings.HasPrefix(string(s), p.hint)
}

// Passwords returns the secrets of an application, by its object id. Needs
// Application.Read.All, or ReadWrite.OwnedBy for one's own.
func (g *Graph) Passwords(ctx context.Context, object guid.ID) ([]KnownPassword, error) {
	a, err := g.replicated(ctx, controlplane.Request{
		Method: http.MethodGet, Path: "/applications/" + string(object), Query: url.Values{"$select": {"passwordCredentials"}},
	})
	if err != nil {
		return nil, wrap("list the secrets of", object, err)
	}
	var w struct {
		PasswordCredentials []struct {
			KeyID, DisplayName, Hint string
			EndDateTime              time.Time
		}
	}
	if err := a.Decode(&w); err != nil {
		return nil, wrap("list the secrets of", object, err)
	}
	var all []KnownPassword
	for _, p := range w.PasswordCredentials {
		key, _ := guid.Parse(p.KeyID)
		all = append(all, KnownPassword{KeyID: key, Name: p.DisplayName, Ends: p.EndDateTime, hint: p.Hint})
	}
	return all, nil
}

// RemovePassword makes a secret of an application invalid (documented: POST
// /applications/{id}/removePassword). One that is gone is no error. Needs
// Application.ReadWrite.OwnedBy.
func (g *Graph) RemovePassword(ctx context.Context, object, key guid.ID) error {
	_, err := g.api.Do(ctx, controlplane.Request{
		Method: http.MethodPost, Path: "/applications/" + string(object) + "/removePassword",
		JSON: map[string]any{"keyId": string(key)}, Repeatable: true,
	})
	if controlplane.Refused(err).Status != http.StatusBadRequest {
		return wrap("remove a secret of", object, err)
	}
	// What is not there is refused with the status of every mistake.
	all, again := g.Passwords(ctx, object)
	for _, p := range all {
		if p.KeyID == key {
			return wrap("remove a secret of", object, err)
		}
	}
	return again
}
