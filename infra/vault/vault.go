// Package vault keeps the signing secrets of a connection: one for each of its
// endpoints, and one for the webhooks that its bot signs. They are sealed rows
// of the keyring. Two of a kind may be valid at once, so that a secret can be
// changed while both sides run.
package vault

import (
	"context"
	"fmt"

	"handoff/infra/keyring"
	"handoff/infra/standardwebhooks"
)

// overlap is how many secrets of a kind are valid at once.
const overlap = 2

// Vault is safe for concurrent use.
type Vault struct{ ring *keyring.Keyring }

// New returns the vault of a keyring.
func New(ring *keyring.Keyring) *Vault { return &Vault{ring: ring} }

// Secrets returns the valid secrets, newest first, of an endpoint, or with an
// empty endpoint those of the bot's webhooks. There may be none.
func (v *Vault) Secrets(ctx context.Context, tenant, connection, endpoint string) ([]standardwebhooks.Secret, error) {
	rows, err := v.ring.SecretVersions(ctx, tenant, name(connection, endpoint))
	if err != nil {
		return nil, fmt.Errorf("read signing secrets of connection %s: %w", connection, err)
	}
	var out []standardwebhooks.Secret
	for _, r := range rows[:min(len(rows), overlap)] {
		s, err := standardwebhooks.ParseSecret(string(r.Value))
		if err != nil {
			return nil, fmt.Errorf("read signing secret %s: %w", r.Name, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// Ensure makes a secret where there is none. It returns the text of the secret
// only if it made it.
func (v *Vault) Ensure(ctx context.Context, tenant, connection, endpoint string) (secret string, err error) {
	s := standardwebhooks.Generate()
	made, err := v.ring.EnsureSecret(ctx, tenant, name(connection, endpoint), []byte(s.Reveal()))
	if err != nil || !made {
		return "", err
	}
	return s.Reveal(), nil
}

// Rotate makes a new secret and returns its text, which can't be had again. The
// one before it stays valid, any older one does not.
func (v *Vault) Rotate(ctx context.Context, tenant, connection, endpoint string) (secret string, err error) {
	s := standardwebhooks.Generate()
	if _, err := v.ring.RotateSecret(ctx, tenant, name(connection, endpoint), []byte(s.Reveal())); err != nil {
		return "", fmt.Errorf("rotate signing secret of connection %s: %w", connection, err)
	}
	return s.Reveal(), nil
}

func name(connection, endpoint string) string {
	if endpoint == "" {
		return "webhook/" + connection
	}
	return "endpoint/" + connection + "/" + endpoint
}
