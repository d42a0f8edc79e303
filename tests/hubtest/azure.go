package hubtest

import (
	"net/http"
	"testing"

	"handoff/infra/microsoft/simulation"
)

const botPath = "/subscriptions/" + simulation.SubscriptionID + "/resourceGroups/" + simulation.ResourceGroup +
	"/providers/Microsoft.BotService/botServices/" + simulation.BotName

const teams = "/channels/MsTeamsChannel"

// teamsChannel is the body that turns the Teams channel on.
func teamsChannel() map[string]any {
	return map[string]any{"location": "global", "properties": map[string]any{
		"channelName": "MsTeamsChannel", "properties": map[string]any{"isEnabled": true},
	}}
}

// azure is what is promised of Azure Bots and their channels.
var azure = map[string]func(*testing.T, Opener){
	"a channel is off, put on with 201, put again with 200, listed and deleted": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.azure(simulation.InstallerID, simulation.InstallerSecret)
		b.Want(ask("GET", botPath+teams, nil), 404, "ResourceNotFound")
		put := ask("PUT", botPath+teams, teamsChannel())
		b.Want(put, 201, "")
		if put.String("name") != simulation.BotName+"/MsTeamsChannel" || put.String("properties/provisioningState") != "Succeeded" || put.String("etag") == "" {
			t.Errorf("channel = %s", put.Text)
		}
		b.Want(ask("PUT", botPath+teams, teamsChannel()), 200, "")
		if got := ask("GET", botPath+teams, nil); got.At("properties/properties/isEnabled") != true {
			t.Errorf("channel = %s", got.Text)
		}
		if all := ask("GET", botPath+"/channels", nil); all.Len("value") != 2 {
			t.Errorf("channels = %s", all.Text)
		}
		if bot := ask("GET", botPath, nil); bot.Len("properties/enabledChannels") != 2 || bot.String("properties/msaAppId") != simulation.RelayID {
			t.Errorf("bot = %s", bot.Text)
		}
		b.Want(ask("DELETE", botPath+teams, nil), 200, "")
		b.Want(ask("DELETE", botPath+teams, nil), 204, "")
	},
	"paths are compared without regard to case": func(t *testing.T, start Opener) {
		b := start(t)
		path := "/subscriptions/" + simulation.SubscriptionID + "/resourcegroups/STORE/providers/microsoft.botservice/botservices/Store-Relay/Channels/msteamschannel"
		b.Want(b.azure(simulation.InstallerID, simulation.InstallerSecret)("PUT", path, teamsChannel()), 201, "")
	},
	"a body that is not the channel's is refused": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.azure(simulation.InstallerID, simulation.InstallerSecret)
		inner := func(v any) map[string]any {
			return map[string]any{"properties": map[string]any{"channelName": "MsTeamsChannel", "properties": v}}
		}
		for _, body := range []any{
			map[string]any{},
			map[string]any{"properties": map[string]any{"properties": map[string]any{"isEnabled": true}}},
			map[string]any{"properties": map[string]any{"channelName": "SlackChannel", "properties": map[string]any{"isEnabled": true}}},
			inner(map[string]any{}), inner(map[string]any{"isEnabled": "yes"}), inner(map[string]any{"isEnabled": true, "colour": "red"}),
		} {
			b.Want(ask("PUT", botPath+teams, body), 400, "InvalidChannelData")
		}
		b.Want(ask("PUT", botPath+"/channels/PigeonChannel", teamsChannel()), 400, "InvalidChannelData")
		b.Want(ask("PUT", botPath+teams, "not json"), 400, "InvalidRequestContent")
		b.Want(ask("POST", botPath+teams, teamsChannel()), 405, "")
	},
	"the messaging endpoint can be changed, to https only": func(t *testing.T, start Opener) {
		b := start(t)
		ask := b.azure(simulation.InstallerID, simulation.InstallerSecret)
		change := func(v any) map[string]any {
			return map[string]any{"properties": map[string]any{"displayName": "Store bot relay", "endpoint": v, "msaAppId": simulation.RelayID}}
		}
		b.Want(ask("PATCH", botPath, change("https://relay.example/messages")), 200, "")
		if got := ask("GET", botPath, nil).String("properties/endpoint"); got != "https://relay.example/messages" {
			t.Errorf("endpoint = %q", got)
		}
		b.Want(ask("PATCH", botPath, change("http://relay.example/messages")), 400, "InvalidBotData")
		b.Want(ask("PATCH", botPath, change(7)), 400, "InvalidBotData")
		b.Want(ask("PATCH", botPath, map[string]any{"properties": map[string]any{"endpoint": "https://relay.example/messages"}}), 400, "InvalidBotData")
	},
	"who has no role, what is not there, and no version are refused": func(t *testing.T, start Opener) {
		b := start(t)
		b.Want(b.azure(simulation.BystanderID, simulation.BystanderSecret)("GET", botPath, nil), 403, "AuthorizationFailed")
		ask := b.azure(simulation.InstallerID, simulation.InstallerSecret)
		b.Want(ask("GET", botPath+"x", nil), 404, "ResourceNotFound")
		const elsewhere = "/providers/Microsoft.BotService/botServices/x"
		b.Want(ask("GET", "/subscriptions/"+simulation.SubscriptionID+"/resourceGroups/other"+elsewhere, nil), 404, "ResourceGroupNotFound")
		b.Want(ask("GET", "/subscriptions/50000000-0000-4000-8000-000000000009/resourceGroups/store"+elsewhere, nil), 404, "SubscriptionNotFound")
		token := b.Installer("https://management.azure.com")
		b.Want(b.Do(Request{Method: "GET", URL: b.URLs.Azure + botPath, Token: token}), 400, "MissingApiVersionParameter")
		b.Want(b.Do(Request{Method: "GET", URL: b.URLs.Azure + botPath + "?api-version=2022-09-15"}), http.StatusUnauthorized, "InvalidAuthenticationToken")
		Injected(b, simulation.Fault{Host: simulation.Azure, Route: "PUT *", Status: 409})
		b.Want(ask("PUT", botPath+teams, teamsChannel()), 409, "Conflict")
	},
}

// azure returns a function that asks Resource Manager as an application.
func (b *Bench) azure(client, secret string) func(method, path string, body any) Answer {
	b.T.Helper()
	token := b.Token(client, secret, "https://management.azure.com")
	return func(method, path string, body any) Answer {
		b.T.Helper()
		return b.Do(Request{Method: method, URL: b.URLs.Azure + path + "?api-version=2022-09-15", Token: token, Body: body})
	}
}
