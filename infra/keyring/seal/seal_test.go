package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"handoff/infra/keyring/seal"
)

func newKey(t testing.TB) *seal.Key {
	t.Helper()
	p, err := seal.NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	return seal.NewKey(seal.NewSecret(), p)
}

// fixed returns a secret that is the same in every run.
func fixed(t testing.TB, seed byte) seal.Secret {
	t.Helper()
	s, err := seal.SecretFrom(bytes.Repeat([]byte{seed}, seal.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for name, plain := range map[string]string{
		"nothing":                   "",
		"a short text":              "hello",
		"a text that compresses":    strings.Repeat("my parcel is lost ", 1000),
		"bytes that do not":         string(seal.NewSecret().Bytes()) + string(noise(4096)),
		"just long enough to try":   strings.Repeat("a", 128),
		"one less than long enough": strings.Repeat("a", 127),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealed, err := k.Seal([]byte("place"), []byte(plain))
			if err != nil {
				t.Fatal(err)
			}
			if len(sealed) > len(plain)+29 {
				t.Errorf("sealed has %d bytes, want at most %d more than %d", len(sealed), 29, len(plain))
			}
			got, err := k.Open([]byte("place"), sealed)
			if err != nil || string(got) != plain {
				t.Errorf("Open = %q, %v, want what was sealed", got, err)
			}
		})
	}
}

func noise(n int) []byte {
	var b []byte
	for len(b) < n {
		b = append(b, seal.NewSecret().Bytes()...)
	}
	return b
}

func TestSealCompresses(t *testing.T) {
	t.Parallel()
	plain := []byte(strings.Repeat(`{"from":"customer","text":"where is my parcel"},`, 400))
	sealed, err := newKey(t).Seal(nil, plain)
	if err != nil || len(sealed) > len(plain)/4 {
		t.Errorf("sealed has %d bytes of %d, %v, want less than a quarter", len(sealed), len(plain), err)
	}
}

func TestSealRefusesTooMuch(t *testing.T) {
	t.Parallel()
	if _, err := newKey(t).Seal(nil, make([]byte, seal.MaxPlain+1)); !errors.Is(err, seal.ErrTooLarge) {
		t.Errorf("error = %v, want ErrTooLarge", err)
	}
}

func TestSealingTwiceDiffers(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	a, errA := k.Seal(nil, []byte("same"))
	b, errB := k.Seal(nil, []byte("same"))
	if errA != nil || errB != nil || bytes.Equal(a, b) {
		t.Errorf("two sealings are equal or failed: %v, %v", errA, errB)
	}
}

func TestOpenRefusesWhatWasChanged(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	sealed, err := k.Seal([]byte("place"), []byte("what the customer said"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := k.Open([]byte("place"), changed); !errors.Is(err, seal.ErrTampered) {
			t.Fatalf("byte %d changed: error = %v, want ErrTampered", i, err)
		}
	}
	for name, open := range map[string]func() ([]byte, error){
		"at another place":  func() ([]byte, error) { return k.Open([]byte("elsewhere"), sealed) },
		"under another key": func() ([]byte, error) { return newKey(t).Open([]byte("place"), sealed) },
		"cut short":         func() ([]byte, error) { return k.Open([]byte("place"), sealed[:len(sealed)-1]) },
		"empty":             func() ([]byte, error) { return k.Open([]byte("place"), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := open(); !errors.Is(err, seal.ErrTampered) {
				t.Errorf("error = %v, want ErrTampered", err)
			}
		})
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	s := seal.NewSecret()
	wrapped := s.Wrap("a", []byte("value"))
	if got, err := s.Unwrap("a", wrapped); err != nil || string(got) != "value" {
		t.Errorf("Unwrap = %q, %v", got, err)
	}
	if _, err := s.Unwrap("b", wrapped); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("under another name: error = %v, want ErrTampered", err)
	}
	if _, err := seal.NewSecret().Unwrap("a", wrapped); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("under another secret: error = %v, want ErrTampered", err)
	}
}

// These values stand in logs, so they must never change.
func TestDerivedNamesAreFrozen(t *testing.T) {
	t.Parallel()
	p, err := seal.NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	n := seal.NewNamer(fixed(t, 7))
	for what, c := range map[string]struct{ got, want string }{
		"a stream":      {n.Stream("conversation", "store-bot", "Kx81c").String(), "38ba08a6-04b2-867d-aabf-a741abe44b96"},
		"a ref":         {n.Ref("customer-email", "r.bakker@example.com"), "740a54825dc96a368a9b9ba6918f78c9"},
		"a fingerprint": {seal.NewKey(fixed(t, 9), p).Fingerprint([]byte("body")), "b39a8b50a5350988304cc5e9f31a1f57729ce9a908812eea3ab64b1e2d2e8feb"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %s, want %s", what, c.got, c.want)
		}
	}
}

