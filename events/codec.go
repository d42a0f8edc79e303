package events

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Fact is the clear part of a fact. Facts are pointers to structs whose JSON is
// the clear part as stored.
type Fact interface {
	// FactType returns the type's name, such as EscalationRaised.
	FactType() string
}

// Confidential is a fact that may have a private part.
type Confidential interface {
	Fact
	// Private returns the private part to be sealed or filled, a pointer to a
	// struct. It makes an empty one where there is none.
	Private() any
	// HasPrivate reports whether there is one.
	HasPrivate() bool
}

// Upcast turns the clear JSON of one version of a fact into that of the next.
type Upcast func(clear json.RawMessage) (json.RawMessage, error)

// Definition says what the codec must know of one type of fact.
type Definition struct {
	New    func() Fact
	Schema int // current version, from 1
	// Upcasts[v] lifts version v to v+1; there is one for every v in 1..Schema-1.
	Upcasts map[int]Upcast
	// PrivateSchema and PrivateUpcasts are the same for the private part, which
	// has versions of its own. Zero means 1.
	PrivateSchema  int
	PrivateUpcasts map[int]Upcast
}

// ErrUnknownFact is reported for a type that the codec does not know, or a
// version newer than it knows: the log was written by a later Handoff.
var ErrUnknownFact = errors.New("events: unknown fact")

// Codec writes and reads facts. It is safe for concurrent use.
type Codec struct {
	defs map[string]Definition
}

// NewCodec returns a codec for the given facts. It panics on a type that is
// defined twice or lacks an upcast, which no input can cause.
func NewCodec(defs ...Definition) *Codec {
	c := &Codec{defs: make(map[string]Definition, len(defs))}
	for _, d := range defs {
		name := d.New().FactType()
		if _, twice := c.defs[name]; twice {
			panic("events: " + name + " is defined twice")
		}
		d.PrivateSchema = max(d.PrivateSchema, 1)
		demand(name, d.Schema, d.Upcasts)
		demand("private part of "+name, d.PrivateSchema, d.PrivateUpcasts)
		c.defs[name] = d
	}
	return c
}

func demand(name string, schema int, ups map[int]Upcast) {
	if schema < 1 || schema > 255 {
		panic(fmt.Sprintf("events: %s has version %d, want 1 to 255", name, schema))
	}
	for v := 1; v < schema; v++ {
		if ups[v] == nil {
			panic(fmt.Sprintf("events: %s has no upcast from version %d", name, v))
		}
	}
}

// Types returns the names that the codec knows, each with its current version.
func (c *Codec) Types() map[string]int {
	m := make(map[string]int, len(c.defs))
	for name, d := range c.defs {
		m[name] = d.Schema
	}
	return m
}

// Encode returns the clear JSON of f, the bytes of its private part (nil if it
// has none) and the schema version of the clear part. The private bytes are one
// byte of version and then JSON.
func (c *Codec) Encode(f Fact) (clear, private []byte, schema int, err error) {
	d, ok := c.defs[f.FactType()]
	if !ok {
		return nil, nil, 0, fmt.Errorf("encode %s: %w", f.FactType(), ErrUnknownFact)
	}
	if clear, err = json.Marshal(f); err != nil {
		return nil, nil, 0, fmt.Errorf("encode %s: %w", f.FactType(), err)
	}
	if p, ok := f.(Confidential); ok && p.HasPrivate() {
		body, err := json.Marshal(p.Private())
		if err != nil {
			return nil, nil, 0, fmt.Errorf("encode private part of %s: %w", f.FactType(), err)
		}
		private = append([]byte{byte(d.PrivateSchema)}, body...)
	}
	return clear, private, d.Schema, nil
}

// Decode returns the fact with the given type and version, lifted to the
// current version. Its private part is left empty.
func (c *Codec) Decode(typ string, schema int, clear []byte) (Fact, error) {
	d, ok := c.defs[typ]
	if !ok || schema < 1 || schema > d.Schema {
		return nil, fmt.Errorf("decode %s version %d: %w", typ, schema, ErrUnknownFact)
	}
	lifted, err := lift(clear, schema, d.Schema, d.Upcasts)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	f := d.New()
	if err := json.Unmarshal(lifted, f); err != nil {
		return nil, fmt.Errorf("decode %s version %d: %w", typ, schema, err)
	}
	return f, nil
}

// DecodePrivate fills the private part of f from its opened bytes. It is an
// error for a fact that can have none.
func (c *Codec) DecodePrivate(f Fact, private []byte) error {
	p, ok := f.(Confidential)
	d, known := c.defs[f.FactType()]
	if !ok || !known || len(private) == 0 {
		return fmt.Errorf("decode private part of %s: %w", f.FactType(), ErrUnknownFact)
	}
	schema := int(private[0])
	if schema < 1 || schema > d.PrivateSchema {
		return fmt.Errorf("decode private part of %s version %d: %w", f.FactType(), schema, ErrUnknownFact)
	}
	lifted, err := lift(private[1:], schema, d.PrivateSchema, d.PrivateUpcasts)
	if err != nil {
		return fmt.Errorf("decode private part of %s: %w", f.FactType(), err)
	}
	if err := json.Unmarshal(lifted, p.Private()); err != nil {
		return fmt.Errorf("decode private part of %s: %w", f.FactType(), err)
	}
	return nil
}

func lift(data []byte, from, to int, ups map[int]Upcast) ([]byte, error) {
	for v := from; v < to; v++ {
		up, err := ups[v](data)
		if err != nil {
			return nil, fmt.Errorf("upcast from version %d: %w", v, err)
		}
		data = up
	}
	return data, nil
}
