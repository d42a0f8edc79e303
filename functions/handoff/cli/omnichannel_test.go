package cli_test

import (
	"context"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"handoff/domain/connection"
	"handoff/domain/identity"
	"handoff/domain/publication"
	"handoff/events"
	"handoff/infra/microsoft/entra/controlplane/controlplanetest"
	"handoff/infra/microsoft/provider"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/settings"
)

// simulate starts the fake of Microsoft's cloud and says to scripts where it is.
func simulate(t *testing.T) func(*testscript.Env) {
	t.Helper()
	cloud := controlplanetest.StartCloud(t, time.Now)
	return func(env *testscript.Env) {
		env.Setenv("MICROSOFT_LOGIN", cloud.URLs.Login)
		env.Setenv("MICROSOFT_DISCOVERY", cloud.URLs.Discovery)
		env.Setenv("INSTALLER_ID", simulation.InstallerID)
	}
}

// microsoft are the addresses that a script was told.
func microsoft(env settings.Lookup) provider.Hosts {
	login, _ := env("MICROSOFT_LOGIN")
	discovery, _ := env("MICROSOFT_DISCOVERY")
	return provider.Hosts{Login: login, Discovery: discovery, Loopback: true}
}

// inOmnichannel is what becomes of a connection with these settings.
func inOmnichannel(s connection.State, p connection.Plan) connection.State {
	s.Omnichannel, s.ApplicationID = &p.Omnichannel.OmnichannelSet, "app-1"
	s.Findings = []events.Finding{{Code: "bot-name-long", Detail: "The bot's name is long."}}
	if s.Omnichannel.Path == events.PathRelay && !p.Omnichannel.AddHubRules {
		s.Findings = append(s.Findings, events.Finding{Code: "hub-rules-ignore-handoff", Detail: "The hub chooses by itself."})
	}
	if p.Omnichannel.AddHubRules {
		s.Allowed = &events.HubChangesAllowed{By: p.Notice.AcceptedBy, AddRules: true}
		s.HubRules = []events.HubRule{{Queue: "refunds", HubQueue: events.HubQueue{ID: "q-1", Name: "Refunds"}}}
		s.Messaging = &events.MessagingEndpointSet{AzureBot: p.Omnichannel.AzureBot, Is: "https://handoff.example/v1/messages/default/" + p.Name}
	}
	s.Users = []connection.User{{
		Held:           connection.Held{HubType: p.Hub.Type, Organisation: p.Hub.Organisation, ApplicationID: "app-1"},
		OrganisationID: "66666666-7777-4888-9999-000000000000", ID: "u-1", By: connection.ByHandoff, Link: "https://contoso.crm4.dynamics.com/main.aspx",
	}}
	return s
}

// check finds nothing at store-bot and everything elsewhere.
func (f *fake) check(ctx context.Context, by identity.Principal, id string) (connection.Checked, error) {
	s, err := f.connection(ctx, by, id)
	if err != nil || id == "store-bot" {
		return connection.Checked{Connection: s, Seen: []events.Finding{}}, err
	}
	s.Publication = connection.Publication{State: publication.Unpublished, Code: "inactive", Detail: "The bot is switched off."}
	return connection.Checked{Connection: s, Seen: []events.Finding{
		{Code: "queue-without-people", Detail: "The queue has no human agent. Add one.", Blocking: true}, {Code: "bot-name-long", Detail: "The bot's name is long."},
	}, HubRules: &connection.HubRules{
		Missing: []string{"refunds"}, Words: []string{"If HandoffQueue equals refunds, route to Refunds."}, Source: "<rule id=\"1\"/>",
	}}, nil
}
