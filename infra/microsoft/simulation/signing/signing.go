// Package signing makes and checks the JSON Web Tokens (RFC 7519, RS256) of the
// fake's issuers, and publishes their keys (RFC 7517) as
// https://login.botframework.com does.
package signing

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// Claims are what a token says.
type Claims = map[string]any

// bits is the size of a key, as the real issuers have it.
const bits = 2048

// Keys are one issuer's keys. They are made when they are first needed. Keys
// are safe for concurrent use; make them with New.
type Keys struct {
	source       Source
	endorsements []string

	mu        sync.Mutex
	published []*key // the one that signs is the last
	stranger  *key   // published for channels that nobody here uses
}

type key struct {
	id           string
	private      *rsa.PrivateKey
	endorsements []string
}

// Source makes private keys.
type Source func() (*rsa.PrivateKey, error)

// Generate is the Source that makes a new key each time, which takes a tenth of
// a second.
func Generate() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }

// New returns the keys of an issuer. With endorsements, every key carries them,
// and one key more is published that endorses the channel "skype" alone.
func New(endorsements ...string) *Keys { return From(Generate, endorsements...) }

// From is New with private keys that a source makes. They must differ.
func From(s Source, endorsements ...string) *Keys {
	return &Keys{source: s, endorsements: endorsements}
}

func (k *Keys) newKey(endorsements []string) (*key, error) {
	private, err := k.source()
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return &key{strings.ReplaceAll(uuid.NewString(), "-", ""), private, endorsements}, nil
}

// ready makes the first keys.
func (k *Keys) ready() error {
	if len(k.published) > 0 {
		return nil
	}
	first, err := k.newKey(k.endorsements)
	if err != nil {
		return err
	}
	if len(k.endorsements) > 0 {
		if k.stranger, err = k.newKey([]string{"skype"}); err != nil {
			return err
		}
	}
	k.published = []*key{first}
	return nil
}

// Rotate makes a new key that signs from now on. The old one stays published
// and goes with the rotation after.
func (k *Keys) Rotate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(); err != nil {
		return err
	}
	next, err := k.newKey(k.endorsements)
	if err != nil {
		return err
	}
	k.published = append(k.published[max(0, len(k.published)-1):], next)
	return nil
}

func (k *Keys) signer() (*key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(); err != nil {
		return nil, err
	}
	return k.published[len(k.published)-1], nil
}

// Sign returns a token.
func (k *Keys) Sign(c Claims) (string, error) {
	s, err := k.signer()
	if err != nil {
		return "", err
	}
	return s.sign(s.id, c)
}

func (k *key) sign(id string, c Claims) (string, error) {
	text, err := unsigned(map[string]any{"alg": "RS256", "typ": "JWT", "kid": id, "x5t": id}, c)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func unsigned(header map[string]any, c Claims) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("write a token's header: %w", err)
	}
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("write a token's claims: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(body), nil
}

var errToken = errors.New("the token is not one of this issuer's")

// Verify returns the claims of a token that a published key has signed. It
// looks at no claim.
func (k *Keys) Verify(token string) (Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errToken
	}
	var header struct{ Alg, Kid string }
	var c Claims
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || part(parts[0], &header) != nil || part(parts[1], &c) != nil || header.Alg != "RS256" {
		return nil, errToken
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.published {
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if p.id == header.Kid && rsa.VerifyPKCS1v15(&p.private.PublicKey, crypto.SHA256, digest[:], signature) == nil {
			return c, nil
		}
	}
	return nil, errToken
}

func part(text string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("decode a part of a token: %w", err)
	}
	return json.Unmarshal(raw, into)
}

// Set returns the published keys as a JSON Web Key Set. A key of another kind
// than RSA is among them, which a verifier skips.
func (k *Keys) Set() (map[string]any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(); err != nil {
		return nil, err
	}
	all := k.published
	if k.stranger != nil {
		all = append([]*key{k.stranger}, all...)
	}
	keys := []any{map[string]any{
		"kty": "EC", "use": "sig", "kid": "an-elliptic-one", "crv": "P-256",
		"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
	}}
	for _, p := range all {
		keys = append(keys, p.public())
	}
	return map[string]any{"keys": keys}, nil
}

func (k *key) public() map[string]any {
	j := map[string]any{
		"kty": "RSA", "use": "sig", "kid": k.id, "x5t": k.id,
		"n": base64.RawURLEncoding.EncodeToString(k.private.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.private.E)).Bytes()),
	}
	if len(k.endorsements) > 0 {
		j["endorsements"] = k.endorsements
	}
	return j
}
