package dynamolanes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Checkpoint keeps how far somebody is in the feed. It is safe for concurrent
// use.
type Checkpoint struct {
	store Store
	place Item
	now   func() time.Time
}

// reached is the body of a checkpoint's item.
type reached struct {
	Position int64 `json:"position"`
}

// NewCheckpoint returns the checkpoint of a name.
func NewCheckpoint(s Store, name string, now func() time.Time) *Checkpoint {
	return &Checkpoint{store: s, place: Item{P: "checkpoint#" + name, O: headline}, now: now}
}

// Load returns the position that was saved last, 0 at first.
func (c *Checkpoint) Load(ctx context.Context) (int64, error) {
	_, at, err := c.load(ctx)
	return at.Position, err
}

func (c *Checkpoint) load(ctx context.Context) (was Item, at reached, err error) {
	found, err := c.store.Read(ctx, c.place.P, headline, 1)
	if err != nil || len(found) == 0 {
		return c.place, at, err
	}
	if err := json.Unmarshal(found[0].Body, &at); err != nil {
		return c.place, at, fmt.Errorf("read %s: %w", c.place.P, err)
	}
	return found[0], at, nil
}

// Save keeps a position, unless a later one is kept already.
func (c *Checkpoint) Save(ctx context.Context, position int64) error {
	for {
		was, at, err := c.load(ctx)
		if err != nil || at.Position >= position {
			return err
		}
		is := was.next(time.Time{}, encode(reached{position}))
		if was.N == 0 {
			is = was.made(c.now(), time.Time{}, encode(reached{position}))
		}
		if ok, err := c.store.Swap(ctx, was, is); ok || err != nil {
			return err
		}
	}
}
