package dataverse

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/infra/microsoft/entra/guid"
)

// Bot is a row of bots: a bot of Power Virtual Agents (Copilot Studio).
type Bot struct {
	ID         guid.ID
	Name       string // at most 100 characters
	SchemaName string // by which its token endpoint knows it
	Language   int    // LCID
	SignsIn    bool   // it asks customers to sign in, with a card
	// State, Status and Component are statecode, statuscode and
	// componentstate; nil where the row does not say.
	State, Status, Component *int
	PublishedOn              time.Time // zero: never
	// Synchronization is JSON as text, or empty: some queries leave it out
	// (community), which says nothing.
	Synchronization string
}

// Choices of a bot (documented: reference of bot).
const (
	botActive     = 0
	botInactive   = 1
	componentLive = 0
	componentGone = 2 // and 3: deleted before it was published
	authNone      = 1 // 0 is unspecified; above it are ways to sign in
)

func bot(r row) Bot {
	code := func(column string) *int {
		if n, ok := value[int](r, column); ok {
			return &n
		}
		return nil
	}
	return Bot{
		ID: r.id("botid"), Name: r.text("name"), SchemaName: r.text("schemaname"), Language: r.number("language"), SignsIn: r.number("authenticationmode") > authNone,
		State: code("statecode"), Status: code("statuscode"), Component: code("componentstate"),
		PublishedOn: r.time("publishedon"), Synchronization: r.text("synchronizationstatus"),
	}
}

// Bot returns a bot, with the code dataverse-bot-missing where there is none.
// Needs prvReadbot.
func (c *Client) Bot(ctx context.Context, id guid.ID) (Bot, error) {
	r, err := c.get(ctx, "bots", id) // all columns: with $select the synchronization may be left out
	if absent(err) {
		return Bot{}, fault.New(fault.NotFound, "dataverse-bot-missing",
			"The organisation has no bot with this id. Compare it with the address of the bot in Copilot Studio, and the environment with the bot's.").Because(err)
	}
	return bot(r), wrap(err, "bot %s", id)
}

// Bots returns the bots of an organisation by their names; their publish state
// is not read. Needs prvReadbot.
func (c *Client) Bots(ctx context.Context) ([]Bot, error) {
	rows, err := c.list(ctx, query{path: "/bots", columns: []string{"botid", "name", "schemaname", "language"}, order: "name"})
	if err != nil {
		return nil, wrap(err, "list bots")
	}
	var all []Bot
	for _, r := range rows {
		all = append(all, bot(r))
	}
	return all, nil
}

// Publication finds out whether a bot is published. A bot that is gone is
// Deleted. Where nothing could be found out the state is Unknown and the error
// says why, with when to try again if the service named a time. Needs
// prvReadbot.
func (c *Client) Publication(ctx context.Context, id guid.ID) (publication.Finding, error) {
	b, err := c.Bot(ctx, id)
	switch {
	case fault.Is(err, "dataverse-bot-missing"):
		return publication.Finding{State: publication.Deleted, Reason: "row-missing", Detail: "The bot is not in its environment any more."}, nil
	case err != nil:
		return publication.Finding{State: publication.Unknown, Reason: fault.CodeOf(err), Detail: "Whether the bot is published could not be found out."}, err
	}
	return b.Publication(), nil
}

// Publication says what a row means. The columns are documented; how they go
// together is our reading of them: a bot is live if it is active, provisioned,
// published and has a time of publication. That time is looked at for being
// there only, for it does not move with every publication (community).
func (b Bot) Publication() publication.Finding {
	switch {
	case b.Component != nil && *b.Component >= componentGone:
		return publication.Finding{State: publication.Deleted, Reason: "component-deleted", Detail: "The bot is deleted."}
	case b.State == nil || b.Status == nil || b.Component == nil:
		return publication.Finding{Reason: "row-incomplete", Detail: "The bot's row does not say what state it is in."}
	case *b.State == botInactive:
		return publication.Finding{State: publication.Unpublished, Reason: "inactive", Detail: "The bot is switched off."}
	case *b.State != botActive:
		return publication.Finding{Reason: "state-not-known", Detail: "The bot is in a state that this version of Handoff does not know."}
	}
	if f, ends := b.provisioned(); ends {
		return f
	}
	return b.published()
}

// provisioned returns what follows from the status alone, and whether it ends
// there.
func (b Bot) provisioned() (f publication.Finding, ends bool) {
	off := func(reason, detail string) (publication.Finding, bool) {
		return publication.Finding{State: publication.Unpublished, Reason: reason, Detail: detail}, true
	}
	switch *b.Status {
	case 1:
		return f, false
	case 2:
		return off("deprovisioned", "The bot is deprovisioned.")
	case 4:
		return off("provisioning-failed", "The bot could not be provisioned. Open it in Copilot Studio and publish it again.")
	case 5:
		return off("licence-missing", "The bot has no licence any more.")
	case 3:
		if b.PublishedOn.IsZero() {
			return off("never-published", "The bot is being provisioned and was never published.")
		}
		return publication.Finding{Reason: "provisioning", Detail: "The bot is being provisioned again."}, true
	}
	return publication.Finding{Reason: "status-not-known", Detail: "The bot has a status that this version of Handoff does not know."}, true
}

func (b Bot) published() publication.Finding {
	failed := lastPublishFailed(b.Synchronization)
	switch {
	case b.PublishedOn.IsZero() && failed:
		return publication.Finding{State: publication.Unpublished, Reason: "first-publish-failed", Detail: "The bot was never published: publishing it failed. Copilot Studio says why."}
	case b.PublishedOn.IsZero():
		return publication.Finding{State: publication.Unpublished, Reason: "never-published", Detail: "The bot was never published. Publish it in Copilot Studio."}
	case *b.Component != componentLive:
		return publication.Finding{State: publication.Unpublished, Reason: "component-unpublished", Detail: "The bot is not published."}
	case failed:
		return publication.Finding{State: publication.Outdated, Reason: "last-publish-failed", Detail: "The bot answers in an earlier version: its last publishing failed. Copilot Studio says why."}
	}
	return publication.Finding{State: publication.Published, Reason: "published", Detail: "The bot is published."}
}

// lastPublishFailed reads synchronizationstatus (community: observed in live
// organisations; the words are not documented). What can't be read, or has
// another word, is no failure.
func lastPublishFailed(text string) bool {
	var s struct {
		LastFinishedPublishOperation struct{ Status string }
	}
	err := json.Unmarshal([]byte(text), &s)
	return err == nil && strings.EqualFold(s.LastFinishedPublishOperation.Status, "Failed")
}
