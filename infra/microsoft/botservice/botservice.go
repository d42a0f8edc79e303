// Package botservice looks after an Azure Bot through Azure Resource Manager:
// what it is, where its messages go, and which channels are on.
//
// An Azure Bot is a resource in the customer's own subscription. A bot made with
// Power Virtual Agents (Copilot Studio) has one too, but in Microsoft's, where
// nobody from outside can look; this package is for the customer's own.
//
// Wire facts are read from the SDK (azure-sdk-for-go, armbotservice v1.2.0, of
// API version 2022-09-15) unless something else is said.
package botservice

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/cloud"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
)

// Base is Azure Resource Manager of the public cloud.
const Base = "https://management.azure.com"

const version = "2022-09-15"

// Permissions returns what the operations of this package need.
func Permissions() []controlplane.Permission {
	const role = "Azure Bot resource, role Azure Bot Service Contributor Role: "
	return []controlplane.Permission{
		{API: "Azure", Name: role + "Microsoft.BotService/botServices/read", Reason: "Reads the bot's application id, type and messaging endpoint, to see that they fit the connection."},
		{API: "Azure", Name: role + "Microsoft.BotService/botServices/write", Reason: "Sets the messaging endpoint to Handoff's where it has none; one that leads elsewhere only if you allow it (omnichannel.take_over_endpoint)."},
		{API: "Azure", Name: role + "Microsoft.BotService/botServices/channels/read", Reason: "Looks whether the channel towards the hub is on."},
		{API: "Azure", Name: role + "Microsoft.BotService/botServices/channels/write", Reason: "Turns the channel towards the hub on, only if it is off."},
	}
}

// Bot says where an Azure Bot is. Make one with ParseBot or NewBot.
type Bot struct {
	Subscription  guid.ID
	ResourceGroup string
	Name          string
}

