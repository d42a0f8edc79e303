// Package virtualbot is the fake's Direct Line 3.0 with bots of Power Virtual
// Agents (Copilot Studio) behind it: their token endpoint, the regional
// settings, conversations by polling and by WebSocket, and bots that talk by a
// script of topics.
//
// Requests, statuses and bodies of Direct Line are documented (Direct Line API
// 3.0 and its swagger); the token endpoint and the regional settings are read
// from the vendor's samples; the hand-off event and the transcript in it have
// the shape of a recorded payload. Not verified: what exactly the codes of
// refusals are beyond TokenExpired and BadArgument; that a token of another
// region is refused with this text; that an unpublished bot answers with a
// message that names LatestPublishedVersionNotFound; that a bot takes no
// notice of handoff.status; and how a bot that is connected natively and the hub
// talk, which is inside of Microsoft's cloud (see Native).
package virtualbot

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"time"

	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/wire"
)

// How long tokens of the token endpoint, tokens of Direct Line, and addresses
// of streams are valid.
const (
	endpointLifetime = time.Hour
	tokenLifetime    = 30 * time.Minute
	streamLifetime   = time.Minute
)

// Bot is a bot as its author left it.
type Bot struct {
	ID       string // GUID
	Schema   string // its name in addresses
	Name     string
	Tenant   string
	Region   string // of its Direct Line: "" for the global one, or "europe"
	Language string // as va_Language spells it
	Secret   string // of its Direct Line channel
	// Secured has the token endpoint ask for the secret (web channel security).
	Secured bool
	Topics  []Topic
	// ApplicationID is that of its native connection to Omnichannel; empty: it
	// has none.
	ApplicationID string
	// External is the program that the bot is; nil: it follows its topics.
	External *External
}

// Topic is what a bot does after one of the phrases. The topic Greeting is
// also begun by the event startConversation, the topic Escalate also after
// three phrases in a row that the bot did not understand.
type Topic struct {
	Name    string
	Phrases []string // parts of what the user says, in lower case
	Nodes   []Node
}

// Node is one step of a topic.
type Node struct {
	// After is how long the bot takes before this step.
	After time.Duration
	// Say is a message.
	Say string
	// Ask waits for the next message of the user and keeps it in this variable.
	Ask string
	// Set sets variables.
	Set wire.Object
	// Request is the node "Send HTTP request"; the rest of this node is left out.
	Request *Request
	// Transfer is the node "Transfer to agent", with its private message.
	Transfer bool
	Message  string
}

// Names of topics with a meaning of their own.
const (
	Greeting = "Greeting"
	Escalate = "Escalate"
)

// Options are what a service is made with.
type Options struct {
	Clock clock.Clock
	// Published tells whether a bot has a published version.
	Published func(botID string) bool
	// URL returns the address of the Direct Line of a region, without a slash
	// at the end.
	URL func(region string) string
	// Directory knows external bots, and signs what is posted to them.
	Directory *tenants.Directory
}

// Service is Direct Line, in all regions, and the bots. It is safe for
// concurrent use; make it with New.
type Service struct {
	Options
	wg            sync.WaitGroup
	mu            sync.Mutex
	ctx           context.Context //nolint:containedctx // of the running service, for requests that nobody waits for
	bots          []*Bot
	conversations map[string]*conversation
	order         []string
	tokens        map[string]*token
	repeats       bool
}

// token lets a client into one conversation.
type token struct {
	bot          *Bot
	conversation string
	user         string // whom it names; empty: anybody
	expires      time.Time
}

// New returns a service with bots.
func New(o Options, bots ...Bot) *Service {
	s := &Service{Options: o, ctx: context.Background(), conversations: make(map[string]*conversation), tokens: make(map[string]*token)}
	for _, b := range bots {
		s.bots = append(s.bots, &b)
	}
	return s
}

// Start has requests of bots end with ctx.
func (s *Service) Start(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx = ctx
}

// Wait returns when no bot makes a request.
func (s *Service) Wait() { s.wg.Wait() }

// Conversation is what a test may know of one.
type Conversation struct {
	ID string
	// Activities are all that was said, by user and bot, typing left out.
	Activities []wire.Object
	// Statuses are the values of handoff.status that the bot got.
	Statuses []wire.Object
	// AfterTransfer counts messages that the bot got after its Transfer node
	// and before the hand-off was completed or had failed.
	AfterTransfer int
	// Ended is whether the client sent endOfConversation.
	Ended bool
}

