package simulation

import (
	"time"

	"handoff/infra/microsoft/simulation/azure"
	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/virtualbot"
	"handoff/infra/microsoft/simulation/wire"
)

// What the example cloud is made of. Secrets of a fake are none.
const (
	TenantID     = "7e000000-0000-4000-8000-000000000001"
	TenantDomain = "delftstore.onmicrosoft.com"

	// InstallerID is the application that sets connections up: Graph's
	// Application.ReadWrite.OwnedBy, contributor of the Azure Bot, system
	// administrator of the Dataverse organisations.
	InstallerID     = "a0000000-0000-4000-8000-000000000001"
	InstallerSecret = "installer~secret~of~the~example~000000001"
	// RelayID is the application that the Azure Bot runs as.
	RelayID     = "a0000000-0000-4000-8000-000000000002"
	RelaySecret = "relay~secret~of~the~example~0000000000002"
	// BystanderID is an application that may do nothing.
	BystanderID     = "a0000000-0000-4000-8000-000000000003"
	BystanderSecret = "bystander~secret~of~the~example~000000003"

	// NativeID is the application of the bot's native connection, where
	// ConnectedNatively has made it.
	NativeID     = "a0000000-0000-4000-8000-000000000004"
	NativeSecret = "native~secret~of~the~example~00000000004"

	// The Azure Bot whose messages Handoff gets.
	SubscriptionID = "50000000-0000-4000-8000-000000000001"
	ResourceGroup  = "store"
	BotName        = "store-relay"

	// The organisations: the shop's, one in America, one that is disabled.
	StoreOrganisation    = "0c000000-0000-4000-8000-000000000001"
	AmericanOrganisation = "0c000000-0000-4000-8000-000000000002"
	ClosedOrganisation   = "0c000000-0000-4000-8000-000000000003"

	// The queues of the shop's organisation.
	DefaultQueue = "0e000000-0000-4000-8000-000000000001"
	RefundsQueue = "0e000000-0000-4000-8000-000000000002"
	GeneralQueue = "0e000000-0000-4000-8000-000000000003"
	BotQueue     = "0e000000-0000-4000-8000-000000000004"
	TestQueue    = "0e000000-0000-4000-8000-000000000005"
	// Its workstream for chats, and the widget on its site.
	Workstream  = "01000000-0000-4000-8000-000000000001"
	Widget      = "01000000-0000-4000-8000-000000000002"
	WidgetAppID = "01000000-0000-4000-8000-000000000003"
	// Its people: Ana has refunds, Ben everything else.
	Ana = "05000000-0000-4000-8000-000000000001"
	Ben = "05000000-0000-4000-8000-000000000002"
	// RelayUser is the relay's application user, where Connected has made it.
	RelayUser = "05000000-0000-4000-8000-0000000000b0"
	// NativeUser is the bot's own, where ConnectedNatively has made it.
	NativeUser = "05000000-0000-4000-8000-0000000000b1"
	// The security roles of every organisation.
	AdministratorRole            = "06000000-0000-4000-8000-000000000001"
	OmnichannelAdministratorRole = "06000000-0000-4000-8000-000000000002"
	OmnichannelAgentRole         = "06000000-0000-4000-8000-000000000003"
	// The Power Virtual Agents bot.
	StoreBot       = "b0000000-0000-4000-8000-000000000001"
	StoreBotSchema = "cr1_storeBot"
	StoreBotSecret = "direct~line~secret~of~the~store~bot~00001" //nolint:gosec // of a fake
)

// Example returns a cloud with one company in it, a shop in Delft, ready for a
// connection to be made.
func Example(c clock.Clock) Config {
	return Config{
		Clock: c,
		Tenants: []tenants.Tenant{
			{ID: TenantID, Domain: TenantDomain, Applications: []tenants.Application{
				{ID: InstallerID, Name: "Handoff installer", Secret: InstallerSecret, Permissions: []string{tenants.ReadWriteOwned}},
				{ID: RelayID, Name: "Store bot relay", Secret: RelaySecret},
				{ID: BystanderID, Name: "Bystander", Secret: BystanderSecret},
			}},
		},
		Bots: []azure.Bot{{
			Subscription: SubscriptionID, ResourceGroup: ResourceGroup, Name: BotName, Tenant: TenantID, DisplayName: "Store bot relay",
			ApplicationID: RelayID, Channels: []string{"WebChatChannel"},
			Contributors: []string{InstallerID},
		}},
		VirtualBots: []virtualbot.Bot{{
			ID: StoreBot, Schema: StoreBotSchema, Name: "Store bot", Tenant: TenantID, Region: "europe", Language: "En-US", Secret: StoreBotSecret,
			Topics: Topics(),
		}},
		Organisations: []tables.Organisation{
			store(c),
			empty(AmericanOrganisation, "store-us", "https://store-us.crm.dynamics.com", "NA", false),
			empty(ClosedOrganisation, "store-old", "https://store-old.crm4.dynamics.com", "EMEA", true),
		},
	}
}

