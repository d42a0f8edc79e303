package hosts_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/hosts"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/clock"
)

func TestTheSimulationSaysWhereItIs(t *testing.T) {
	t.Parallel()
	cloud, err := simulation.New(simulation.Example(clock.Real(time.Now)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	running, err := cloud.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := running.Wait(); err != nil {
			t.Error(err)
		}
	})
	h, err := hosts.Simulated(t.Context(), http.DefaultClient, running.URLs.Control+"/")
	if err != nil {
		t.Fatal(err)
	}
	const official = "https://store.crm4.dynamics.com"
	at := running.URLs.Dataverse[simulation.StoreOrganisation]
	if !h.Simulated || h.Connecting.Login != running.URLs.Login || h.Connecting.Graph != running.URLs.Graph+"/v1.0" ||
		h.Connecting.Organisation(official) != at || h.Relaying.Organisation(official) != at || h.Relaying.DirectLineBase != running.URLs.DirectLine {
		t.Errorf("hosts = %+v", h)
	}
	if got := h.Connecting.Organisation("https://other.crm4.dynamics.com"); got != "https://other.crm4.dynamics.com" {
		t.Errorf("an organisation that is not simulated answers at %s", got)
	}
	if !strings.HasPrefix(h.Inbound.Metadata, running.URLs.Login) || h.Inbound.Issuer != botauth.Public().Issuer {
		t.Errorf("inbound = %+v", h.Inbound)
	}
}

func TestNothingElsewhereIsASimulation(t *testing.T) {
	t.Parallel()
	answers := func(body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	here := `"http://127.0.0.1:1"`
	whole := func(login string) string {
		return `{"login":` + login + `,"graph":` + here + `,"azure":` + here + `,"discovery":` + here + `,"power_platform":` + here +
			`,"direct_line":` + here + `,"connector":` + here + `,"live_chat":` + here + `,"organisations":{"https://a.crm4.dynamics.com":` + here + `}}`
	}
	for sentence, c := range map[string]struct{ control, fault string }{
		"everything is here":        {answers(whole(here)), ""},
		"the control is elsewhere":  {"https://simulation.example", "simulation-url-invalid"},
		"the control is no address": {"://", "simulation-url-invalid"},
		"a service is elsewhere":    {answers(whole(`"https://login.example"`)), "simulation-url-invalid"},
		"a service is missing":      {answers(`{}`), "simulation-url-invalid"},
		"it is something else":      {answers("hello"), "simulation-unreachable"},
		"nobody is there":           {"http://127.0.0.1:1", "simulation-unreachable"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if _, err := hosts.Simulated(t.Context(), http.DefaultClient, c.control); err == nil && c.fault != "" || err != nil && fault.CodeOf(err) != c.fault {
				t.Errorf("error = %v, want %q", err, c.fault)
			}
		})
	}
}
