package auditreplay

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// headPrefix names the way in which heads are computed.
const headPrefix = "hh1-"

// leaf is one stream in a head.
type leaf [sha256.Size + 16]byte

func appendLeaf(leaves []leaf, id events.StreamID, at eventlog.Head) []leaf {
	if at.Version == 0 {
		return leaves
	}
	var l leaf
	copy(l[:], id[:])
	h := sha256.New()
	h.Write(id[:])
	_ = binary.Write(h, binary.BigEndian, int64(at.Version))
	h.Write(at.Hash[:])
	h.Sum(l[16:16])
	return append(leaves, l)
}

// combine returns one hash over all streams, whatever order they came in.
func combine(leaves []leaf) events.Hash {
	slices.SortFunc(leaves, func(a, b leaf) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	h.Write([]byte("handoff/head/v1\x00"))
	for i := range leaves {
		h.Write(leaves[i][:])
	}
	return events.Hash(h.Sum(nil))
}

// head is one hash over all streams at a position.
type head struct {
	position int64
	hash     events.Hash
}

func (h head) given() bool { return !h.hash.IsZero() }

// String returns the text by which people keep a head.
func (h head) String() string {
	return headPrefix + strconv.FormatInt(h.position, 10) + "-" + h.hash.String()
}

func parseHead(s string) (head, error) {
	if s == "" {
		return head{position: -1}, nil
	}
	position, sum, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(s), headPrefix), "-")
	n, err := strconv.ParseInt(position, 10, 64)
	b, err2 := hex.DecodeString(sum)
	if !ok || !strings.HasPrefix(strings.TrimSpace(s), headPrefix) || err != nil || err2 != nil || n < 0 || len(b) != sha256.Size {
		return head{}, fault.Newf(fault.Unprocessable, "head-invalid", "%q is no head. A head looks like %s<position>-<64 hexadecimal digits>.", s, headPrefix)
	}
	return head{n, events.Hash(b)}, nil
}