// empty returns an organisation with nothing in it but its administrator.
func empty(id, name, url, region string, disabled bool) tables.Organisation {
	return tables.Organisation{
		ID: id, EnvironmentID: "e" + id[1:], Tenant: TenantID, Name: name, URLName: name, URL: url, Region: region, Disabled: disabled,
		Rows:  map[string][]tables.Row{"systemusers": {installer()}, "roles": roles()},
		Links: map[string][][2]string{"systemuserroles_association": {{wire.String(installer(), "systemuserid"), AdministratorRole}}},
	}
}

func installer() tables.Row {
	return tables.Row{
		"systemuserid": "05000000-0000-4000-8000-0000000000ad", "applicationid": InstallerID, "fullname": "# Handoff installer",
		"isdisabled": false, "accessmode": 4.0,
	}
}

func roles() []tables.Row {
	return []tables.Row{
		{"roleid": AdministratorRole, "name": "System Administrator"},
		{"roleid": OmnichannelAdministratorRole, "name": "Omnichannel administrator"},
		{"roleid": OmnichannelAgentRole, "name": "Omnichannel agent"},
	}
}

// Topics returns what the shop's bot can talk about.
func Topics() []virtualbot.Topic {
	return []virtualbot.Topic{
		{Name: virtualbot.Greeting, Phrases: []string{"hello", "good morning"}, Nodes: []virtualbot.Node{
			{Say: "Hello, I'm the store's virtual assistant. How can I help?"},
		}},
		{Name: "Refund", Phrases: []string{"refund", "money back"}, Nodes: []virtualbot.Node{
			{Say: "I can help with a refund. What is your order number?", Ask: "OrderNumber"},
			{Say: "Thank you. I'll connect you with somebody who can do that.", Set: wire.Object{"StoreLocation": "Delft", "Items": 2.0, "Member": true}},
			{Transfer: true, Message: "Wants a refund. Identity not checked."},
		}},
		{Name: "Store hours", Phrases: []string{"store hours", "open today"}, Nodes: []virtualbot.Node{
			{Say: "We are open from nine to six."},
		}},
		{Name: "Stock", Phrases: []string{"in stock"}, Nodes: []virtualbot.Node{
			{Say: "One moment, I'm looking that up."},
			{Say: "Yes, we have three of those in Delft.", After: 20 * time.Second},
		}},
		{Name: virtualbot.Escalate, Phrases: []string{"talk to a person", "speak to someone", "talk to agent"}, Nodes: []virtualbot.Node{
			{Say: "I'll transfer you to a colleague."},
			{Transfer: true, Message: "Asked for a person."},
		}},
	}
}

// Connected changes the example to what a finished connection leaves: the Teams
// channel is on, the relay's application is a user with role and queue, and the
// workstream gives conversations to it first.
func Connected(c *Config) {
	c.Bots[0].Channels = append(c.Bots[0].Channels, "MsTeamsChannel")
	connect(c, RelayUser, RelayID, "# Store bot relay")
}

// ConnectedNatively changes the example to what an administrator leaves who
// connects the bot to Omnichannel in Power Virtual Agents: its application is a
// user with role and queue, and the workstream gives conversations to it first.
// The Azure Bot behind it is in Microsoft's own subscription.
func ConnectedNatively(c *Config) {
	c.Tenants[0].Applications = append(c.Tenants[0].Applications, tenants.Application{ID: NativeID, Name: "Store bot", Secret: NativeSecret})
	c.Bots = append(c.Bots, azure.Bot{
		Subscription: "50000000-0000-4000-8000-00000000fade", ResourceGroup: "pva", Name: "store-bot", Tenant: TenantID, DisplayName: "Store bot",
		ApplicationID: NativeID, Channels: []string{"MsTeamsChannel"},
	})
	c.VirtualBots[0].ApplicationID = NativeID
	connect(c, NativeUser, NativeID, "# Store bot")
}

// connect makes an application the bot user that the workstream has first.
func connect(c *Config, user, application, name string) {
	o := &c.Organisations[0]
	o.Rows["systemusers"] = append(o.Rows["systemusers"], tables.Row{
		"systemuserid": user, "applicationid": application, "fullname": name, "isdisabled": false, "accessmode": 4.0,
		"msdyn_agenttype": 192350001.0, "msdyn_botapplicationid": application, "msdyn_capacity": 1000.0,
	})
	o.Links["systemuserroles_association"] = append(o.Links["systemuserroles_association"], [2]string{user, OmnichannelAgentRole})
	o.Links["queuemembership_association"] = append(o.Links["queuemembership_association"], [2]string{BotQueue, user})
	o.Rows["msdyn_liveworkstreams"][0]["_msdyn_bot_user_value"] = user
}
