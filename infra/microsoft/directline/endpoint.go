package directline

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/rest"
)

// TokenHosts returns the hosts of token endpoints: of bots made before 2022, and
// of later ones, each environment of which has its own (read from the vendor's
// samples).
func TokenHosts() []string {
	return []string{"powerva.microsoft.com", ".environment.api.powerplatform.com"}
}

// Bot is how a bot is reached.
type Bot struct {
	// TokenEndpoint is the address that the bot's page of settings shows.
	TokenEndpoint string
	// Secret is used instead, if it is set: where web channel security is on, a
	// bot's maker copies it from there, and the token endpoint gives nothing.
	Secret string
	// Base is Direct Line for bots that do not tell their region themselves;
	// empty means DefaultBase.
	Base string
}

var (
	legacyPath  = regexp.MustCompile(`(?i)^/api/botmanagement/v1/directline/directlinetoken/?$`)
	currentPath = regexp.MustCompile(`(?i)^/powervirtualagents/[^/]+/[^/]+/directline/token/?$`)
)

// TokenEndpoint reads the address of a token endpoint as it was pasted. It
// returns the address to ask for tokens and, for bots that have one, that of the
// settings of their region. What else people paste is refused with the reason:
// all faults are Unprocessable, token-endpoint-invalid. It is pure.
func TokenEndpoint(pasted string, hosts []string) (token, settings string, err error) {
	pasted = strings.TrimSpace(pasted)
	u, err := url.Parse(pasted)
	switch {
	case strings.HasPrefix(pasted, "<"):
		return "", "", wrongEndpoint("This is an embed code. Copy the token endpoint instead: it stands beside it, and begins with https://.")
	case err != nil || u.Host == "" || u.User != nil:
		return "", "", wrongEndpoint("It must be an address that begins with https://.")
	case strings.Contains(u.Path, "/webchat"):
		return "", "", wrongEndpoint("This is the page on which the bot can be tried. Copy the token endpoint instead.")
	}
	if _, err := rest.Trusted(u.Scheme+"://"+u.Host, hosts); err != nil {
		return "", "", wrongEndpoint("Its host is none of those that Power Virtual Agents has.").Because(err)
	}
	u.Fragment = ""
	q := u.Query()
	switch {
	case legacyPath.MatchString(u.Path) && q.Get("botId") != "":
		return u.String(), "", nil
	case currentPath.MatchString(u.Path) && q.Get("api-version") != "":
		s := url.URL{
			Scheme: u.Scheme, Host: u.Host, Path: "/powervirtualagents/regionalchannelsettings",
			RawQuery: url.Values{"api-version": {q.Get("api-version")}}.Encode(),
		}
		return u.String(), s.String(), nil
	}
	return "", "", wrongEndpoint("It is an address of Power Virtual Agents, but not that of a token endpoint. Copy it whole, with everything after the question mark.")
}

func wrongEndpoint(why string) *fault.Error {
	return fault.New(fault.Unprocessable, "token-endpoint-invalid", "The bot's token endpoint can't be used. "+why)
}

// Start begins a conversation with a bot, as the user of that id; an id of Direct
// Line begins with dl_. The bot says nothing before Greet.
func (c *Client) Start(ctx context.Context, b Bot, userID string) (State, error) {
	if userID == "" {
		return State{}, fault.New(fault.Invalid, "user-id-missing", "A conversation with a bot needs an id of the user.")
	}
	if b.Secret != "" {
		return c.startWithSecret(ctx, b, userID)
	}
	endpoint, settings, err := TokenEndpoint(b.TokenEndpoint, c.o.TokenHosts)
	if err != nil {
		return State{}, err
	}
	base, err := c.region(ctx, settings, b.Base)
	if err != nil {
		return State{}, err
	}
	var g granted
	if err := c.call(ctx, rest.Request{Method: http.MethodGet, URL: endpoint, Repeatable: true}, &g); err != nil {
		return State{}, err
	}
	if g.Token == "" {
		return State{}, c.service.Fault(fault.Unavailable, "answer-invalid", "was asked for a token and gave none.")
	}
	return c.begin(ctx, base, g.Token, userID)
}

func (c *Client) startWithSecret(ctx context.Context, b Bot, userID string) (State, error) {
	base, err := c.region(ctx, "", b.Base)
	if err != nil {
		return State{}, err
	}
	var g granted
	err = c.call(ctx, rest.Request{
		Method: http.MethodPost, URL: base + "/v3/directline/tokens/generate", Bearer: b.Secret, Repeatable: true,
		Body: activity.Marshal(map[string]any{"user": map[string]string{"id": userID}}),
	}, &g)
	if err != nil {
		return State{}, err
	}
	return c.begin(ctx, base, g.Token, userID)
}

// region asks where the bot's Direct Line is. A token that is used in another
// region is refused (documented: regional Direct Line).
func (c *Client) region(ctx context.Context, settings, base string) (string, error) {
	if settings != "" {
		var told struct {
			ChannelURLsByID struct{ DirectLine string }
		}
		if err := c.call(ctx, rest.Request{Method: http.MethodGet, URL: settings, Repeatable: true}, &told); err != nil {
			return "", err
		}
		base = cmp.Or(told.ChannelURLsByID.DirectLine, base)
	}
	return rest.Trusted(cmp.Or(base, DefaultBase), c.o.Hosts)
}
