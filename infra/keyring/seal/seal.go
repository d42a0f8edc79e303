// Package seal is the cryptography of a keyring, without any storage, so that
// every engine seals, names and fingerprints alike and facts can be copied from
// one to another as they are stored.
//
// Every key is 256 random bits and is only ever used to derive others from it
// (HKDF, RFC 5869 section 3.3: the extraction is left out because the input is
// uniform already), one for each purpose. Encryption is AES-256-GCM (NIST SP
// 800-38D) with random 96-bit nonces. SP 800-38D section 8.3 allows 2^32
// messages under one key with such nonces, and no key comes near it: a
// conversation's key seals one message for each fact of that conversation, and
// the keys that wrap other keys are derived anew for each thing they wrap.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// SecretSize is the size of a Secret in bytes.
const SecretSize = 32

// ErrTampered is returned where sealed bytes do not open: they, or what they
// were bound to, were changed, or they were sealed under another key.
var ErrTampered = errors.New("seal: the sealed bytes do not open under this key and place")

// Secret is 256 random bits from which keys are derived. The zero value is no
// secret. Formatting one shows nothing of it.
type Secret struct{ b [SecretSize]byte }

// NewSecret returns a fresh secret from the system's randomness.
func NewSecret() Secret {
	var s Secret
	_, _ = rand.Read(s.b[:]) // never fails (crypto/rand, since Go 1.24)
	return s
}

// SecretFrom returns the secret that consists of b.
func SecretFrom(b []byte) (Secret, error) {
	if len(b) != SecretSize {
		return Secret{}, fmt.Errorf("seal: a secret has %d bytes, not %d", SecretSize, len(b))
	}
	return Secret{b: [SecretSize]byte(b)}, nil
}

// Bytes returns a copy of the secret, for storing it wrapped.
func (s Secret) Bytes() []byte { return s.b[:] }

// IsZero reports whether s is the zero value.
func (s Secret) IsZero() bool { return s == Secret{} }

// Format implements fmt.Formatter: no verb shows anything.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// Derive returns the secret that s yields for one purpose. The purposes are
// constants with a version, followed by a NUL and a name where there are many.
func (s Secret) Derive(purpose string) Secret {
	b, err := hkdf.Expand(sha256.New, s.b[:], purpose, SecretSize)
	if err != nil {
		panic(err) // only for more than 255 blocks of output; this is one
	}
	return Secret{b: [SecretSize]byte(b)}
}

// MAC returns the HMAC-SHA-256 of data under s itself.
func (s Secret) MAC(data []byte) []byte {
	h := hmac.New(sha256.New, s.b[:])
	h.Write(data)
	return h.Sum(nil)
}

// Wrap encrypts a short value under a key that s yields for name alone; the
// result opens with the same s and name only.
func (s Secret) Wrap(name string, value []byte) []byte {
	return gcm(s.Derive("handoff/wrap/v1\x00"+name)).Seal(nil, nil, value, []byte(name))
}

// Unwrap undoes Wrap, or returns ErrTampered.
func (s Secret) Unwrap(name string, wrapped []byte) ([]byte, error) {
	return open(gcm(s.Derive("handoff/wrap/v1\x00"+name)), wrapped, []byte(name))
}

// Key seals what belongs to one conversation. It is safe for concurrent use.
type Key struct {
	aead        cipher.AEAD
	fingerprint Secret
	packer      *Packer
}

// NewKey returns the key that a conversation's secret yields.
func NewKey(s Secret, p *Packer) *Key {
	return &Key{aead: gcm(s.Derive("handoff/seal/v1")), fingerprint: s.Derive("handoff/fingerprint/v1"), packer: p}
}

// Seal packs and encrypts plain and binds it to aad. Whoever sees the result
// learns about how well plain compresses, as its length, and nothing else of it.
func (k *Key) Seal(aad, plain []byte) ([]byte, error) {
	packed, err := k.packer.pack(plain)
	if err != nil {
		return nil, err
	}
	return k.aead.Seal(nil, nil, packed, aad), nil
}

// Open undoes Seal. It returns ErrTampered for anything that Seal did not
// return for the same key and aad.
func (k *Key) Open(aad, sealed []byte) ([]byte, error) {
	packed, err := open(k.aead, sealed, aad)
	if err != nil {
		return nil, err
	}
	return k.packer.unpack(packed)
}

// Fingerprint returns an HMAC-SHA-256 of data in hexadecimal, under a key of
// its own. It tells equal data within the conversation and, once the secret is
// destroyed, tells nobody anything.
func (k *Key) Fingerprint(data []byte) string { return hex.EncodeToString(k.fingerprint.MAC(data)) }

func gcm(s Secret) cipher.AEAD {
	block, err := aes.NewCipher(s.b[:])
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return aead
		}
	}
	panic(err) // only for a key of another size or a cipher that is not AES
}

func open(aead cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	plain, err := aead.Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}