// What was sealed once must open for ever.
func TestSealedFormIsFrozen(t *testing.T) {
	t.Parallel()
	p, err := seal.NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	k := seal.NewKey(fixed(t, 9), p)
	for what, c := range map[string]struct {
		sealed, want string
		open         func([]byte) ([]byte, error)
	}{
		"a short text": {
			"935a6f8bc8a0a3b50b967df588fd5f119c735ba1f6edfb83bf421f13112e84e3b91dd412ef696205f311",
			"what was said", func(b []byte) ([]byte, error) { return k.Open([]byte("place"), b) },
		},
		"a text that was compressed": {
			"fc82da1b355050de6ecbb8c3cfbc77c0fbe6142e66bbd91d7137905545c0a8c15db8b66ca6b0348513c2592d3930f813a82d438a18886e5e16d5dd9707ec",
			strings.Repeat("what was said ", 20), func(b []byte) ([]byte, error) { return k.Open([]byte("place"), b) },
		},
		"a wrapped value": {
			"d2051410e6d70d6bc62a82b6aeb083c45ef6db7b7dce025ce035573eaa7eac1fd2",
			"value", func(b []byte) ([]byte, error) { return fixed(t, 9).Unwrap("name", b) },
		},
	} {
		b, err := hex.DecodeString(c.sealed)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.open(b); err != nil || string(got) != c.want {
			t.Errorf("%s = %q, %v, want %q", what, got, err, c.want)
		}
	}
}

func TestStreamIsUUIDv8(t *testing.T) {
	t.Parallel()
	n := seal.NewNamer(seal.NewSecret())
	for i := range 200 {
		id := n.Stream("conversation", fmt.Sprint(i))
		if id.Version() != 8 || id.Variant().String() != "RFC4122" {
			t.Fatalf("%s is version %d, variant %s", id, id.Version(), id.Variant())
		}
	}
}

func TestNamesDiffer(t *testing.T) {
	t.Parallel()
	n, other := seal.NewNamer(fixed(t, 1)), seal.NewNamer(fixed(t, 2))
	names := map[string]string{
		"ab, c":               n.Stream("k", "ab", "c").String(),
		"a, bc":               n.Stream("k", "a", "bc").String(),
		"abc":                 n.Stream("k", "abc").String(),
		"ab, c, nothing":      n.Stream("k", "ab", "c", "").String(),
		"kind in the parts":   n.Stream("", "k", "ab", "c").String(),
		"of another kind":     n.Stream("l", "ab", "c").String(),
		"under other secret":  other.Stream("k", "ab", "c").String(),
		"ref":                 n.Ref("email", "a"),
		"ref, other label":    n.Ref("phone", "a"),
		"ref, other value":    n.Ref("email", "b"),
		"ref, other secret":   other.Ref("email", "a"),
		"ref, label in value": n.Ref("", "emaila"),
	}
	seen := map[string]string{}
	for what, name := range names {
		if before, ok := seen[name]; ok {
			t.Errorf("%q and %q have the same name %s", what, before, name)
		}
		seen[name] = what
	}
}

func TestSecretIsNotFormatted(t *testing.T) {
	t.Parallel()
	s := fixed(t, 0xab)
	if got, want := fmt.Sprintf("%v %+v %x %s %d", s, s, s, s, s), strings.TrimSpace(strings.Repeat("[secret] ", 5)); got != want {
		t.Errorf("formatted = %q, want %q", got, want)
	}
	if got := fmt.Sprintf("%#v", s); got != "[secret]" {
		t.Errorf("formatted = %q", got)
	}
	if s.IsZero() || !(seal.Secret{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	if _, err := seal.SecretFrom([]byte("short")); err == nil {
		t.Error("a short secret was taken")
	}
}

func FuzzOpen(f *testing.F) {
	k := newKey(f)
	sealed, err := k.Seal([]byte("aad"), []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("aad"), sealed[:len(sealed)-1])
	f.Add([]byte("dad"), sealed)
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, aad, arbitrary []byte) {
		if bytes.Equal(aad, []byte("aad")) && bytes.Equal(arbitrary, sealed) {
			return
		}
		if _, err := k.Open(aad, arbitrary); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("error = %v, want ErrTampered", err)
		}
	})
}
