package seal

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// MaxPlain is the most that is sealed at once, and the most that sealed bytes
// are unpacked to.
const MaxPlain = 64 << 20

// ErrTooLarge is returned by Seal for more than MaxPlain.
var ErrTooLarge = fmt.Errorf("seal: more than %d MiB", MaxPlain>>20)

// The first byte of what is encrypted says how the rest is packed.
const (
	packedPlain byte = 0
	packedZstd  byte = 1 // RFC 8878
)

// worthwhile is the length below which compressing gains too little.
const worthwhile = 128

// Packer compresses before sealing, where that helps. It keeps one encoder and
// one decoder for each processor and is safe for concurrent use. It need not be
// closed.
type Packer struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewPacker returns a packer.
func NewPacker() (*Packer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make an encoder: %w", err)
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxPlain))
	if err != nil {
		return nil, fmt.Errorf("make a decoder: %w", err)
	}
	return &Packer{encoder: e, decoder: d}, nil
}

func (p *Packer) pack(plain []byte) ([]byte, error) {
	if len(plain) > MaxPlain {
		return nil, ErrTooLarge
	}
	packed := make([]byte, 1, 1+len(plain))
	if len(plain) >= worthwhile {
		packed[0] = packedZstd
		if packed = p.encoder.EncodeAll(plain, packed); len(packed) <= len(plain) {
			return packed, nil
		}
		packed[0] = packedPlain
	}
	return append(packed[:1], plain...), nil
}

func (p *Packer) unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, errors.New("seal: nothing is packed")
	}
	switch packed[0] {
	case packedPlain:
		return packed[1:], nil
	case packedZstd:
		plain, err := p.decoder.DecodeAll(packed[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("unpack: %w", err)
		}
		return plain, nil
	default:
		return nil, fmt.Errorf("seal: packed in the unknown way %d; a newer version may read it", packed[0])
	}
}