// Conversations returns all conversations, the earliest first.
func (s *Service) Conversations() (all []Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.order {
		c := s.conversations[id]
		all = append(all, Conversation{
			ID: id, Activities: append([]wire.Object(nil), c.activities...), Statuses: append([]wire.Object(nil), c.statuses...),
			AfterTransfer: c.afterTransfer, Ended: c.ended,
		})
	}
	return all
}

// Script replaces what a bot does.
func (s *Service) Script(botID string, topics []Topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.bot(func(b *Bot) bool { return b.ID == botID }); b != nil {
		b.Topics = topics
	}
}

// Repeat has every set of activities hold what is new, then all that came
// before, and then what is new once more, or has that end: a client is told
// everything at least once (documented), in whatever order.
func (s *Service) Repeat(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repeats = on
}

// ExpireTokens has all tokens expire now.
func (s *Service) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		t.expires = s.Clock.Now()
	}
}

func (s *Service) bot(is func(*Bot) bool) *Bot {
	for _, b := range s.bots {
		if is(b) {
			return b
		}
	}
	return nil
}

// issue makes a token. The caller holds mu.
func (s *Service) issue(t token, lifetime time.Duration) string {
	text := rand.Text()
	t.expires = s.Clock.Now().Add(lifetime)
	s.tokens[text] = &t
	return text
}

func (s *Service) newConversation(b *Bot) string {
	id := rand.Text()[:20] + "-" + map[string]string{"": "us", "europe": "eu"}[b.Region]
	s.conversations[id] = &conversation{service: s, bot: b, id: id, variables: wire.Object{}}
	return id
}

// TokenEndpoint returns the host of Power Platform, by which a site gets
// tokens: the address per environment, and the older one for all.
func (s *Service) TokenEndpoint() http.Handler {
	return wire.Routes{
		"GET /powervirtualagents/botsbyschema/{schema}/directline/token": s.tokenBySchema,
		"GET /powervirtualagents/regionalchannelsettings":                s.settings,
		"GET /api/botmanagement/v1/directline/directlinetoken":           s.legacyToken,
	}.Handler(Shape)
}

func versioned(r *http.Request) error {
	if r.URL.Query().Get("api-version") == "" {
		return wire.Refuse(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter is required.")
	}
	return nil
}

func (s *Service) tokenBySchema(w http.ResponseWriter, r *http.Request) error {
	if err := versioned(r); err != nil {
		return err
	}
	return s.answerToken(w, r, func(b *Bot) bool { return strings.EqualFold(b.Schema, r.PathValue("schema")) }, true)
}

func (s *Service) legacyToken(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	return s.answerToken(w, r, func(b *Bot) bool {
		return strings.EqualFold(b.ID, q.Get("botId")) && strings.EqualFold(b.Tenant, q.Get("tenantId"))
	}, false)
}

func (s *Service) answerToken(w http.ResponseWriter, r *http.Request, is func(*Bot) bool, whole bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bot(is)
	if b == nil {
		return wire.Refuse(http.StatusNotFound, "BotNotFound", "There is no such bot.")
	}
	if b.Secured && r.Header.Get("Authorization") != "Bearer "+b.Secret {
		return wire.Refuse(http.StatusUnauthorized, "Unauthorized", "The web channel of this bot needs its secret.")
	}
	id := s.newConversation(b)
	answer := wire.Object{"token": s.issue(token{bot: b, conversation: id}, endpointLifetime)}
	if whole {
		answer["conversationId"], answer["expires_in"] = id, int(endpointLifetime/time.Second)
	}
	wire.JSON(w, http.StatusOK, answer)
	return nil
}

// settings answers for the region of the first bot: an environment lies in one.
func (s *Service) settings(w http.ResponseWriter, r *http.Request) error {
	if err := versioned(r); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	region := ""
	if len(s.bots) > 0 {
		region = s.bots[0].Region
	}
	wire.JSON(w, http.StatusOK, wire.Object{"channelUrlsById": wire.Object{
		"directline": s.URL(region) + "/", "webchat": "https://webchat.botframework.com/",
	}})
	return nil
}

// Shape writes a refusal as Direct Line does.
func Shape(w http.ResponseWriter, _ *http.Request, f *wire.Error) {
	code := f.Code
	if code == "" {
		code = map[int]string{
			http.StatusTooManyRequests: "TooManyRequests", http.StatusInternalServerError: "ServiceError",
			http.StatusServiceUnavailable: "ServiceError", http.StatusBadGateway: "BotError", http.StatusNotFound: "ConversationNotFound",
		}[f.Status]
	}
	if code == "" {
		code = "BadArgument"
	}
	wire.JSON(w, f.Status, wire.Object{"error": wire.Object{"code": code, "message": cmp.Or(f.Message, http.StatusText(f.Status))}})
}
