package api

import (
	"context"
	"fmt"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/listing"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Limits of what a hub reports.
const (
	maxCode    = 64
	maxMessage = 4000
)

// Escalation returns an escalation and its history, without what is private.
func (h *Handler) Escalation(ctx context.Context, by identity.Principal, id string) (listing.Escalation, []conversation.Entry, error) {
	e, err := h.escalation(ctx, by, id, false)
	if err != nil {
		return listing.Escalation{}, nil, err
	}
	return row(e), e.Timeline, nil
}

// Context returns an escalation with everything that the bot knew.
func (h *Handler) Context(ctx context.Context, by identity.Principal, id string) (conversation.View, error) {
	e, err := h.escalation(ctx, by, id, true)
	return e.View, err
}

// Report records what the hub says of an escalation: accepted, failed or
// completed. The same again is no second fact.
func (h *Handler) Report(ctx context.Context, by identity.Principal, id string, status conversation.Status, code, message string) (listing.Escalation, error) {
	if len(code) > maxCode || len([]rune(message)) > maxMessage {
		return listing.Escalation{}, fault.Newf(fault.Unprocessable, "limit-exceeded",
			"A code has at most %d bytes and a message at most %d characters.", maxCode, maxMessage)
	}
	e, err := h.escalation(ctx, by, id, false)
	if err != nil {
		return listing.Escalation{}, err
	}
	if by.Connection != "" && e.Connection != "" && by.Connection != e.Connection {
		return listing.Escalation{}, fault.New(fault.Conflict, "escalation-moved",
			"The escalation moved to another connection, whose hub reports on it now.")
	}
	cmd := conversation.Report{To: conversation.To(e.stream.ID), Number: e.Number, Status: status, Code: code}
	if message != "" {
		cmd.Words = &events.Words{Message: message}
	}
	if status == conversation.Failed && code == "" {
		cmd.Code = "hub-failed"
	}
	_, err = eventlog.Execute(ctx, h.Ledger, conversation.Decider, e.stream, origin(by),
		func(conversation.State) (eh.Command, error) { return cmd, nil })
	if err != nil {
		return listing.Escalation{}, fmt.Errorf("report on escalation %s: %w", id, err)
	}
	after, err := h.escalation(ctx, by, escid.Of(e.stream.ID, e.Number), false)
	return row(after), err
}

func row(e found) listing.Escalation {
	r := listing.Escalation{
		ID: escid.Of(e.stream.ID, e.Number), Connection: e.stream.Connection, Number: e.Number, Status: string(e.Status),
		Queue: e.Queue, Rule: e.Rule, Fallback: e.Fallback, Priority: e.Priority, Reason: e.Raised.Reason, Topic: e.Raised.Topic,
		Language: e.Raised.Language, Channel: e.Raised.Channel, RaisedAt: e.RaisedAt, Deadline: e.Deadline, Code: e.Code,
		Erased: e.Erased, Stream: e.stream.ID,
	}
	if e.Connection != e.stream.Connection {
		r.RoutedBy = e.Connection
	}
	return r
}
