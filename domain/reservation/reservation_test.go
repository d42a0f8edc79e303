package reservation_test

import (
	"strings"
	"testing"

	eh "github.com/looplab/eventhorizon"
	"pgregory.net/rapid"

	"handoff/domain/fault"
	"handoff/domain/reservation"
	"handoff/events"
	"handoff/tests/scenario"
)

func reserved(tenant, connection string) *events.Reserved {
	return &events.Reserved{HubType: "generic", Organisation: "acme", ApplicationID: "app-1", Tenant: tenant, Connection: connection}
}

func released(tenant, connection string) *events.Released {
	return &events.Released{Tenant: tenant, Connection: connection}
}

func reserve(tenant, connection string) reservation.Reserve {
	return reservation.Reserve{Fact: *reserved(tenant, connection)}
}

func release(tenant, connection string) reservation.Release {
	return reservation.Release{Fact: *released(tenant, connection)}
}

func TestReserve(t *testing.T) {
	t.Parallel()
	held := []events.Fact{reserved("t1", "store")}
	free := []events.Fact{reserved("t1", "store"), released("t1", "store")}
	scenario.Run(t, reservation.Decider, map[string]scenario.Case{
		"a free id is reserved":                {When: reserve("t1", "store"), Then: held},
		"the holder's again is success":        {Given: held, When: reserve("t1", "store"), Nothing: true},
		"another connection's is refused":      {Given: held, When: reserve("t1", "bank"), Fault: "application-id-taken"},
		"another tenant's is refused":          {Given: held, When: reserve("t2", "store"), Fault: "application-id-taken"},
		"a released id is reserved":            {Given: free, When: reserve("t2", "store"), Then: []events.Fact{reserved("t2", "store")}},
		"by the one that released it too":      {Given: free, When: reserve("t1", "store"), Then: held},
		"nobody reserves nothing":              {When: reserve("", ""), Fault: "reservation-incomplete"},
		"a tenant without a connection":        {When: reserve("t1", ""), Fault: "reservation-incomplete"},
		"a connection without a tenant":        {When: reserve("", "store"), Fault: "reservation-incomplete"},
		"the holder releases":                  {Given: held, When: release("t1", "store"), Then: []events.Fact{released("t1", "store")}},
		"the holder releases once":             {Given: free, When: release("t1", "store"), Nothing: true},
		"nobody else releases":                 {Given: held, When: release("t1", "bank"), Nothing: true},
		"nor the same name of another tenant":  {Given: held, When: release("t2", "store"), Nothing: true},
		"what nobody holds needs no release":   {When: release("t1", "store"), Nothing: true},
		"nobody does not release what is free": {When: release("", ""), Nothing: true},
	})
}

// Who holds an id is told to nobody but the holder's own tenant.
func TestTheHolderIsTenantsBusiness(t *testing.T) {
	t.Parallel()
	s := reservation.Decider.Fold(reservation.State{}, reserved("t1", "store"))
	for tenant, told := range map[string]bool{"t1": true, "t2": false} {
		_, err := reservation.Decider.Decide(s, reserve(tenant, "bank"))
		f := fault.Of(err)
		if f == nil || f.Kind != fault.Conflict || strings.Contains(err.Error(), "store") != told || strings.Contains(err.Error(), "t1") {
			t.Errorf("tenant %s is told %v; the connection's name: %t", tenant, err, told)
		}
	}
}

func TestLaws(t *testing.T) {
	t.Parallel()
	names := rapid.SampledFrom([]string{"a", "b", ""})
	scenario.Laws(t, reservation.Decider, func(t *rapid.T, _ reservation.State) eh.Command {
		tenant, connection := names.Draw(t, "tenant"), names.Draw(t, "connection")
		if rapid.Bool().Draw(t, "reserve") {
			return reserve(tenant, connection)
		}
		return release(tenant, connection)
	}, oneHolder)
}

// oneHolder says that reserved and released alternate, for the same holder.
func oneHolder(t *rapid.T, s reservation.State, facts []events.Fact) {
	var holder reservation.State
	for _, f := range facts {
		switch f := f.(type) {
		case *events.Reserved:
			if holder != (reservation.State{}) {
				t.Fatalf("reserved for %v while %v holds it", f, holder)
			}
			holder = reservation.State{Tenant: f.Tenant, Connection: f.Connection}
		case *events.Released:
			if holder != (reservation.State{Tenant: f.Tenant, Connection: f.Connection}) {
				t.Fatalf("released by %v while %v holds it", f, holder)
			}
			holder = reservation.State{}
		}
	}
	if s != holder {
		t.Fatalf("state = %v, want %v", s, holder)
	}
}

func TestCommandsAreAddressed(t *testing.T) {
	t.Parallel()
	to := reservation.To{1, 2, 3}
	for _, c := range []eh.Command{reservation.Reserve{To: to}, reservation.Release{To: to}} {
		if c.AggregateID() != [16]byte(to) || c.AggregateType() != "reservation" || c.CommandType() == "" {
			t.Errorf("%T is addressed to %s %s", c, c.AggregateType(), c.AggregateID())
		}
	}
	if _, err := reservation.Decider.Decide(reservation.State{}, stranger{}); err == nil || fault.Of(err) != nil {
		t.Errorf("a command that is unknown: %v; want an error that is no fault, for it is ours", err)
	}
}

type stranger struct{ reservation.To }

func (stranger) CommandType() eh.CommandType { return "Stranger" }
