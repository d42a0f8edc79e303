package connection

import (
	"fmt"
	"slices"
	"strings"

	"handoff/domain/fault"
	"handoff/domain/geography"
	"handoff/events"
)

// Omnichannel is the type of hub that OmnichannelSet belongs to. The vendor's
// ids and addresses are put into normal form, and refused where they can't be
// right, before a request is decided; here is decided what they must amount to.
const Omnichannel = "omnichannel"

// opening returns the facts with which a connection is requested.
func opening(c Request) []events.Fact {
	facts := []events.Fact{&c.Fact}
	if c.Omnichannel == nil {
		return facts
	}
	facts = append(facts, c.Omnichannel)
	if r := *c.Fact.Regions; !sameGeography(r) {
		facts = append(facts, &events.RegionsOverridden{Regions: r, By: c.Override.By, Why: c.Override.Why})
	}
	return facts
}

func same(a, b *events.OmnichannelSet) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func checkHub(c Request) error {
	o := c.Omnichannel
	if c.Fact.Hub.Type != Omnichannel {
		if o != nil || c.Override != nil {
			return fault.Newf(fault.Unprocessable, "hub-settings-unexpected",
				"Only a hub of type %s has these settings; this one is of type %q.", Omnichannel, c.Fact.Hub.Type).At("/omnichannel")
		}
		return nil
	}
	if o == nil {
		return fault.New(fault.Unprocessable, "omnichannel-incomplete",
			"A hub of type omnichannel needs the settings under omnichannel: path, routing, directory and client_id at least.").At("/omnichannel")
	}
	if err := checkOmnichannel(c.Fact, o); err != nil {
		return err
	}
	return checkRegions(c.Fact.Regions, c.Override)
}

func checkOmnichannel(f events.ConnectionRequested, o *events.OmnichannelSet) error {
	for _, text := range [...]struct{ name, value string }{
		{"directory", o.Directory},
		{"client_id", o.ClientID},
		{"environment", o.Environment},
		{"bot_organisation", o.BotOrganisation},
		{"bot_schema", o.BotSchema},
		{"channel", o.Channel},
		{"queue", o.Queue},
		{"workstream", o.Workstream},
	} {
		if len(text.value) > MaxText {
			return tooLong("/omnichannel/"+text.name, MaxText)
		}
	}
	missing := func(name, why string) error {
		return fault.New(fault.Unprocessable, "omnichannel-incomplete", why).At("/omnichannel/" + name)
	}
	switch {
	case len(o.TokenEndpoint) > MaxURL:
		return tooLong("/omnichannel/token_endpoint", MaxURL)
	case len(o.AzureBot) > MaxURL:
		return tooLong("/omnichannel/azure_bot", MaxURL)
	case o.Path != events.PathRelay && o.Path != events.PathAdvise:
		return missing("path", "Say which path conversations take: relay, where Handoff stands between the hub and the bot, or advise, where the bot's own connection to the hub stays.")
	case o.Routing != events.RoutingHandoff && o.Routing != events.RoutingHub:
		return missing("routing", "Say who chooses the queue: handoff, or hub where Handoff's rules only predict.")
	case o.Directory == "":
		return missing("directory", "Name the tenant of Microsoft Entra ID (Azure AD) in which the application of client_id is registered: its id or one of its domains.")
	case o.ClientID == "":
		return missing("client_id", "Give the Application (client) ID by which Handoff calls Microsoft's APIs.")
	case o.Path == events.PathRelay && o.Queue == "":
		return missing("queue", "Name the messaging queue of the hub, or its id, in which the bot stands beside the human agents who take over from it.")
	case o.Path == events.PathAdvise && f.Hub.ApplicationID == "":
		return fault.New(fault.Unprocessable, "omnichannel-incomplete",
			"Give the application id of the bot's own connection to the hub. It stands in Copilot Studio (Power Virtual Agents) where the bot's agent transfers are set up.").At("/hub/application_id")
	case f.Bot.ID == "" && o.BotSchema == "":
		return missing("bot_schema", "Say which bot: its id (bot.id) or its schema name (omnichannel.bot_schema).")
	}
	return nil
}

// checkRegions refuses a connection over the borders of geographies, unless
// somebody answers for it.
func checkRegions(r *events.Regions, o *events.RegionsOverridden) error {
	if r == nil {
		r = new(events.Regions)
	}
	for _, place := range [...]struct{ name, value, what string }{
		{"bot", r.Bot, "the bot lives"}, {"hub", r.Hub, "the hub lives"}, {"log", r.Log, "Handoff keeps its log"},
	} {
		if g := geography.Parse(place.value); g == geography.Unknown || string(g) != place.value {
			return fault.Newf(fault.Unprocessable, "region-unknown", "It is not known in which geography %s. Say it under regions.%s: one of %s.",
				place.what, place.name, strings.Join(geographies(), ", ")).At("/regions/" + place.name)
		}
	}
	switch {
	case sameGeography(*r):
		return nil
	case o == nil:
		return fault.Newf(fault.Unprocessable, "regions-differ",
			"The bot is in %s, the hub in %s and Handoff's log in %s: what customers say would leave a geography, and voice fails between them. "+
				"Connect what is in one geography, or say who answers for it and why (regions_override: {by, why}).", r.Bot, r.Hub, r.Log).At("/regions")
	case o.By == "" || o.Why == "":
		return fault.New(fault.Unprocessable, "regions-override-incomplete", "Say who answers for it that data leaves a geography (by), and why (why).").At("/regions_override")
	case len(o.By) > MaxText:
		return tooLong("/regions_override/by", MaxText)
	case len(o.Why) > MaxURL:
		return tooLong("/regions_override/why", MaxURL)
	}
	return nil
}

func sameGeography(r events.Regions) bool {
	return geography.Same(geography.Geography(r.Bot), geography.Geography(r.Hub), geography.Geography(r.Log))
}

func geographies() []string {
	var names []string
	for g := range slices.Values(geography.All()) {
		names = append(names, fmt.Sprint(g))
	}
	return names
}
