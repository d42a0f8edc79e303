package provider

import (
	"net/url"
	"regexp"
	"strings"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/events"
	"handoff/infra/microsoft/botservice"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/directline"
	"handoff/infra/microsoft/entra/cloud"
	"handoff/infra/microsoft/entra/guid"
)

// Normal puts a request into the form that is stored and compared: ids that were
// pasted in braces or capitals, addresses with the page that somebody looked at,
// and regions, as far as addresses tell them. What can't be right is refused,
// with a pointer to it; the refusal does not repeat it, for people paste secrets
// into wrong fields. Nobody is asked, and what is missing is the decider's to say.
func (h Hosts) Normal(r connection.Request) (connection.Request, error) {
	if r.Omnichannel == nil {
		return r, nil
	}
	o := *r.Omnichannel
	r.Omnichannel = &o
	for _, part := range []struct {
		at     string
		value  *string
		normal func(string) (string, error)
	}{
		{"/hub/organisation", &r.Fact.Hub.Organisation, h.organisation},
		{"/hub/application_id", &r.Fact.Hub.ApplicationID, id("The application id")},
		{"/bot/id", &r.Fact.Bot.ID, id("The bot's id")},
		{"/omnichannel/bot_organisation", &o.BotOrganisation, h.organisation},
		{"/omnichannel/directory", &o.Directory, directory},
		{"/omnichannel/client_id", &o.ClientID, id("The client id")},
		{"/omnichannel/environment", &o.Environment, environment},
		{"/omnichannel/bot_schema", &o.BotSchema, schema},
		{"/omnichannel/token_endpoint", &o.TokenEndpoint, h.tokenEndpoint},
		{"/omnichannel/azure_bot", &o.AzureBot, azureBot},
		{"/omnichannel/queue", &o.Queue, idOrName},
		{"/omnichannel/workstream", &o.Workstream, id("The workstream")},
	} {
		if strings.TrimSpace(*part.value) == "" {
			*part.value = ""
			continue
		}
		normal, err := part.normal(*part.value)
		if err != nil {
			if f := fault.Of(err); f != nil {
				return r, f.At(part.at)
			}
			return r, err
		}
		*part.value = normal
	}
	if o.BotOrganisation == r.Fact.Hub.Organisation {
		o.BotOrganisation = ""
	}
	channel, err := channelName(o.Channel)
	if err != nil {
		return r, err
	}
	o.Channel = channel
	return regions(r)
}

func (h Hosts) organisation(pasted string) (string, error) {
	normal, err := dataverse.ParseOrganisation(pasted)
	if err != nil {
		return "", err
	}
	if u, err := url.Parse(normal); err != nil || cloud.Loopback(u.Hostname()) && !h.Loopback {
		return "", notHere()
	}
	return normal, nil
}

// id returns what reads an id, which errors speak of by a name.
func id(what string) func(string) (string, error) {
	return func(pasted string) (string, error) {
		id, ok := guid.Parse(pasted)
		if !ok {
			return "", fault.Newf(fault.Unprocessable, "id-invalid", "%s must be a GUID: 32 hexadecimal digits, as in 3f2504e0-4f89-41d3-9a0c-0305e82c3301.", what)
		}
		return string(id), nil
	}
}

func idOrName(pasted string) (string, error) {
	if id, ok := guid.Parse(pasted); ok {
		return string(id), nil
	}
	return strings.TrimSpace(pasted), nil
}

var (
	domainName  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
	schemaName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)
	defaultName = regexp.MustCompile(`(?i)^default-`)
)

// directory reads a tenant of Entra ID: its id or one of its domains.
func directory(pasted string) (string, error) {
	if id, ok := guid.Parse(pasted); ok {
		return string(id), nil
	}
	name := strings.ToLower(strings.Trim(strings.TrimSpace(pasted), "/."))
	if len(name) > 253 || !domainName.MatchString(name) {
		return "", fault.New(fault.Unprocessable, "entra-tenant-invalid", "The directory must be the id of a Microsoft Entra ID (Azure AD) tenant, a GUID, or one of its domains, such as contoso.onmicrosoft.com.")
	}
	return name, cloud.CheckHost(name)
}

// environment reads the id of a Power Platform environment: a GUID, or for the
// one that every tenant has, Default- and the tenant's.
func environment(pasted string) (string, error) {
	text := strings.TrimSpace(pasted)
	bare := defaultName.ReplaceAllString(text, "")
	parsed, ok := guid.Parse(bare)
	switch {
	case !ok:
		return "", fault.New(fault.Unprocessable, "environment-id-invalid", "The environment's id is a GUID, or Default- and a GUID. It stands in the address of Copilot Studio (Power Virtual Agents) after /environments/.")
	case bare != text:
		return "Default-" + string(parsed), nil
	}
	return string(parsed), nil
}

func schema(pasted string) (string, error) {
	name := strings.TrimSpace(pasted)
	if !schemaName.MatchString(name) {
		return "", fault.New(fault.Unprocessable, "bot-schema-invalid", "The bot's schema name has letters, digits and underscores, such as cr1a2_storeBot. It stands in Copilot Studio (Power Virtual Agents) under the bot's settings, advanced.")
	}
	return name, nil
}

func (h Hosts) tokenEndpoint(pasted string) (string, error) {
	hosts := h.TokenEndpoints
	if hosts == nil {
		hosts = directline.TokenHosts()
	}
	endpoint, _, err := directline.TokenEndpoint(pasted, hosts)
	return endpoint, err
}

func azureBot(pasted string) (string, error) {
	b, err := botservice.ParseBot(pasted)
	return b.String(), err
}

// channelName reads a channel by the name that Azure or people have for it.
func channelName(pasted string) (string, error) {
	switch strings.ToLower(strings.TrimSpace(pasted)) {
	case "", "teams", strings.ToLower(botservice.Teams):
		return botservice.Teams, nil
	case strings.ToLower(botservice.Omnichannel):
		return botservice.Omnichannel, nil
	}
	return "", fault.New(fault.Unprocessable, "azure-channel-unknown", "The hub reaches the bot by the channel teams or omnichannel, and by no other.").At("/omnichannel/channel")
}

// regions completes where bot and hub live by their addresses. Nobody may say
// otherwise than they do.
func regions(r connection.Request) (connection.Request, error) {
	var given events.Regions
	if r.Fact.Regions != nil {
		given = *r.Fact.Regions
	}
	bot := r.Omnichannel.BotOrganisation
	if bot == "" {
		bot = r.Fact.Hub.Organisation
	}
	for _, place := range []struct {
		at, address string
		region      *string
	}{{"/regions/bot", bot, &given.Bot}, {"/regions/hub", r.Fact.Hub.Organisation, &given.Hub}, {"/regions/log", "", &given.Log}} {
		said, shown := geography.Parse(*place.region), geographyOf(place.address)
		if said != geography.Unknown && shown != geography.Unknown && said != shown {
			return r, fault.Newf(fault.Unprocessable, "region-contradicts-address", "%s is in %s, not in %s.", place.address, shown, said).At(place.at)
		}
		switch {
		case said == geography.Unknown && *place.region != "": // it stays, to be refused
		case shown != geography.Unknown:
			*place.region = string(shown)
		case said != geography.Unknown:
			*place.region = string(said)
		}
	}
	r.Fact.Regions = &given
	return r, nil
}

func geographyOf(organisation string) geography.Geography {
	u, err := url.Parse(organisation)
	if err != nil {
		return geography.Unknown
	}
	return dataverse.GeographyOfHost(u.Hostname())
}
