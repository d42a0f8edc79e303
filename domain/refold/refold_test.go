package refold_test

import (
	"testing"

	"github.com/google/uuid"

	"handoff/domain/refold"
	"handoff/events"
)

func TestEveryKindIsFolded(t *testing.T) {
	t.Parallel()
	for _, k := range []events.Kind{events.KindConnection, events.KindReservation, events.KindConversation, events.KindDelivery} {
		f := refold.New(k, uuid.UUID{1})
		empty, version, err := f.CarriedState()
		if err != nil || version < 1 {
			t.Errorf("%s: state of version %d, %v", k, version, err)
		}
		if err := f.Restore(empty, version, 1); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
}

func TestAKindOfLaterVersionsIsNone(t *testing.T) {
	t.Parallel()
	if f := refold.New("relay", uuid.UUID{1}); f != nil {
		t.Errorf("folder = %v, want none", f)
	}
}
