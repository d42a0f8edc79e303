package provider

import (
	"context"
	"fmt"
	"net/url"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/directline"
	"handoff/infra/microsoft/entra/cloud"
)

// free reports whether an Azure Bot's endpoint may be set without asking
// anybody: it has none, or one that Handoff set before. An address that merely
// looks like one of Handoff's may be of another installation.
func free(c connection.State, endpoint string) bool {
	ours := c.Messaging != nil && c.Messaging.AzureBot == c.Omnichannel.AzureBot && c.Messaging.Is == endpoint
	return endpoint == "" || ours || c.Allows(func(a events.HubChangesAllowed) bool { return a.TakeOverEndpoint })
}

// EnsureEndpoint has the connection's Azure Bot post to Handoff, and says where
// it posted before. One that posts elsewhere is turned round only if somebody
// allowed that. It returns nil where no Azure Bot posts to Handoff.
func (p *Provider) EnsureEndpoint(ctx context.Context, c connection.State) (*events.MessagingEndpointSet, error) {
	if p.o.Messages == nil || c.Omnichannel == nil || c.Omnichannel.Path != events.PathRelay || c.Omnichannel.AzureBot == "" {
		return nil, nil
	}
	client, bot, err := p.azure(ctx, c)
	if err != nil {
		return nil, err
	}
	now, err := client.Get(ctx, bot)
	if err != nil {
		return nil, err
	}
	f := &events.MessagingEndpointSet{AzureBot: c.Omnichannel.AzureBot, Was: now.Endpoint, Is: p.o.Messages(c.Tenant, c.ID)}
	if f.Was == f.Is {
		return f, nil
	}
	if !free(c, f.Was) {
		return nil, fault.New(fault.Conflict, "azure-bot-endpoint-differs", elsewhere(f.Was, f.Is))
	}
	_, err = client.SetEndpoint(ctx, bot, f.Is)
	return f, err
}

func elsewhere(was, is string) string {
	if was == "" {
		was = "nowhere"
	}
	return fmt.Sprintf("The Azure Bot posts to %s, not to Handoff. If nothing else needs that, let Handoff take it over: connect with omnichannel.take_over_endpoint: true. "+
		"Or set its messaging endpoint to %s yourself (Configuration, in the Azure portal).", was, is)
}

// endpoint looks where an Azure Bot posts messages. While the connection is being
// set up, what is free is not worth a word: it is set soon.
func (l *look) endpoint(b botservice.Properties) {
	if l.o.Messages == nil {
		return
	}
	want := l.o.Messages(l.c.Tenant, l.c.ID)
	if b.Endpoint != want && (l.c.Status == connection.Ready || !free(l.c, b.Endpoint)) {
		l.find("azure-bot-endpoint-differs", true, elsewhere(b.Endpoint, want))
	}
	if u, err := url.Parse(want); err != nil || u.Scheme != "https" || cloud.Loopback(u.Hostname()) {
		l.find("public-url-unreachable", l.o.Hosts.Azure == botservice.Base, "Azure posts messages to https addresses that can be reached from outside, and this server calls itself "+want+
			". Set HANDOFF_PUBLIC_URL to such an address, and connect again.")
	}
}

// reach looks whether the bot can be talked to.
func (l *look) reach(ctx context.Context) error {
	o := l.c.Omnichannel
	if o.Path != events.PathRelay {
		return nil
	}
	secret, err := l.o.Secrets.Secret(ctx, l.c.Tenant, connection.SecretName(l.c.ID, connection.SecretDirectLine))
	if err != nil && !fault.Is(err, "secret-not-found") {
		return err
	}
	if o.TokenEndpoint == "" && len(secret) == 0 {
		return fault.New(fault.Unprocessable, "token-endpoint-missing",
			"Nobody knows how to reach the bot. Give its token endpoint (omnichannel.token_endpoint), which Copilot Studio (Power Virtual Agents) shows under channels, mobile app; or, where its web channel security is on, its secret (direct_line_secret_file).")
	}
	err = l.bots.Reach(ctx, directline.Bot{TokenEndpoint: o.TokenEndpoint, Secret: string(secret), Base: l.o.Hosts.DirectLineBase})
	if f := fault.Of(err); f != nil && f.Kind.Permanent() && f.Code != "token-endpoint-invalid" {
		return fault.Newf(fault.Unprocessable, "bot-not-reachable", "The bot gives no token for a conversation: %s If its web channel security is on, give its secret (direct_line_secret_file).", f.Detail).Because(err)
	}
	return err
}
