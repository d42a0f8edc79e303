package auditreplay

import (
	"context"
	"errors"
	"fmt"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Places is what a Walker has too whose facts carry no position because their
// order is kept apart from them.
type Places interface {
	// VersionsAt returns the version at which each stream stood when the feed
	// was at a position. Streams that were empty are left out.
	VersionsAt(ctx context.Context, position int64) (map[events.StreamID]int, error)
}

// cut says which facts a head is about: those up to a position.
type cut struct {
	position int64
	versions map[events.StreamID]int // nil: facts carry positions
}

func (c cut) has(s eventlog.Step) bool {
	if c.versions != nil {
		return s.Version <= c.versions[s.Stream]
	}
	return s.Position <= c.position
}

// cutAt returns the cut at a position of the log; a negative one has nothing.
func (h *Handler) cutAt(ctx context.Context, position int64) (cut, error) {
	places, apart := h.Walker.(Places)
	if !apart || position < 0 {
		return cut{position: position}, nil
	}
	versions, err := places.VersionsAt(ctx, position)
	if err != nil {
		return cut{}, fmt.Errorf("find what the log held at position %d: %w", position, err)
	}
	if versions == nil {
		versions = make(map[events.StreamID]int)
	}
	return cut{position: position, versions: versions}, nil
}

// tooLong tells whoever waits for an answer that it takes more time than there
// is for one, as behind a gateway.
func tooLong(ctx context.Context, err error, code, detail string) error {
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return fault.New(fault.Unavailable, code, detail).Because(err)
}
