package simulation

import (
	"fmt"
	"strings"
)

// Names of what the example's bot file makes.
const (
	// ConnectionName is what the connection is called.
	ConnectionName = "store-bot"
	// StoreURL is the official address of the shop's organisation.
	StoreURL = "https://store.crm4.dynamics.com"
	// AzureBotID is the resource id of the Azure Bot.
	AzureBotID = "/subscriptions/" + SubscriptionID + "/resourceGroups/" + ResourceGroup + "/providers/Microsoft.BotService/botServices/" + BotName
)

// Beside names the files that stand beside a bot file.
type Beside struct {
	ClientSecret      string // holds InstallerSecret
	ApplicationSecret string // holds RelaySecret
	EmbedCode         string // holds Snippet
}

// Snippet returns the embed code of the chat widget on the shop's site.
func Snippet() string { return snippet() }

// BotFile returns what connects the example's bot to its hub: the file that
// handoff connect omnichannel takes, with rules that send refunds to the queue
// of that name. It names the bot's token endpoint at the running cloud.
func (u *URLs) BotFile(files Beside) string {
	return fmt.Sprintf(strings.TrimLeft(`
# Connects the example bot of handoff simulate microsoft to its hub.
name: %s
bot: {id: %s, name: Store bot}
hub: {type: omnichannel, organisation: "%s"}
# Bots are not for emergencies: who accepts the notice, and which text of it.
notice: {accepted_by: you@store.example, text_version: "2026-11"}
omnichannel:
  path: relay        # Handoff stands between the hub and the bot
  routing: handoff   # the rules below choose the queue
  directory: %s
  client_id: %s
  azure_bot: %s
  channel: teams
  queue: Store bot
  workstream: %s
  token_endpoint: %s
  take_over_endpoint: true   # the Azure Bot posts elsewhere: turn it round
  add_hub_rules: true        # that obey the rules below
client_secret_file: %q
application_secret_file: %q
embed_code_file: %q
regions: {log: europe}
rules: |
  version: 1
  name: store-bot
  fallback: general
  queues:
    - {id: general, name: General, hub_queue: %s}
    - {id: refunds, name: Refunds, hub_queue: %s}
    - {id: test, name: Checks, hub_queue: %s}   # of handoff check --end-to-end
  rules:
    - name: refunds
      all: [{topic: {is: Refund}}]
      then: {queue: refunds, priority: 60}
`, "\n"), ConnectionName, StoreBot, StoreURL, TenantDomain, InstallerID, AzureBotID, Workstream, u.tokenEndpoint(),
		files.ClientSecret, files.ApplicationSecret, files.EmbedCode, GeneralQueue, RefundsQueue, TestQueue)
}

// tokenEndpoint is where tokens for the example's bot are had.
func (u *URLs) tokenEndpoint() string {
	return u.PowerPlatform + "/powervirtualagents/botsbyschema/" + StoreBotSchema + "/directline/token?api-version=2022-03-01-preview"
}
