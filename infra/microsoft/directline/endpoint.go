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
	// Secret is asked with instead, if it is set: where web channel security is
	// on, a bot's maker copies it from there, and the token endpoint gives
	// nothing. An endpoint beside it still tells the bot's region.
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
// all faults are Unprocessable, token-endpoint-invalid or
// national-cloud-unsupported. It is pure.
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
	if _, err := rest.Trusted(u.Scheme+"://"+u.Host, hosts); fault.Is(err, "national-cloud-unsupported") {
		return "", "", err
	} else if err != nil {
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

// user returns who a customer is to the bot. Ids that begin with dl_ are kept for
// those that a token has embedded (read from the vendor's client, setUserId), and
// only a secret embeds one, which must begin so (documented: enhanced
// authentication).
func (b Bot) user(id string) string {
	if id = strings.TrimPrefix(id, "dl_"); b.Secret != "" {
		return "dl_" + id
	}
	return id
}

// Start begins a conversation with a bot, as the user of that id, with which dl_
// is put before it or taken away as the bot's tokens ask for it. The bot says
// nothing before Greet.
func (c *Client) Start(ctx context.Context, b Bot, userID string) (State, error) {
	if userID == "" {
		return State{}, fault.New(fault.Invalid, "user-id-missing", "A conversation with a bot needs an id of the user.")
	}
	userID = b.user(userID)
	base, token, err := c.admitted(ctx, b, userID)
	if err != nil {
		return State{}, err
	}
	return c.begin(ctx, base, token, userID)
}

// Reach returns nil if a conversation with a bot could be begun: it asks for a
// token, and begins none.
func (c *Client) Reach(ctx context.Context, b Bot) error {
	_, _, err := c.admitted(ctx, b, b.user("handoff-check"))
	return err
}

// admitted returns where a bot's Direct Line is, and a token for it.
func (c *Client) admitted(ctx context.Context, b Bot, userID string) (base, token string, err error) {
	var endpoint, settings string
	if b.TokenEndpoint != "" || b.Secret == "" {
		if endpoint, settings, err = TokenEndpoint(b.TokenEndpoint, c.o.TokenHosts); err != nil {
			return "", "", err
		}
	}
	if base, err = c.region(ctx, settings, b.Base); err != nil {
		return "", "", err
	}
	ask := rest.Request{Method: http.MethodGet, URL: endpoint, Repeatable: true}
	if b.Secret != "" {
		ask = rest.Request{
			Method: http.MethodPost, URL: base + "/v3/directline/tokens/generate", Bearer: b.Secret, Repeatable: true,
			Body: activity.Marshal(map[string]any{"user": map[string]string{"id": userID}}),
		}
	}
	var g granted
	if err := c.call(ctx, ask, &g); err != nil {
		return "", "", err
	}
	if g.Token == "" {
		return "", "", c.service.Fault(fault.Unavailable, "answer-invalid", "was asked for a token and gave none.")
	}
	return base, g.Token, nil
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
