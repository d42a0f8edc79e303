package seal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func packer(t testing.TB) *Packer {
	t.Helper()
	p, err := NewPacker()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Only whoever holds a key can make such bytes; even so they must do no harm.
func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	p := packer(t)
	for name, packed := range map[string][]byte{
		"nothing":               {},
		"an unknown way":        {9, 1, 2},
		"what is no zstd":       {packedZstd, 1, 2, 3},
		"more than may be":      bomb(t, true),
		"more, length not told": bomb(t, false),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if plain, err := p.unpack(packed); err == nil {
				t.Errorf("unpacked %d bytes, want an error", len(plain))
			}
		})
	}
}

// bomb returns a few kilobytes that unpack to more than MaxPlain.
func bomb(t *testing.T, sized bool) []byte {
	t.Helper()
	zeros := make([]byte, MaxPlain+1)
	if sized {
		return compressed(packer(t).encoder.EncodeAll(zeros, nil))
	}
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, errWrite := w.Write(zeros)
	if err := errors.Join(errWrite, w.Close()); err != nil {
		t.Fatal(err)
	}
	return compressed(b.Bytes())
}

func compressed(frame []byte) []byte { return append([]byte{packedZstd}, frame...) }

func FuzzUnpack(f *testing.F) {
	p := packer(f)
	for _, plain := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte("long "), 100)} {
		packed, err := p.pack(plain)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		plain, err := p.unpack(packed)
		if err != nil {
			return
		}
		again, err := p.pack(plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.unpack(again); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("packed again it unpacks differently: %v", err)
		}
	})
}
