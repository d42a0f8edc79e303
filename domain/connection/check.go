package connection

import (
	"fmt"
	"regexp"
	"slices"

	"handoff/domain/fault"
	"handoff/events"
)

// Limits of a connection.
const (
	MaxEndpoints      = 16
	MaxEndpointEvents = 32
	MaxHeld           = 16 // application ids that are remembered until they are given back
	MaxText           = 256
	MaxURL            = 2048
)

// idShape is what a connection or endpoint may be called: it stands in URLs.
var idShape = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$`)

// ValidID reports whether id may name a connection or an endpoint.
func ValidID(id string) bool { return idShape.MatchString(id) }

func checkRequest(c Request) error {
	f := c.Fact
	if !ValidID(f.Connection) {
		return fault.Newf(fault.Unprocessable, "connection-name-invalid",
			"%q can't name a connection: use 1 to 64 lower-case letters, digits and hyphens.", f.Connection).At("/name")
	}
	if f.Notice.AcceptedBy == "" || f.Notice.TextVersion == "" {
		return fault.New(fault.Unprocessable, "notice-not-acknowledged",
			"Nobody acknowledged the notice: conversations leave the bot's platform with all that the bot knew, and bots are not for emergencies. "+
				"Say who accepts it (notice.accepted_by) and which text (notice.text_version).").At("/notice")
	}
	if f.Hub.Type == "" || f.Hub.Organisation == "" {
		return fault.New(fault.Unprocessable, "hub-incomplete", "The hub needs a type and an organisation.").At("/hub")
	}
	for i, e := range c.Endpoints {
		if slices.ContainsFunc(c.Endpoints[:i], func(o events.EndpointSet) bool { return o.Endpoint == e.Endpoint }) {
			return fault.Newf(fault.Unprocessable, "endpoint-named-twice", "Two endpoints are named %q.", e.Endpoint).At(fmt.Sprintf("/endpoints/%d/id", i))
		}
	}
	if err := checkTexts(f); err != nil {
		return err
	}
	if c.Health != nil && len(c.Health.URL) > MaxURL {
		return tooLong("/health_url", MaxURL)
	}
	return checkHub(c)
}

func checkTexts(f events.ConnectionRequested) error {
	regions := events.Regions{}
	if f.Regions != nil {
		regions = *f.Regions
	}
	for _, text := range [...]struct{ pointer, value string }{
		{"/bot/id", f.Bot.ID},
		{"/bot/name", f.Bot.Name},
		{"/bot/version", f.Bot.Version},
		{"/hub/type", f.Hub.Type},
		{"/hub/organisation", f.Hub.Organisation},
		{"/hub/application_id", f.Hub.ApplicationID},
		{"/regions/bot", regions.Bot},
		{"/regions/hub", regions.Hub},
		{"/regions/log", regions.Log},
		{"/notice/accepted_by", f.Notice.AcceptedBy},
		{"/notice/text_version", f.Notice.TextVersion},
	} {
		if len(text.value) > MaxText {
			return tooLong(text.pointer, MaxText)
		}
	}
	return nil
}

func checkEndpoint(f events.EndpointSet) error {
	if !ValidID(f.Endpoint) {
		return fault.Newf(fault.Unprocessable, "endpoint-name-invalid",
			"%q can't name an endpoint: use 1 to 64 lower-case letters, digits and hyphens.", f.Endpoint).At("/id")
	}
	if f.Mode != ModeThin && f.Mode != ModeFull {
		return fault.Newf(fault.Unprocessable, "endpoint-mode-invalid", "An endpoint's mode is thin or full, not %q.", f.Mode).At("/mode")
	}
	if len(f.URL) > MaxURL {
		return tooLong("/url", MaxURL)
	}
	if len(f.Events) > MaxEndpointEvents {
		return fault.Newf(fault.Unprocessable, "limit-exceeded", "An endpoint names at most %d types of events.", MaxEndpointEvents).At("/events")
	}
	if i := slices.IndexFunc(f.Events, func(e string) bool { return len(e) > MaxText }); i >= 0 {
		return tooLong(fmt.Sprintf("/events/%d", i), MaxText)
	}
	return nil
}

func tooLong(pointer string, limit int) error {
	return fault.Newf(fault.Unprocessable, "limit-exceeded", "At most %d bytes are allowed here.", limit).At(pointer)
}

// within makes a fault of a part point into the whole.
func within(prefix string, err error) error {
	if f := fault.Of(err); f != nil {
		return f.At(prefix + f.Pointer)
	}
	return err
}
