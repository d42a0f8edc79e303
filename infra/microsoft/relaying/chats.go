package relaying

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"handoff/domain/check"
	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/livechat"
	"handoff/infra/microsoft/omnichannel"
)

// OpenChat opens a chat in a connection's hub as a customer would, on a chat
// widget of its workstream, and returns how to go on with it. The chat carries
// the mark of a check, if there is one. Beside the faults of package livechat and
// of the hub's records there is widget-not-found.
func (r *Relaying) OpenChat(ctx context.Context, c connection.State, mark string) (chat string, err error) {
	w, err := r.widget(ctx, c)
	if err != nil {
		return "", err
	}
	var variables map[string]string
	if mark != "" {
		variables = map[string]string{check.Variable: mark}
	}
	opened, err := r.chats.Open(ctx, w, variables)
	if err != nil && opened.Request != "" {
		_ = r.chats.Close(context.WithoutCancel(ctx), w, opened) // it may be open: what is told is why it was to be closed
	}
	if err != nil {
		return "", fmt.Errorf("open a chat in the hub of connection %s: %w", c.ID, err)
	}
	return written(opened)
}

// LookChat returns how the hub has a chat now.
func (r *Relaying) LookChat(ctx context.Context, c connection.State, chat string) (check.Seen, error) {
	opened, err := read(chat)
	if err != nil {
		return check.Seen{}, err
	}
	w, err := r.widget(ctx, c)
	if err != nil {
		return check.Seen{}, err
	}
	d, err := r.chats.Details(ctx, w, opened)
	if err != nil {
		return check.Seen{}, fmt.Errorf("look at a chat in the hub of connection %s: %w", c.ID, err)
	}
	seen := check.Seen{At: r.o.Now().UTC(), State: d.State, Record: string(d.Conversation)}
	if d.Conversation == "" {
		return seen, nil
	}
	return r.recorded(ctx, c, d.Conversation, seen)
}

// recorded adds what the hub's record of a conversation says.
func (r *Relaying) recorded(ctx context.Context, c connection.State, id guid.ID, seen check.Seen) (check.Seen, error) {
	stream, err := workstream(c)
	if err != nil {
		return seen, err
	}
	hub, err := r.organisation(ctx, c.Tenant, c)
	if err != nil {
		return seen, err
	}
	place, err := hub.Workstream(ctx, stream)
	if err != nil {
		return seen, err
	}
	all, _, err := hub.Conversations(ctx, stream, seen.At.Add(-check.Lifetime))
	if err != nil {
		return seen, err
	}
	for _, v := range all {
		if v.ID != id {
			continue
		}
		withBot := v.Agent != "" && (v.Agent == place.BotUser || bot(c, v.Agent))
		seen.Queue = events.HubQueue{ID: string(v.Queue), Name: v.QueueName}
		seen.WithBot, seen.WithPerson = withBot && v.Status == dataverse.Active, v.Agent != "" && !withBot
	}
	return seen, nil
}

// CloseChat ends a chat as a customer does. One that is over is no error.
func (r *Relaying) CloseChat(ctx context.Context, c connection.State, chat string) error {
	opened, err := read(chat)
	if err != nil {
		return err
	}
	w, err := r.widget(ctx, c)
	if err != nil {
		return err
	}
	if err := r.chats.Close(ctx, w, opened); err != nil {
		return fmt.Errorf("close a chat in the hub of connection %s: %w", c.ID, err)
	}
	return nil
}

// widget returns the first chat widget of the connection's workstream whose
// embed code is whole.
func (r *Relaying) widget(ctx context.Context, c connection.State) (livechat.Widget, error) {
	if c.Omnichannel == nil {
		return livechat.Widget{}, fault.Newf(fault.Unprocessable, "connection-not-omnichannel", "Connection %q has no settings of Omnichannel.", c.ID)
	}
	stream, err := workstream(c)
	if err != nil {
		return livechat.Widget{}, err
	}
	hub, err := r.organisation(ctx, c.Tenant, c)
	if err != nil {
		return livechat.Widget{}, err
	}
	all, err := hub.Widgets(ctx, stream)
	if err != nil {
		return livechat.Widget{}, err
	}
	for _, v := range all {
		if w, _, err := omnichannel.ParseWidget(v.Snippet, ""); err == nil {
			return r.hosted(livechat.Widget{URL: w.OrgURL, OrgID: w.OrgID, AppID: w.AppID}), nil
		}
	}
	return livechat.Widget{}, fault.New(fault.Unprocessable, "widget-not-found",
		"The connection's workstream has no chat widget in the hub through which a chat could be opened. Add a chat channel to it.")
}

func (r *Relaying) hosted(w livechat.Widget) livechat.Widget {
	if r.o.Hosts.LiveChat != "" {
		w.URL = r.o.Hosts.LiveChat
	}
	return w
}

// written returns a chat as its caller keeps it.
func written(chat livechat.Chat) (string, error) {
	raw, err := json.Marshal(chat)
	if err != nil {
		return "", fmt.Errorf("write a chat: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// read returns the chat that written wrote.
func read(text string) (chat livechat.Chat, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &chat)
	}
	id, ok := guid.Parse(string(chat.Request))
	if err != nil || !ok || strings.ContainsAny(chat.Session, "\r\n") {
		return chat, fault.New(fault.NotFound, "chat-not-found", "There is no such chat. Say what the check answered with when it began.")
	}
	chat.Request = id
	return chat, nil
}
