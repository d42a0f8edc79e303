// Package azure is the fake's Azure Resource Manager, as far as Azure Bot
// Service is concerned: bots and their channels.
//
// Paths, bodies and statuses are those of the published contract
// (Microsoft.BotService, api-version 2022-09-15) and of the vendor's Go client.
// Not verified: the codes InvalidChannelData and InvalidBotData for each single
// mistake, and that an application id serves one bot only.
package azure

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// Bot is an Azure Bot as it is at the start.
type Bot struct {
	Subscription, ResourceGroup, Name string
	Tenant                            string // of the subscription
	DisplayName                       string
	Endpoint                          string // where messages are posted
	ApplicationID                     string // it runs as
	MultiTenant                       bool
	Channels                          []string // that are on
	Contributors                      []string // applications that may read and change it
	Readers                           []string
}

// Manager is the host management.azure.com. It is safe for concurrent use; make
// it with New.
type Manager struct {
	directory *tenants.Directory
	mu        sync.Mutex
	bots      []*bot
}

type bot struct {
	Bot
	etag     string
	channels map[string]wire.Object // what properties.properties says, by name
}

// New returns a manager of the bots.
func New(d *tenants.Directory, bots ...Bot) *Manager {
	m := &Manager{directory: d}
	for _, b := range bots {
		made := &bot{b, uuid.NewString(), make(map[string]wire.Object)}
		for _, name := range b.Channels {
			made.channels[name] = initial(name)
		}
		m.bots = append(m.bots, made)
	}
	return m
}

// Of returns the bot that runs as an application, and whether there is one.
// Its Channels are those that are on.
func (m *Manager) Of(application string) (Bot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.bots {
		if strings.EqualFold(b.ApplicationID, application) {
			b.Channels = b.enabled()
			return b.Bot, true
		}
	}
	return Bot{}, false
}

// SetEndpoint has messages for a bot posted elsewhere, as a person would in the
// portal.
func (m *Manager) SetEndpoint(application, endpoint string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.bots {
		if strings.EqualFold(b.ApplicationID, application) {
			b.Endpoint = endpoint
		}
	}
}

func (b *bot) enabled() (names []string) {
	for name, properties := range b.channels {
		if properties["isEnabled"] != false {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// id is the resource's address.
func (b *bot) id() string {
	return "/subscriptions/" + b.Subscription + "/resourceGroups/" + b.ResourceGroup + "/providers/Microsoft.BotService/botServices/" + b.Name
}

func (b *bot) object() wire.Object {
	kind := "SingleTenant"
	if b.MultiTenant {
		kind = "MultiTenant"
	}
	configured := slices.Sorted(keys(b.channels))
	return wire.Object{
		"id": b.id(), "name": b.Name, "type": "Microsoft.BotService/botServices", "location": "global", "kind": "azurebot",
		"etag": `W/"` + b.etag + `"`, "sku": wire.Object{"name": "F0", "tier": "Free"}, "tags": wire.Object{},
		"properties": wire.Object{
			"displayName": b.DisplayName, "endpoint": b.Endpoint, "msaAppId": b.ApplicationID, "msaAppType": kind,
			"msaAppTenantId": b.Tenant, "configuredChannels": configured, "enabledChannels": b.enabled(), "provisioningState": "Succeeded",
		},
	}
}

func keys(m map[string]wire.Object) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

func (b *bot) channel(name string) wire.Object {
	properties := wire.Object{"channelName": name, "location": "global", "provisioningState": "Succeeded"}
	if settings := b.channels[name]; settings != nil {
		properties["properties"] = settings
	}
	return wire.Object{
		"id": b.id() + "/channels/" + name, "name": b.Name + "/" + name, "type": "Microsoft.BotService/botServices/channels",
		"location": "global", "etag": `W/"` + b.etag + `"`, "zones": []any{}, "tags": wire.Object{}, "properties": properties,
	}
}

// find returns a bot by its place; names are compared without regard to case.
func (m *Manager) find(subscription, group, name string) (*bot, error) {
	code, text := "SubscriptionNotFound", "The subscription '"+subscription+"' could not be found."
	for _, b := range m.bots {
		if !strings.EqualFold(b.Subscription, subscription) {
			continue
		}
		if code == "SubscriptionNotFound" {
			code, text = "ResourceGroupNotFound", "Resource group '"+group+"' could not be found."
		}
		if !strings.EqualFold(b.ResourceGroup, group) {
			continue
		}
		if strings.EqualFold(b.Name, name) {
			return b, nil
		}
		code, text = "ResourceNotFound", "The Resource 'Microsoft.BotService/botServices/"+name+"' under resource group '"+group+"' was not found."
	}
	return nil, wire.Refuse(http.StatusNotFound, code, text)
}

// Shape writes a refusal as Resource Manager does.
func Shape(w http.ResponseWriter, _ *http.Request, f *wire.Error) {
	code := f.Code
	if code == "" {
		code = map[int]string{
			http.StatusUnauthorized: "InvalidAuthenticationToken", http.StatusForbidden: "AuthorizationFailed",
			http.StatusNotFound: "ResourceNotFound", http.StatusConflict: "Conflict", http.StatusTooManyRequests: "TooManyRequests",
			http.StatusInternalServerError: "InternalServerError", http.StatusServiceUnavailable: "ServiceUnavailable",
		}[f.Status]
	}
	if code == "" {
		code = "InvalidRequestContent"
	}
	w.Header().Set("X-Ms-Request-Id", uuid.NewString())
	wire.JSON(w, f.Status, wire.Object{"error": wire.Object{"code": code, "message": cmp.Or(f.Message, http.StatusText(f.Status))}})
}

// clone copies what a client gave.
func clone(o wire.Object) wire.Object {
	raw, _ := json.Marshal(o) //nolint:errchkjson // it came as JSON
	var c wire.Object
	_ = json.Unmarshal(raw, &c)
	return c
}
