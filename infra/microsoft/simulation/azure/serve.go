package azure

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation/odata"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// asked is one request about a bot that the caller may see.
type asked struct {
	http.ResponseWriter
	*http.Request
	*bot
}

// Handler returns the host.
func (m *Manager) Handler() http.Handler {
	routes := wire.Routes{}
	for _, method := range []string{"GET", "PUT", "PATCH", "POST", "DELETE"} {
		routes[method+" /subscriptions/{path...}"] = m.serve
	}
	return routes.Handler(Shape)
}

// place reads a path of which only the names are the caller's to choose.
func place(path string) (names [3]string, rest []string, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	fixed := map[int]string{1: "resourceGroups", 3: "providers", 4: "Microsoft.BotService", 5: "botServices"}
	if len(parts) < 7 || len(parts) > 10 || len(parts) > 7 && !strings.EqualFold(parts[7], "channels") {
		return names, nil, false
	}
	for i, want := range fixed {
		if !strings.EqualFold(parts[i], want) {
			return names, nil, false
		}
	}
	return [3]string{parts[0], parts[2], parts[6]}, parts[7:], true
}

func (m *Manager) serve(w http.ResponseWriter, r *http.Request) error {
	caller, err := m.directory.Authenticate(r, tenants.Azure)
	if err != nil {
		return err
	}
	version := r.URL.Query().Get("api-version")
	if version == "" {
		return wire.Refuse(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	names, rest, ok := place(r.PathValue("path"))
	if !ok {
		return wire.Refuse(http.StatusNotFound, "InvalidResourceType", "The resource type could not be found in the namespace 'Microsoft.BotService'.")
	}
	if !slices.Contains([]string{"2021-03-01", "2022-09-15"}, version) {
		return wire.Refuse(http.StatusBadRequest, "NoRegisteredProviderFound", "No registered resource provider found for API version '"+version+"' for type 'botServices'.")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := m.find(names[0], names[1], names[2])
	if err != nil {
		return err
	}
	if err := b.allow(caller, r.Method == http.MethodGet); err != nil {
		return err
	}
	return m.answer(&asked{w, r, b}, rest)
}

// allow refuses who has no role on the bot.
func (b *bot) allow(c tenants.Caller, reading bool) error {
	if !strings.EqualFold(c.Tenant, b.Tenant) {
		return wire.Refuse(http.StatusUnauthorized, "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer. It must match the tenant associated with this subscription.")
	}
	same := func(id string) bool { return strings.EqualFold(id, c.Application) }
	if slices.ContainsFunc(b.Contributors, same) || reading && slices.ContainsFunc(b.Readers, same) {
		return nil
	}
	return wire.Refuse(http.StatusForbidden, "AuthorizationFailed", "The client '"+c.Application+"' with object id '"+c.Principal+
		"' does not have authorization to perform this action over scope '"+b.id()+"' or the scope is invalid.")
}

func (m *Manager) answer(a *asked, rest []string) error {
	switch {
	case len(rest) == 0:
		return m.service(a)
	case len(rest) == 1 && a.Method == http.MethodGet:
		all := []any{}
		for _, name := range slices.Sorted(keys(a.channels)) {
			all = append(all, a.channel(name))
		}
		wire.JSON(a.ResponseWriter, http.StatusOK, wire.Object{"value": all, "nextLink": nil})
		return nil
	case len(rest) >= 2:
		i := slices.IndexFunc(Channels(), func(c string) bool { return strings.EqualFold(c, rest[1]) })
		if i < 0 {
			return wire.Refuse(http.StatusBadRequest, "InvalidChannelData", "There is no channel '"+rest[1]+"'.")
		}
		return a.onChannel(Channels()[i], rest[2:])
	}
	return notAllowed(a.Method)
}

func notAllowed(method string) error {
	return wire.Refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method "+method+" is not allowed here.")
}

// Channels returns the names of all channels that a bot can have.
func Channels() []string {
	return []string{
		"AcsChatChannel", "AlexaChannel", "DirectLineChannel", "DirectLineSpeechChannel", "EmailChannel", "FacebookChannel", "KikChannel",
		"LineChannel", "M365Extensions", "MsTeamsChannel", "Omnichannel", "OutlookChannel", "SearchAssistant", "SkypeChannel", "SlackChannel",
		"SmsChannel", "TelegramChannel", "TelephonyChannel", "WebChatChannel",
	}
}

func (a *asked) onChannel(name string, rest []string) error {
	_, there := a.channels[name]
	switch {
	case len(rest) == 1 && strings.EqualFold(rest[0], "listChannelWithKeys") && a.Method == http.MethodPost && there:
		wire.JSON(a.ResponseWriter, http.StatusOK, a.channel(name))
		return nil
	case len(rest) > 0 && a.Method != http.MethodPost, len(rest) == 0 && a.Method == http.MethodPost:
		return notAllowed(a.Method)
	case a.Method == http.MethodPut || a.Method == http.MethodPatch && there:
		return a.putChannel(name, there)
	case a.Method == http.MethodDelete:
		delete(a.channels, name)
		a.WriteHeader(map[bool]int{true: http.StatusOK, false: http.StatusNoContent}[there])
		return nil
	case !there:
		return wire.Refuse(http.StatusNotFound, "ResourceNotFound", "The Resource 'Microsoft.BotService/botServices/"+a.Name+"/channels/"+name+"' was not found.")
	}
	wire.JSON(a.ResponseWriter, http.StatusOK, a.channel(name))
	return nil
}

// putChannel takes a body that is polymorphic on channelName.
func (a *asked) putChannel(name string, there bool) error {
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return err
	}
	outer := wire.Fields{
		"location": wire.Text, "tags": wire.Members, "sku": wire.Members, "kind": wire.Text, "etag": wire.Text,
		"properties": wire.Members, "id": wire.Text, "name": wire.Text, "type": wire.Text, "zones": wire.List,
	}
	channel := wire.Child(body, "properties")
	inner := wire.Fields{"channelName": wire.Text, "location": wire.Text, "etag": wire.Text, "provisioningState": wire.Text, "properties": wire.Members}
	for _, err := range []error{outer.Check(body, "properties"), inner.Check(channel, "channelName")} {
		if err != nil {
			return wire.Coded(err, "InvalidChannelData")
		}
	}
	if wire.String(channel, "channelName") != name {
		return wire.Refuse(http.StatusBadRequest, "InvalidChannelData", "The channelName of the body is not that of the address.")
	}
	settings := wire.Child(channel, "properties")
	if err := channelFields(name).Check(settings, required(name)...); err != nil {
		return wire.Coded(err, "InvalidChannelData")
	}
	if settings == nil {
		settings = initial(name)
	}
	a.channels[name] = clone(settings)
	a.etag = uuid.NewString()
	wire.JSON(a.ResponseWriter, map[bool]int{true: http.StatusOK, false: http.StatusCreated}[there], a.channel(name))
	return nil
}

// initial returns the settings of a channel that was turned on and no more.
// Omnichannel has none, and channels of sites are on where they are there.
func initial(name string) wire.Object {
	switch name {
	case "Omnichannel":
		return nil
	case "WebChatChannel", "DirectLineChannel":
		return wire.Object{"sites": []any{}}
	}
	return wire.Object{"isEnabled": true}
}

func channelFields(name string) wire.Fields {
	switch name {
	case "Omnichannel":
		return wire.Fields{}
	case "WebChatChannel":
		return wire.Fields{"sites": wire.List, "webChatEmbedCode": wire.Text}
	case "DirectLineChannel":
		return wire.Fields{"sites": wire.List, "DirectLineEmbedCode": wire.Text}
	case "MsTeamsChannel":
		return wire.Fields{
			"isEnabled": wire.Boolean, "acceptedTerms": wire.Boolean, "enableCalling": wire.Boolean, "callingWebhook": wire.Text,
			"deploymentEnvironment": wire.Text, "incomingCallRoute": wire.Text,
		}
	}
	return wire.Fields{"isEnabled": wire.Boolean}
}

func required(name string) []string {
	if name == "MsTeamsChannel" {
		return []string{"isEnabled"}
	}
	return nil
}

// service answers about the bot itself. It is changed by PUT and PATCH;
// creating one is a person's business.
func (m *Manager) service(a *asked) error {
	switch a.Method {
	case http.MethodGet:
		wire.JSON(a.ResponseWriter, http.StatusOK, a.object())
		return nil
	case http.MethodPut, http.MethodPatch:
		return m.change(a)
	}
	return notAllowed(a.Method)
}

func (m *Manager) change(a *asked) error {
	body, err := wire.Body(a.ResponseWriter, a.Request)
	if err != nil {
		return err
	}
	outer := wire.Fields{
		"location": wire.Text, "tags": wire.Members, "sku": wire.Members, "kind": wire.Text, "etag": wire.Text,
		"properties": wire.Members, "id": wire.Text, "name": wire.Text, "type": wire.Text, "zones": wire.List,
	}
	given := wire.Child(body, "properties")
	if err := outer.Check(body); err != nil {
		return wire.Coded(err, "InvalidBotData")
	}
	// The contract has one schema for PUT and PATCH, with these three required;
	// whether the real service takes a PATCH without them is not verified.
	if err := botFields().Check(given, "displayName", "endpoint", "msaAppId"); err != nil {
		return wire.Coded(err, "InvalidBotData")
	}
	if err := m.apply(a.bot, given); err != nil {
		return err
	}
	wire.JSON(a.ResponseWriter, http.StatusOK, a.object())
	return nil
}

func botFields() wire.Fields {
	return wire.Fields{
		"displayName": wire.Text, "description": wire.Text, "iconUrl": wire.Text, "endpoint": wire.Text, "msaAppId": wire.Text,
		"msaAppType": wire.Text, "msaAppTenantId": wire.Text, "msaAppMSIResourceId": wire.Text, "configuredChannels": wire.List,
		"enabledChannels": wire.List, "provisioningState": wire.Text, "isStreamingSupported": wire.Boolean, "disableLocalAuth": wire.Boolean,
		"publicNetworkAccess": wire.Text, "schemaTransformationVersion": wire.Text,
	}
}

// apply changes name, endpoint and application of a bot.
func (m *Manager) apply(b *bot, given wire.Object) error {
	endpoint, app := wire.String(given, "endpoint"), wire.String(given, "msaAppId")
	if u, err := url.Parse(endpoint); endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost") {
		return wire.Refuse(http.StatusBadRequest, "InvalidBotData", "The endpoint must be an https address.")
	}
	if app != "" && !odata.IsGUID(app) {
		return wire.Refuse(http.StatusBadRequest, "InvalidBotData", "The msaAppId must be a GUID.")
	}
	for _, other := range m.bots {
		if other != b && app != "" && strings.EqualFold(other.ApplicationID, app) {
			return wire.Refuse(http.StatusBadRequest, "InvalidBotData", "Bot is not valid. The app id is already registered to another bot application.")
		}
	}
	for name, field := range map[string]*string{"displayName": &b.DisplayName, "endpoint": &b.Endpoint, "msaAppId": &b.ApplicationID} {
		if v := wire.String(given, name); v != "" {
			*field = v
		}
	}
	b.etag = uuid.NewString()
	return nil
}
