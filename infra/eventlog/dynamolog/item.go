package dynamolog

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Item is an item of the table as the DynamoDB client has it.
type Item = map[string]types.AttributeValue

// The attributes of an item; see the package comment.
const (
	attrStream     = "s"
	attrVersion    = "v"
	attrKind       = "k"
	attrTenant     = "t"
	attrConnection = "c"
	attrCommit     = "d"
	attrTypes      = "y"
	attrHashes     = "h"
	attrFacts      = "f"
	attrSealed     = "x"
	attrImported   = "i"
)

// Stored is a commit as it stands in the table. Its After is the head before
// it. Sealed bytes of more than eventlog.InlineLimit are in it by their sum only.
type Stored struct {
	eventlog.Commit
	// Imported marks history that was copied from another log: it is part of
	// every list, and nobody is told of it.
	Imported bool
}

// NewItem returns the item of a commit that passes its Check. ParseItem reads it
// back. It fails with a permanent fault where a name in the commit is no text or
// the item is larger than the table takes.
func NewItem(s Stored) (Item, error) {
	for _, name := range [...]string{s.Tenant, s.Connection, string(s.Kind), s.ID} {
		if !utf8.ValidString(name) {
			return nil, fault.Newf(fault.Invalid, "name-not-text", "%q is not valid UTF-8.", name)
		}
	}
	packed, sealed := pack(&s.Commit)
	facts, err := deflate(packed)
	if err != nil {
		return nil, err
	}
	item := Item{
		attrStream: blob(s.Stream[:]), attrVersion: number(s.After.Version + 1),
		attrKind: text(string(s.Kind)), attrTenant: text(s.Tenant), attrConnection: text(s.Connection), attrCommit: text(s.ID),
		attrTypes: text(typesOf(s.Facts)), attrHashes: blob(hashes(&s.Commit)), attrFacts: blob(facts),
	}
	if len(sealed) > 0 { // there are engines that fail on an empty value
		item[attrSealed] = blob(sealed)
	}
	if s.Imported {
		item[attrImported] = &types.AttributeValueMemberBOOL{Value: true}
	}
	if n := Size(item); n > MaxItem {
		return nil, fault.Newf(fault.TooLarge, codeTooLarge, "What is to be recorded at once takes %d bytes, compressed; %d are possible.", n, MaxItem)
	}
	return item, nil
}

// codeTooLarge is the code of the fault for a commit that no item can hold.
const codeTooLarge = "commit-too-large"

// ParseItem reads an item that NewItem made. It checks that each fact is chained
// to the one before it and that sealed bytes are those that were sealed; the
// error names the fact for which that is not so. What it returns shares no
// memory with the item but for sealed bytes.
func ParseItem(item Item) (Stored, error) {
	s, err := parse(item)
	if err != nil {
		return Stored{}, err
	}
	prev := s.After.Hash
	for i := range s.Facts {
		r := &s.Facts[i]
		if r.Hash != events.Chain(prev, r) {
			return Stored{}, fmt.Errorf("dynamolog: fact %s is not what was stored: it does not have its hash", r.ID())
		}
		prev = r.Hash
	}
	return s, nil
}

// parse is ParseItem without the check, for whoever checks every fact himself.
func parse(item Item) (s Stored, err error) {
	version, err := strconv.Atoi(numberOf(item, attrVersion))
	stream := bytesOf(item, attrStream)
	if err != nil || version < 1 || len(stream) != len(s.Stream) {
		return Stored{}, fmt.Errorf("dynamolog: the item at %x, %q is no commit", stream, numberOf(item, attrVersion))
	}
	copy(s.Stream[:], stream)
	s.After.Version = version - 1
	s.Tenant, s.Connection, s.Kind = textOf(item, attrTenant), textOf(item, attrConnection), events.Kind(textOf(item, attrKind))
	s.ID = textOf(item, attrCommit)
	_, s.Imported = item[attrImported]
	packed, err := inflate(bytesOf(item, attrFacts))
	if err == nil {
		err = unpack(&s.Commit, packed, bytesOf(item, attrSealed))
	}
	if err == nil {
		err = setHashes(&s.Commit, bytesOf(item, attrHashes))
	}
	if err != nil {
		return Stored{}, fmt.Errorf("read commit %s@%d: %w", s.Stream, version, err)
	}
	return s, nil
}

// hashes returns the hash before a commit, unless it is the first of its stream,
// and those of its facts.
func hashes(c *eventlog.Commit) []byte {
	var b []byte
	if c.After.Version > 0 {
		b = append(b, c.After.Hash[:]...)
	}
	for i := range c.Facts {
		b = append(b, c.Facts[i].Hash[:]...)
	}
	return b
}

func setHashes(c *eventlog.Commit, b []byte) error {
	if c.After.Version > 0 {
		b = b[copy(c.After.Hash[:], b):]
	}
	for i := range c.Facts {
		b = b[copy(c.Facts[i].Hash[:], b):]
	}
	if len(b) > 0 { // too few leave a hash that is none
		return errPacked
	}
	return nil
}

// typesOf lists the types of facts for people; those that count are packed.
func typesOf(facts []events.Record) string {
	names := make([]string, len(facts))
	for i := range facts {
		names[i] = facts[i].Type
	}
	return strings.ToValidUTF8(strings.Join(names, " "), "�")
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func blob(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
func number(n int) types.AttributeValue  { return &types.AttributeValueMemberN{Value: strconv.Itoa(n)} }

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
