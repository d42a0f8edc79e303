package e2e_test

import (
	"net/http/httptest"
	"testing"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/reservation"
	"handoff/events"
	"handoff/functions/handoff/system"
	"handoff/infra/eventlog"
)

// asleep opens the system and answers requests, but no function works until f
// has returned. It is what a program does that ends before they come to it.
func (w *world) asleep(f func(s *system.System)) {
	w.t.Helper()
	w.stop()
	s := w.opened()
	server := httptest.NewServer(s.Handler())
	w.url = server.URL
	f(s)
	server.Close()
	if err := s.Close(); err != nil {
		w.t.Error(err)
	}
	w.run()
}

// TestAReservationOfACrashedStepIsGivenBack has the program end between the
// reservation and the fact of the connection, and the connection go away, or
// take another id, before the step could be repeated.
func TestAReservationOfACrashedStepIsGivenBack(t *testing.T) {
	t.Parallel()
	w := start(t)
	p := w.plan("store-bot", w.desk.url, "thin", rules)
	p["hub"] = map[string]string{"type": "generic", "organisation": w.org, "application_id": "Shared"}
	w.asleep(func(s *system.System) {
		w.request("", p)
		stream := s.Keyring.SystemStreamID(events.KindReservation, "generic", "demo desk", "shared")
		_, err := eventlog.Execute(t.Context(), s.Ledger, reservation.Decider, eventlog.Stream{ID: stream}, eventlog.Origin{Actor: "function:connectionrequested"},
			func(reservation.State) (eh.Command, error) {
				return reservation.Reserve{To: reservation.To(stream), Fact: events.Reserved{
					HubType: "generic", Organisation: "demo desk", ApplicationID: "shared", Tenant: "default", Connection: "store-bot",
				}}, nil
			})
		if err != nil {
			t.Fatal(err)
		}
		w.hangUp("store-bot", map[string]string{})
	})
	w.settled()
	p["name"] = "another"
	w.request("", p)
	w.eventually("the id is free", func() bool { c := w.connection("another"); return c.Status == "ready" || c.Failure != nil })
	if c := w.connection("another"); c.Failure != nil {
		t.Errorf("connection = %+v, want the id given back", c.Failure)
	}
}
