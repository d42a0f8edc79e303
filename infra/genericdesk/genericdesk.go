// Package genericdesk is the provider for hubs of type "generic": any agent desk
// that takes signed webhooks over HTTP. Such a desk has no API to register with,
// so the steps of connecting check what the administrator said and ask nobody.
package genericdesk

import (
	"context"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
)

// HubType is the type of hub that this provider is for.
const HubType = "generic"

// Channel is the name of the one channel towards a generic desk.
const Channel = "webhook"

// Provider carries out the steps. The zero value is ready to use and safe for
// concurrent use.
type Provider struct{}

// EnsureApplication returns the application id that the caller supplied. A
// generic desk makes none.
func (Provider) EnsureApplication(_ context.Context, c connection.State) (id string, created bool, err error) {
	if err := known(c); err != nil {
		return "", false, err
	}
	id = connection.NormalID(c.Hub.ApplicationID)
	if id == "" {
		return "", false, fault.New(fault.Unprocessable, "application-id-missing",
			"A generic desk needs an application id of your choice (hub.application_id), by which it knows this connection.")
	}
	return id, false, nil
}

// EnsureChannel returns the webhook channel. It is on from the moment that the
// connection has it; a connection that was connected before finds it on.
func (Provider) EnsureChannel(_ context.Context, c connection.State) (events.ChannelEnabled, error) {
	return events.ChannelEnabled{Channel: Channel, AlreadyOn: c.Session > 1, By: "handoff"}, known(c)
}

// CheckReady returns a fault where the connection has nowhere to deliver to.
func (Provider) CheckReady(_ context.Context, c connection.State) error {
	for _, e := range c.Endpoints {
		if e.Disabled == "" {
			return known(c)
		}
	}
	return fault.New(fault.Unprocessable, "endpoint-missing",
		"The connection has no endpoint that takes routed escalations. Add one (endpoints: [{url: …}]) and connect again.")
}

// EnsureEndpoint returns nil: a generic desk calls Handoff's own API.
func (Provider) EnsureEndpoint(context.Context, connection.State) (*events.MessagingEndpointSet, error) {
	return nil, nil
}

// AddRules returns nil: a generic desk goes by the queue that it is told.
func (Provider) AddRules(context.Context, connection.State) (*events.HubRulesSet, error) {
	return nil, nil
}

// ForgetSecrets returns nil: a generic desk has none.
func (Provider) ForgetSecrets(context.Context, connection.State) (*events.HubSecretsForgotten, error) {
	return nil, nil
}

func known(c connection.State) error {
	if c.Hub.Type == HubType {
		return nil
	}
	return fault.Newf(fault.Unprocessable, "hub-type-unknown", "There is no provider for hubs of type %q; this version knows %q.", c.Hub.Type, HubType)
}
