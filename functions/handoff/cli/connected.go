package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"handoff/domain/connection"
	"handoff/functions/handoff/cli/botfile"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/apiclient"
)

// defaultEndpoint is what the server calls an endpoint that nobody named.
const defaultEndpoint = "desk"

// connected shows how far a new connection is, and its credentials.
func (a *app) connected(ctx context.Context, client *apiclient.Client, done connection.Connected, wait time.Duration) error {
	state, err := a.awaitReady(ctx, client, done.State, wait)
	done.State = state
	if printing := a.print(done, func() { a.showCredentials(client.URL(), done) }); printing != nil {
		return errors.Join(err, printing)
	}
	if err == nil {
		a.showHub(state)
		err = a.lookAtRules(ctx, client, state)
		a.next("handoff raise "+done.ID+" --topic Refund", "handoff rules show "+done.ID, "handoff connections show "+done.ID)
	}
	return err
}

// steps shows the steps of a connection, each when it is done.
type steps struct {
	*terminal.Terminal
	shown connection.Status
}

func (s *steps) show(c connection.State) {
	order := []connection.Status{connection.None, connection.Requested, connection.AppRegistered, connection.ChannelEnabled, connection.Ready}
	for i := slices.Index(order, s.shown) + 1; i <= slices.Index(order, c.Status); i++ {
		s.shown = order[i]
		s.step()
	}
	_ = s.Flush() // an error is kept for the end
}

func (s *steps) step() {
	switch s.shown {
	case connection.Requested:
		s.Printf("notice acknowledged")
	case connection.AppRegistered:
		s.Printf(" · app id reserved")
	case connection.ChannelEnabled:
		s.Printf(" · channel on")
	case connection.Ready:
		s.Printf("   %s\n", terminal.Green("READY"))
	case connection.None, connection.Disconnected:
	}
}

func (s *steps) endLine() {
	if s.shown != connection.Ready {
		s.Printf("\n")
	}
}

