package controlplanetest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/clock"
)

// Cloud is a running fake of Microsoft's cloud, with the example's company in
// it, for a test of a client over HTTP.
type Cloud struct {
	*simulation.Running
	now func() time.Time
}

// StartCloud starts one until the end of the test; now is time.Now. A change, if
// there is any, is made to the example before.
func StartCloud(t testing.TB, now func() time.Time, change ...func(*simulation.Config)) Cloud {
	t.Helper()
	config := simulation.Example(clock.Real(now))
	for _, c := range change {
		c(&config)
	}
	made, err := simulation.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	running, err := made.Start(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := running.Wait(); err != nil {
			t.Errorf("the fake: %v", err)
		}
	})
	return Cloud{running, now}
}

// Options returns what a client of the API at base needs, signed in as the
// example's installer.
func (c Cloud) Options(t testing.TB, base, scope string) controlplane.Options {
	t.Helper()
	return c.OptionsOf(t, entra.Credentials{Tenant: simulation.TenantID, ClientID: simulation.InstallerID, Secret: simulation.InstallerSecret}, base, scope)
}

// OptionsOf is Options, signed in as somebody else.
func (c Cloud) OptionsOf(t testing.TB, who entra.Credentials, base, scope string) controlplane.Options {
	t.Helper()
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	o := controlplane.Options{HTTP: &http.Client{Transport: transport}, Now: c.now, Timeout: 10 * time.Second}
	login := o
	login.Base = c.URLs.Login
	tokens, err := entra.NewSource(login, who, scope)
	if err != nil {
		t.Fatal(err)
	}
	o.Base, o.Tokens = base, tokens
	return o
}
