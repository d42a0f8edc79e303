package dataverse

import (
	"context"
	"strconv"
	"time"

	"handoff/infra/microsoft/entra/guid"
)

// Status is the statuscode of a conversation record (documented: reference of
// msdyn_ocliveworkitem).
type Status int

// The statuses. From Closed there is no way on.
const (
	Open      Status = 1 // waits in a queue
	Active    Status = 2 // with somebody
	Waiting   Status = 3 // for the customer
	Closed    Status = 4
	WrapUp    Status = 5
	Resolved  Status = 6
	Scheduled Status = 7
)

// Reason is why a conversation has its status (documented as Status is).
type Reason int

// The reasons.
const (
	AwaitingAssignment Reason = 192350001 + iota
	AwaitingAcceptance
	InConversation
	AwaitingCustomer
	MovedToWrapUp
	CustomerLeftActive
	CustomerMovedToWrapUp
	EndedByAgent
	ClosedFromWaiting
	ClosedBySystem
	ClosedByOverflow
	CustomerLeftOpen
	EndedByBot
	ClosedByFailure
	ClosedBySupervisor
	ClosedByAdministrator
	AssignedBySupervisor
)

// String returns the reason's name in kebab-case, for facts.
func (r Reason) String() string {
	names := [...]string{
		"awaiting-assignment", "awaiting-acceptance", "in-conversation", "awaiting-customer", "moved-to-wrap-up", "customer-left",
		"customer-moved-to-wrap-up", "ended-by-agent", "closed-from-waiting", "closed-by-system", "closed-by-overflow",
		"customer-left-queue", "ended-by-bot", "closed-by-failure", "closed-by-supervisor", "closed-by-administrator", "assigned-by-supervisor",
	}
	if i := int(r - AwaitingAssignment); i >= 0 && i < len(names) {
		return names[i]
	}
	return "reason-" + strconv.Itoa(int(r))
}

// Conversation is a conversation record: what became of a conversation in the
// hub. Who the customer is and what it is about are not read.
type Conversation struct {
	ID                   guid.ID // msdyn_ocliveworkitemid, as the bot is told it
	Workstream           guid.ID
	Status               Status
	Reason               Reason // 0: none is given
	Queue                guid.ID
	QueueName            string
	Agent                guid.ID // the user who has it; may be the bot's
	Escalations          int     // of a bot, to a person
	Transfers, Overflows int
	Accepted, Abandoned  bool
	// Initiated, Started and Closed are zero where it has not come to that.
	Initiated, Started, Closed time.Time
	Modified                   time.Time // to the second
}

func conversation(r row) Conversation {
	return Conversation{
		ID: r.id("msdyn_ocliveworkitemid"), Workstream: r.id("_msdyn_liveworkstreamid_value"),
		Status: Status(r.number("statuscode")), Reason: Reason(r.number("msdyn_statuschangereason")),
		Queue: r.id("_msdyn_cdsqueueid_value"), QueueName: r.label("_msdyn_cdsqueueid_value"), Agent: r.id("_msdyn_activeagentid_value"),
		Escalations: r.number("msdyn_escalationcount"), Transfers: r.number("msdyn_transfercount"), Overflows: r.number("msdyn_overflowtransfercount"),
		Accepted: r.truth("msdyn_isagentaccepted"), Abandoned: r.truth("msdyn_isabandoned"),
		Initiated: r.time("msdyn_initiatedon"), Started: r.time("msdyn_startedon"), Closed: r.time("msdyn_closedon"), Modified: r.time("modifiedon"),
	}
}

// Overlap is how far Conversations looks back behind a watermark: modifiedon
// has whole seconds and is set before a change is visible.
const Overlap = time.Minute

// Conversations returns the conversations of a workstream that changed since a
// watermark, oldest change first, and the watermark for the next call. It is one
// query, however many conversations are watched. What changed within Overlap of
// the watermark is returned again, so nothing is missed and the caller must bear
// repeats. Needs prvReadmsdyn_ocliveworkitem.
func (c *Client) Conversations(ctx context.Context, workstream guid.ID, since time.Time) ([]Conversation, time.Time, error) {
	rows, err := c.list(ctx, query{
		path: "/msdyn_ocliveworkitems",
		columns: []string{
			"msdyn_ocliveworkitemid", "_msdyn_liveworkstreamid_value", "statuscode", "msdyn_statuschangereason", "_msdyn_cdsqueueid_value",
			"_msdyn_activeagentid_value", "msdyn_escalationcount", "msdyn_transfercount", "msdyn_overflowtransfercount",
			"msdyn_isagentaccepted", "msdyn_isabandoned", "msdyn_initiatedon", "msdyn_startedon", "msdyn_closedon", "modifiedon",
		},
		filter: "_msdyn_liveworkstreamid_value eq " + string(workstream) + " and modifiedon ge " + since.Add(-Overlap).UTC().Format(time.RFC3339),
		order:  "modifiedon asc", labels: true,
	})
	if err != nil {
		return nil, since, wrap(err, "conversations of workstream %s", workstream)
	}
	var all []Conversation
	for _, r := range rows {
		v := conversation(r)
		if v.ID == "" {
			continue
		}
		all = append(all, v)
		if v.Modified.After(since) {
			since = v.Modified
		}
	}
	return all, since, nil
}

// Values returns the values of one context variable by conversation, of what was
// set since a watermark: by HandoffEscalationId an escalation is found again in
// the hub where nobody was told the conversation's id. Newer organisations keep
// values in an elastic table (community), older ones in a standard one; both are
// read, and one that is not there is passed over. Needs
// prvReadmsdyn_ocliveworkitemcontextitem and …elastic.
func (c *Client) Values(ctx context.Context, variable string, since time.Time) (map[guid.ID]string, error) {
	all := make(map[guid.ID]string)
	for _, set := range []string{"/msdyn_ocliveworkitemcontextitems", "/msdyn_ocliveworkitemcontextitemelastics"} {
		rows, err := c.list(ctx, query{
			path: set, columns: []string{"msdyn_value", "_msdyn_ocliveworkitemid_value"},
			filter: "msdyn_name eq " + quoted(variable) + " and createdon ge " + since.Add(-Overlap).UTC().Format(time.RFC3339),
		})
		if err != nil && !noSuchTable(err) {
			return nil, wrap(err, "values of context variable %s", variable)
		}
		for _, r := range rows {
			if id := r.id("_msdyn_ocliveworkitemid_value"); id != "" {
				all[id] = r.text("msdyn_value")
			}
		}
	}
	return all, nil
}