// Names of resource groups: documented (naming rules of Azure resources). Of
// bots: letters, digits, and -_. inside, 2 to 64 (documented there too).
var (
	groupName = regexp.MustCompile(`^[\p{L}\p{N}._()-]{0,89}[\p{L}\p{N}_()-]$`)
	botName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{1,63}$`)
)

// NewBot returns a bot by the parts of its place, as pasted. Its fault has the
// code azure-bot-invalid.
func NewBot(subscription, group, name string) (Bot, error) {
	id, ok := guid.Parse(subscription)
	group, name = strings.TrimSpace(group), strings.TrimSpace(name)
	if !ok || !groupName.MatchString(group) || !botName.MatchString(name) {
		return Bot{}, fault.New(fault.Unprocessable, "azure-bot-invalid",
			"An Azure Bot is found by its subscription (a GUID), its resource group and its name. The Resource ID under Properties of the bot in the Azure portal has all three.")
	}
	return Bot{Subscription: id, ResourceGroup: group, Name: name}, nil
}

// ParseBot reads a resource id as the Azure portal shows it:
// /subscriptions/…/resourceGroups/…/providers/Microsoft.BotService/botServices/…
// Its fault has the code azure-bot-invalid.
func ParseBot(resourceID string) (Bot, error) {
	parts := strings.Split(strings.Trim(strings.TrimSpace(resourceID), "/"), "/")
	const form = "subscriptions//resourceGroups//providers/Microsoft.BotService/botServices/"
	want := strings.Split(form, "/")
	if len(parts) != len(want) {
		return NewBot("", "", "")
	}
	for i, w := range want {
		if w != "" && !strings.EqualFold(parts[i], w) { // ids of resources are compared without regard to case
			return NewBot("", "", "")
		}
	}
	return NewBot(parts[1], parts[3], parts[7])
}

// String returns the bot's resource id.
func (b Bot) String() string {
	return "/subscriptions/" + string(b.Subscription) + "/resourceGroups/" + b.ResourceGroup + "/providers/Microsoft.BotService/botServices/" + b.Name
}

func (b Bot) path() string {
	return "/subscriptions/" + string(b.Subscription) + "/resourceGroups/" + url.PathEscape(b.ResourceGroup) +
		"/providers/Microsoft.BotService/botServices/" + url.PathEscape(b.Name)
}

// Client calls Azure Resource Manager. It is safe for concurrent use.
type Client struct{ api *controlplane.Client }

// New returns a client. Base is Base, the tokens are for entra.ScopeAzure.
func New(o controlplane.Options) (*Client, error) {
	api, err := controlplane.New(controlplane.API{
		Name: "Azure", Code: "azure",
		Deny: "Give the application the role Azure Bot Service Contributor on the Azure Bot (Access control, Add role assignment), or do this step by hand.",
	}, o)
	return &Client{api: api}, err
}

// Types of an Azure Bot: which tenants its application takes tokens from.
const (
	SingleTenant = "SingleTenant"
	MultiTenant  = "MultiTenant"
	Identity     = "UserAssignedMSI" // a managed identity, which has no secret that Handoff could use
)

// Properties are what an Azure Bot is.
type Properties struct {
	DisplayName string
	Endpoint    string  // where messages are posted to; may be empty
	AppID       guid.ID // the application that the bot runs as
	AppType     string  // SingleTenant, MultiTenant or Identity; MultiTenant where none is said
	AppTenant   guid.ID // of a single-tenant application
	Channels    []string
}

// resource is a bot as Resource Manager writes it; the fields are matched
// without regard to case.
type resource struct {
	Properties struct {
		DisplayName, Endpoint, MsaAppID, MsaAppType, MsaAppTenantID string
		EnabledChannels                                             []string
	}
}

// Get returns what a bot is. Needs botServices/read. There being none is the
// fault azure-not-found.
func (c *Client) Get(ctx context.Context, b Bot) (Properties, error) {
	a, err := c.call(ctx, http.MethodGet, b.path(), nil)
	if err != nil {
		return Properties{}, fmt.Errorf("azure bot %s: %w", b.Name, err)
	}
	var r resource
	if err := a.Decode(&r); err != nil {
		return Properties{}, fmt.Errorf("azure bot %s: %w", b.Name, err)
	}
	p := r.Properties
	app, _ := guid.Parse(p.MsaAppID)
	tenant, _ := guid.Parse(p.MsaAppTenantID)
	if p.MsaAppType == "" { // bots older than the property
		p.MsaAppType = MultiTenant
	}
	return Properties{DisplayName: p.DisplayName, Endpoint: p.Endpoint, AppID: app, AppType: p.MsaAppType, AppTenant: tenant, Channels: p.EnabledChannels}, nil
}

// SetEndpoint has messages posted to an https URL, or where Azure itself is on
// this machine to one there; changed says that they went elsewhere before. Needs
// botServices/read and botServices/write.
func (c *Client) SetEndpoint(ctx context.Context, b Bot, endpoint string) (changed bool, err error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" && !c.here(u) || u.Hostname() == "" || u.User != nil {
		return false, fault.New(fault.Unprocessable, "azure-bot-endpoint-invalid", "The messaging endpoint must be an https:// URL without a user name.")
	}
	p, err := c.Get(ctx, b)
	if err != nil || p.Endpoint == endpoint {
		return false, err
	}
	// The schema of the body calls these three required, in a PATCH as well.
	_, err = c.call(ctx, http.MethodPatch, b.path(), map[string]any{"properties": map[string]any{
		"displayName": p.DisplayName, "endpoint": endpoint, "msaAppId": string(p.AppID),
	}})
	if err != nil {
		return false, fmt.Errorf("endpoint of azure bot %s: %w", b.Name, err)
	}
	return true, nil
}

// here reports whether a URL and Azure are both on this machine, as a fake is.
func (c *Client) here(u *url.URL) bool {
	base, err := url.Parse(c.api.Base())
	return err == nil && u.Scheme == "http" && cloud.Loopback(base.Hostname()) && cloud.Loopback(u.Hostname())
}

func (c *Client) call(ctx context.Context, method, path string, body any) (controlplane.Answer, error) {
	return c.api.Do(ctx, controlplane.Request{Method: method, Path: path, Query: url.Values{"api-version": {version}}, JSON: body})
}
