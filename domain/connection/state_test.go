package connection_test

import (
	"slices"
	"strconv"
	"testing"

	"handoff/domain/connection"
	"handoff/events"
)

func fold(facts ...events.Fact) connection.State {
	return connection.Decider.Fold(connection.State{}, facts...)
}

func applications(s connection.State) (ids []string) {
	for _, h := range s.Held {
		ids = append(ids, h.ApplicationID)
	}
	return ids
}

// What was reserved must be given back, also if the connection was requested
// again before the disconnect was seen to.
func TestHeldApplicationsAreNotForgotten(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		facts []events.Fact
		want  []string
	}{
		"the one in use":                         {until(connection.Ready), []string{"app-1"}},
		"of an earlier attempt":                  {plus(until(connection.AppRegistered), failure("channel", "x"), requested(), registered("app-2")), []string{"app-1", "app-2"}},
		"after the disconnect":                   {until(connection.Disconnected), []string{"app-1"}},
		"of the time before the disconnect":      {plus(until(connection.Disconnected), requested(), registered("app-2")), []string{"app-1", "app-2"}},
		"the same again is held once":            {plus(until(connection.Disconnected), requested(), registered("app-1")), []string{"app-1"}},
		"one that comes again is the newest one": {plus(until(connection.Disconnected), requested(), registered("app-2"), drained(), requested(), registered("app-1")), []string{"app-2", "app-1"}},
	} {
		if got := applications(fold(c.facts...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: held = %v, want %v", sentence, got, c.want)
		}
	}
}

func TestHeldApplicationsAreFew(t *testing.T) {
	t.Parallel()
	s := fold(requested())
	for i := range 3 * connection.MaxHeld {
		before := s
		s = connection.Decider.Evolve(before, registered("app-"+strconv.Itoa(i)))
		connection.Decider.Evolve(before, registered("other"))
		if got := applications(s); len(got) > connection.MaxHeld || got[len(got)-1] != "app-"+strconv.Itoa(i) {
			t.Fatalf("held = %v after application %d", got, i)
		}
	}
}