// awaitReady asks how far the connection is until it is ready, a step fails for
// good, or the wait is over.
func (a *app) awaitReady(ctx context.Context, client *apiclient.Client, c connection.State, wait time.Duration) (connection.State, error) {
	shown := steps{Terminal: terminal.New(io.Discard, terminal.Options{})}
	if !a.json {
		shown.Terminal = a.out
	}
	shown.Printf(" connect  %s -> %s/%s   ", terminal.Bold(c.ID), c.Hub.Type, c.Hub.Organisation)
	shown.show(c)
	if c.Status == connection.Ready || wait == 0 {
		shown.endLine()
		return c, nil
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := poll(limited, func() (bool, error) {
		s, err := client.Connection(limited, c.ID)
		if err != nil {
			return false, err
		}
		c = s
		shown.show(c)
		return c.Status == connection.Ready || !c.Active() || (c.Failure != nil && c.Failure.Permanent), nil
	})
	shown.endLine()
	switch {
	case ctx.Err() != nil:
		return c, ctx.Err()
	case err != nil && limited.Err() == nil:
		return c, err
	}
	return c, notReady(c)
}

// notReady says why a connection is not ready; nil if it is.
func notReady(c connection.State) error {
	switch {
	case c.Status == connection.Ready:
		return nil
	case c.Failure != nil && c.Failure.Permanent:
		return &checkError{fmt.Sprintf("step %q failed: %s (%s). Set it right and connect again", c.Failure.Step, c.Failure.Detail, c.Failure.Code)}
	case c.Failure != nil:
		return &checkError{fmt.Sprintf("step %q does not succeed yet: %s (%s). It is tried again; see handoff connections show %s", c.Failure.Step, c.Failure.Detail, c.Failure.Code, c.ID)}
	default:
		return &checkError{fmt.Sprintf("%s is %s, not ready yet; see handoff connections show %s", c.ID, c.Status, c.ID)}
	}
}

// showCredentials prints what is shown this once.
func (a *app) showCredentials(base string, c connection.Connected) {
	if c.Credentials == nil {
		a.tell("The connection was there, and keeps its credentials.\n")
		return
	}
	k := c.Credentials
	a.out.Printf("\n%s\n", terminal.Bold("Credentials: shown this once. Put them where you keep secrets, not into files under version control."))
	a.credential("bot key", k.BotKey, "raises escalations on "+c.ID+" and can do nothing else; for the bot's HTTP step")
	a.credential("hub key", k.HubKey, "reads the context of escalations and reports what became of them; for the agent hub")
	a.credential("webhook secret", k.WebhookSecret, "for bots that sign their requests (Standard Webhooks) instead of sending a key")
	for _, id := range slices.Sorted(maps.Keys(k.EndpointSecrets)) {
		a.credential("endpoint "+id, k.EndpointSecrets[id], "verifies that what arrives there comes from Handoff")
	}
	if k.BotKey != "" {
		a.out.Printf("\n%s\n%s\n", terminal.Bold("A first escalation from your own bot"), curl(base, c.ID, k.BotKey))
	}
}

func (a *app) credential(name, value, use string) {
	if value == "" {
		return
	}
	a.out.Printf("  %-16s %s\n", name, value)
	a.out.Paragraph(strings.Repeat(" ", 19), terminal.Dim(use))
}

// curl returns a line that raises an escalation.
func curl(base, connection, key string) string {
	return fmt.Sprintf(`curl -sS %s/v1/connections/%s/escalations -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' `+
		`-d '{"conversation_id": "my-first", "reason": "customer_asked", "topic": "Refund"}'`, base, connection, key)
}

// question is one of those that need an answer.
type question struct {
	text, proposed string
	answer         *string
}

func (a *app) askAll(ctx context.Context, all ...question) (err error) {
	for _, q := range all {
		if *q.answer, err = a.need(ctx, q.text, q.proposed); err != nil {
			return err
		}
	}
	return nil
}

// askPlan asks for a connection, and to acknowledge the notice. The hub's type
// is asked for if it is not known.
func (a *app) askPlan(ctx context.Context, hub string) (*botfile.File, error) {
	var f botfile.File
	var where string
	p := &f.Plan
	p.Hub.Type = hub
	err := a.askAll(ctx, question{"Name of the connection (letters, digits, hyphens)", "", &p.Name})
	if err == nil && hub == "" {
		err = a.askAll(ctx, question{"Type of the agent hub: generic or omnichannel", "generic", &p.Hub.Type})
	}
	if err != nil {
		return nil, err
	}
	if p.Hub.Type == connection.Omnichannel {
		return &f, a.askOmnichannel(ctx, &f)
	}
	err = a.askAll(ctx, []question{
		{"Organisation in the hub", "", &p.Hub.Organisation},
		{"Application id in the hub", "", &p.Hub.ApplicationID},
		{"URL that routed escalations are sent to", "", &where},
	}...)
	if err != nil {
		return nil, err
	}
	p.Endpoints = []connection.EndpointPlan{{URL: where, Mode: connection.ModeFull}}
	return &f, a.askNotice(ctx, &p.Notice)
}

func (a *app) askNotice(ctx context.Context, n *connection.NoticePlan) error {
	a.note.Printf("\n")
	for _, text := range notice() {
		a.note.Paragraph("  ", text)
		a.note.Printf("\n")
	}
	who, err := a.need(ctx, "Who acknowledges this? Name or e-mail; it is recorded", "")
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, "Do you acknowledge it?"); err != nil {
		return err
	}
	n.AcceptedBy, n.TextVersion = who, NoticeVersion
	return nil
}

func readAll(r io.Reader, name string, limit int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, asUsage(fmt.Errorf("read %s: %w", name, err))
	}
	if len(b) > limit {
		return nil, usage("%s is larger than %d bytes", name, limit)
	}
	return b, nil
}
