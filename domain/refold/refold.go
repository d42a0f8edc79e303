// Package refold folds the facts of a stream whatever its kind, for those who
// check that the states carried in the log follow from the facts.
package refold

import (
	"time"

	"handoff/domain"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/delivery"
	"handoff/domain/reservation"
	"handoff/events"
)

// Folder is the state of one stream. It is not safe for concurrent use.
type Folder interface {
	// Restore takes a carried state; see domain.Aggregate.
	Restore(state []byte, stateVersion, version int) error
	// Fold adds a fact.
	Fold(f events.Fact)
	// CarriedState returns the state as the log carries it, and its version.
	CarriedState() ([]byte, int, error)
}

// New returns the folder of an empty stream, or nil for a kind that this version
// of Handoff does not know.
func New(k events.Kind, id events.StreamID) Folder {
	switch k {
	case events.KindConnection:
		return folder(connection.Decider, id)
	case events.KindReservation:
		return folder(reservation.Decider, id)
	case events.KindConversation:
		return folder(conversation.Decider, id)
	case events.KindDelivery:
		return folder(delivery.Decider, id)
	}
	return nil
}

func folder[S any](d domain.Decider[S], id events.StreamID) Folder {
	return d.NewAggregate(id, time.Time{})
}
