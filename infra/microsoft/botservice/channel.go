package botservice

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
)

// Channels by which Omnichannel reaches a bot: Teams, or a channel of its own
// where the organisation uses that one.
const (
	Teams       = "MsTeamsChannel"
	Omnichannel = "Omnichannel"
)

// Channel is a channel of a bot.
type Channel struct {
	On bool
	// settings are the channel's own, as they were read.
	settings map[string]json.RawMessage
}

// channel is one as Resource Manager writes it; the fields are matched without
// regard to case. What is in the inner properties depends on the channel's name;
// those of Omnichannel are none: it is on where it is there.
type channel struct {
	Properties struct {
		ProvisioningState string
		Properties        map[string]json.RawMessage
	}
}

// Channel returns a channel of a bot; one that was never set up is off. Needs
// botServices/channels/read.
func (c *Client) Channel(ctx context.Context, b Bot, name string) (Channel, error) {
	if name != Teams && name != Omnichannel {
		return Channel{}, fault.Newf(fault.Unprocessable, "azure-channel-unknown", "Handoff looks after the channels %s and %s, not after %q.", Teams, Omnichannel, name)
	}
	a, err := c.call(ctx, http.MethodGet, b.path()+"/channels/"+name, nil)
	if fault.Is(err, "azure-not-found") {
		if _, err := c.Get(ctx, b); err != nil { // there is no bot either
			return Channel{}, err
		}
		return Channel{}, nil
	}
	if err != nil {
		return Channel{}, fmt.Errorf("channel %s of azure bot %s: %w", name, b.Name, err)
	}
	var w channel
	if err := a.Decode(&w); err != nil {
		return Channel{}, fmt.Errorf("channel %s of azure bot %s: %w", name, b.Name, err)
	}
	ch := Channel{On: name == Omnichannel, settings: w.Properties.Properties}
	if enabled, ok := ch.settings["isEnabled"]; ok {
		ch.On = string(enabled) == "true"
	}
	return ch, nil
}

// EnsureChannel turns a channel on if it is off; changed says that it was. What
// somebody set in the channel stays as it is. Another change of the bot at the
// same time is the fault azure-bot-busy, worth another try. Needs
// botServices/channels/read and /write.
func (c *Client) EnsureChannel(ctx context.Context, b Bot, name string) (changed bool, err error) {
	ch, err := c.Channel(ctx, b, name)
	if err != nil || ch.On {
		return false, err
	}
	_, err = c.call(ctx, http.MethodPut, b.path()+"/channels/"+name, ch.enabled(name))
	if controlplane.Refused(err).Status == http.StatusConflict {
		return false, c.settle(ctx, b, name, err)
	}
	if err != nil {
		return false, fmt.Errorf("turn on channel %s of azure bot %s: %w", name, b.Name, err)
	}
	return true, nil
}

// enabled returns the body that turns the channel on: all of what was read, and
// where nothing was, what the vendor's own test sends.
func (ch Channel) enabled(name string) map[string]any {
	properties := map[string]any{"channelName": name, "location": "global"}
	if name == Teams {
		inner := map[string]any{}
		for setting, value := range ch.settings {
			inner[setting] = value
		}
		inner["isEnabled"] = true
		properties["properties"] = inner
	}
	return map[string]any{"location": "global", "properties": properties}
}

// settle looks again after a conflict: somebody else may have turned it on.
func (c *Client) settle(ctx context.Context, b Bot, name string, conflict error) error {
	ch, err := c.Channel(ctx, b, name)
	if err != nil || ch.On {
		return err
	}
	return fault.Newf(fault.Unavailable, "azure-bot-busy", "Azure is making another change to the bot %s; it is tried again.", b.Name).Because(conflict)
}
