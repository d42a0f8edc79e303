package relaying

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/hubrecord"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/microsoft/dataverse"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/controlplane"
	"handoff/infra/microsoft/entra/guid"
	"handoff/infra/microsoft/omnichannel"
)

// FirstLook is how far back a first look at a hub's records goes: as long as an
// escalation is open at most.
const FirstLook = 25 * time.Hour

// recordKey is one conversation record of one organisation.
type recordKey struct {
	organisation string
	id           guid.ID
}

// Changed implements hubwatch.Records: one query for the records of the
// connection's workstream that changed, and one for the escalations of those
// that were not seen before.
func (r *Relaying) Changed(ctx context.Context, tenant, conn string, since time.Time) ([]hubrecord.Record, time.Time, error) {
	c, err := r.connection(ctx, relay.Link{Tenant: tenant, Connection: conn})
	if err != nil {
		return nil, since, err
	}
	stream, err := workstream(c)
	if err != nil {
		return nil, since, err
	}
	hub, err := r.organisation(ctx, tenant, c)
	if err != nil {
		return nil, since, err
	}
	if since.IsZero() {
		since = r.o.Now().Add(-FirstLook)
	}
	all, next, err := hub.Conversations(ctx, stream, since)
	if err != nil {
		return nil, since, err
	}
	if err := r.link(ctx, hub, c.Hub.Organisation, all); err != nil {
		return nil, since, err
	}
	records := make([]hubrecord.Record, 0, len(all))
	for _, v := range all {
		escalation, _ := r.links.Get(recordKey{c.Hub.Organisation, v.ID})
		records = append(records, record(v, escalation, bot(c, v.Agent)))
	}
	return records, next, nil
}

// workstream returns the one that gives its conversations to the bot.
func workstream(c connection.State) (guid.ID, error) {
	name := c.Omnichannel.Workstream
	for _, u := range slices.Backward(c.Users) {
		if u.Workstream != "" {
			name = u.Workstream
			break
		}
	}
	id, ok := guid.Parse(name)
	if !ok {
		return "", fault.Newf(fault.Conflict, "workstream-unknown", "It is not known which workstream of the hub connection %q has.", c.ID)
	}
	return id, nil
}

// organisation returns a client of the hub's organisation.
func (r *Relaying) organisation(ctx context.Context, tenant string, c connection.State) (*dataverse.Client, error) {
	secret, err := r.o.Secrets.Secret(ctx, tenant, connection.SecretName(c.ID, connection.SecretClient))
	if err != nil {
		return nil, fmt.Errorf("secret of connection %s for its hub: %w", c.ID, err)
	}
	who := entra.Credentials{Tenant: c.Omnichannel.Directory, ClientID: c.Omnichannel.ClientID, Secret: entra.Secret(secret)}
	tokens, _, err := r.source(who, dataverse.Scope(c.Hub.Organisation))
	if err != nil {
		return nil, err
	}
	base := c.Hub.Organisation
	if r.o.Hosts.Organisation != nil {
		base = r.o.Hosts.Organisation(base)
	}
	return dataverse.New(controlplane.Options{Base: base, HTTP: r.o.HTTP, Now: r.o.Now, Tokens: tokens})
}

// link finds the escalations of records that may have one and are not known
// yet. Values are searched from the beginning of the oldest of them on.
func (r *Relaying) link(ctx context.Context, hub *dataverse.Client, organisation string, all []dataverse.Conversation) error {
	var from time.Time
	for _, v := range all {
		_, known := r.links.Get(recordKey{organisation, v.ID})
		if known || v.Escalations == 0 && v.Status == dataverse.Active || v.Initiated.IsZero() {
			continue
		}
		if from.IsZero() || v.Initiated.Before(from) {
			from = v.Initiated
		}
	}
	if from.IsZero() {
		return nil
	}
	values, err := hub.Values(ctx, omnichannel.VariableEscalation, from)
	if err != nil {
		return err
	}
	for id, escalation := range values {
		key := recordKey{organisation, id}
		r.links.Put(key, escalation, r.links.Mark(key))
	}
	return nil
}

// bot reports whether a user is the connection's bot.
func bot(c connection.State, user guid.ID) bool {
	return slices.ContainsFunc(c.Users, func(u connection.User) bool {
		id, ok := guid.Parse(u.ID)
		return ok && id == user
	})
}

func record(v dataverse.Conversation, escalation string, withBot bool) hubrecord.Record {
	rec := hubrecord.Record{
		ID: string(v.ID), Escalation: escalation, Status: status(v.Status), Reason: reason(v.Reason),
		Queue: events.HubQueue{ID: string(v.Queue), Name: v.QueueName}, WithBot: withBot,
	}
	if !withBot {
		rec.Agent = string(v.Agent)
	}
	return rec
}

func reason(r dataverse.Reason) string {
	if r == 0 {
		return ""
	}
	return r.String()
}

// status names a statuscode; one that is not known keeps its number.
func status(s dataverse.Status) hubrecord.Status {
	switch s {
	case dataverse.Open:
		return hubrecord.Open
	case dataverse.Active:
		return hubrecord.Active
	case dataverse.Waiting:
		return hubrecord.Waiting
	case dataverse.Closed:
		return hubrecord.Closed
	case dataverse.WrapUp:
		return hubrecord.WrapUp
	case dataverse.Resolved:
		return hubrecord.Resolved
	case dataverse.Scheduled:
		return hubrecord.Scheduled
	}
	return hubrecord.Status(strconv.Itoa(int(s)))
}
