package dynamolog

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/klauspost/compress/zstd"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Item is an item of the table as the DynamoDB client has it.
type Item = map[string]types.AttributeValue

// The attributes of an item; see the package comment.
const (
	attrStream, attrVersion                  = "s", "v"
	attrTenant, attrConnection, attrKind     = "t", "c", "k"
	attrCommit, attrTypes, attrImported      = "d", "y", "i"
	attrHashes, attrFacts, attrSealed        = "h", "f", "x"
	hashSize                             int = len(events.Hash{})
)

// Stored is a commit as it stands in the table. Its After is the head before
// it. Sealed bytes of more than eventlog.InlineLimit are in it by their sum only.
type Stored struct {
	eventlog.Commit
	// Imported marks history that was copied from another log: it is part of
	// every list, and nobody is told of it.
	Imported bool
}

// maxUnpacked is the most that an item's facts and state are unpacked to.
const maxUnpacked = 64 << 20

//nolint:gochecknoglobals // made at their first use, and the same from then on
var (
	encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderCRC(false),
			zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	})
	decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
	})
)

// NewItem returns the item of a commit, which ParseItem reads back. It fails
// with a permanent fault where the names in the commit are no text. Whether the
// item is too large for the table is for the caller to see, by Size.
func NewItem(s Stored) (Item, error) {
	e, err := encoder()
	if err != nil {
		return nil, fmt.Errorf("make an encoder: %w", err)
	}
	for _, name := range [...]string{s.Tenant, s.Connection, string(s.Kind), s.ID} {
		if !utf8.ValidString(name) {
			return nil, fault.Newf(fault.Invalid, "name-not-text", "%q is not valid UTF-8.", name)
		}
	}
	packed, sealed := pack(&s.Commit)
	item := Item{
		attrStream:  blob(s.Stream[:]),
		attrVersion: number(s.After.Version + 1),
		attrKind:    text(string(s.Kind)), attrTenant: text(s.Tenant), attrConnection: text(s.Connection), attrCommit: text(s.ID),
		attrTypes: text(typesOf(s.Facts)), attrHashes: blob(hashes(&s.Commit)), attrFacts: blob(e.EncodeAll(packed, nil)),
	}
	if len(sealed) > 0 { // there are emulators that fail on an empty value
		item[attrSealed] = blob(sealed)
	}
	if s.Imported {
		item[attrImported] = &types.AttributeValueMemberBOOL{Value: true}
	}
	return item, nil
}

// ParseItem reads an item that NewItem made. It checks that each fact is chained
// to the one before it and that sealed bytes are those that were sealed; the
// error names the fact for which that is not so.
func ParseItem(item Item) (Stored, error) {
	s, err := parse(item)
	if err != nil {
		return Stored{}, err
	}
	prev := s.After.Hash
	for i := range s.Facts {
		r := &s.Facts[i]
		if r.Hash != events.Chain(prev, r) {
			return Stored{}, fmt.Errorf("dynamolog: fact %s is not what was stored: its hash differs", r.ID())
		}
		prev = r.Hash
	}
	return s, nil
}

// parse is ParseItem without the check, for whoever looks at every fact itself.
func parse(item Item) (Stored, error) {
	s, err := parsePlain(item)
	if err != nil {
		return Stored{}, err
	}
	d, err := decoder()
	if err != nil {
		return Stored{}, fmt.Errorf("make a decoder: %w", err)
	}
	packed, err := d.DecodeAll(bytesOf(item, attrFacts), nil)
	if err == nil {
		err = unpack(&s.Commit, packed, bytesOf(item, attrSealed))
	}
	if err == nil {
		err = setHashes(&s.Commit, bytesOf(item, attrHashes))
	}
	if err != nil {
		return Stored{}, fmt.Errorf("read commit %s@%d: %w", s.Stream, s.After.Version+1, err)
	}
	return s, nil
}

// parsePlain reads the attributes that need no unpacking.
func parsePlain(item Item) (s Stored, err error) {
	version, err := strconv.Atoi(numberOf(item, attrVersion))
	if stream := bytesOf(item, attrStream); err != nil || version < 1 || copy(s.Stream[:], stream) != len(stream) || len(stream) != len(s.Stream) {
		return Stored{}, fmt.Errorf("dynamolog: item %x %s is no commit", bytesOf(item, attrStream), numberOf(item, attrVersion))
	}
	s.After.Version = version - 1
	s.Tenant, s.Connection, s.Kind = textOf(item, attrTenant), textOf(item, attrConnection), events.Kind(textOf(item, attrKind))
	s.ID = textOf(item, attrCommit)
	_, s.Imported = item[attrImported]
	return s, nil
}

// hashes returns the hash before a commit, but for the first of a stream, and
// those of its facts.
func hashes(c *eventlog.Commit) []byte {
	b := make([]byte, 0, (1+len(c.Facts))*hashSize)
	if c.After.Version > 0 {
		b = append(b, c.After.Hash[:]...)
	}
	for i := range c.Facts {
		b = append(b, c.Facts[i].Hash[:]...)
	}
	return b
}

func setHashes(c *eventlog.Commit, b []byte) error {
	if c.After.Version > 0 && len(b) >= hashSize {
		b = b[copy(c.After.Hash[:], b):]
	}
	if len(b) != len(c.Facts)*hashSize {
		return fmt.Errorf("dynamolog: %d bytes of hashes for %d facts", len(b), len(c.Facts))
	}
	for i := range c.Facts {
		b = b[copy(c.Facts[i].Hash[:], b):]
	}
	return nil
}

// typesOf lists the types of facts for people; what counts is among the facts.
func typesOf(facts []events.Record) string {
	names := make([]string, 0, len(facts))
	for i := range facts {
		names = append(names, facts[i].Type)
	}
	return strings.ToValidUTF8(strings.Join(names, " "), "�")
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func blob(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

func number(n int) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.Itoa(n)}
}

func textOf(item Item, name string) string {
	if a, ok := item[name].(*types.AttributeValueMemberS); ok {
		return a.Value
	}
	return ""
}

func numberOf(item Item, name string) string {
	if a, ok := item[name].(*types.AttributeValueMemberN); ok {
		return a.Value
	}
	return ""
}

func bytesOf(item Item, name string) []byte {
	if a, ok := item[name].(*types.AttributeValueMemberB); ok {
		return a.Value
	}
	return nil
}
