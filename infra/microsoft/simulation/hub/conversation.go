package hub

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/wire"
)

// Status is msdyn_ocliveworkitem.statuscode.
type Status int

// The statuses of a conversation.
const (
	Open Status = iota + 1
	Active
	Waiting
	Closed
	WrapUp
)

// String returns the label.
func (s Status) String() string {
	return [...]string{"", "Open", "Active", "Waiting", "Closed", "Wrap-up"}[s]
}

// state returns the statecode that goes with a status. (Documented are both
// lists; that Active and Waiting go with 0 is not verified.)
func (s Status) state() float64 {
	return map[Status]float64{Closed: 1, WrapUp: 4}[s]
}

// legal are the documented transitions.
func legal(from, to Status) bool {
	return slices.Contains(map[Status][]Status{
		Open: {Active, Closed}, Active: {WrapUp, Open, Waiting, Closed}, WrapUp: {Closed}, Waiting: {Closed, Active, Open},
	}[from], to)
}

// Reason is msdyn_statuschangereason.
type Reason int

// The reasons that the fake gives.
const (
	AwaitingAssignment     Reason = 192350001
	AwaitingAcceptance     Reason = 192350002
	InConversation         Reason = 192350003
	AwaitingCustomer       Reason = 192350004
	AgentMovedToWrapUp     Reason = 192350005
	CustomerLeftActive     Reason = 192350006
	CustomerMovedToWrapUp  Reason = 192350007
	EndedByAgent           Reason = 192350008
	ClosedBySystem         Reason = 192350010
	ClosedByOverflow       Reason = 192350011
	CustomerLeftOpen       Reason = 192350012
	EndedByBot             Reason = 192350013
	ClosedBySupervisor     Reason = 192350015
	ClosedByAdministrator  Reason = 192350016
	assignmentBySupervisor Reason = 192350017
)

// Sender is who says something.
type Sender string

// The senders.
const (
	Customer Sender = "customer"
	Bot      Sender = "bot"
	Agent    Sender = "agent"
	System   Sender = "system"
)

// Message is something said in a conversation.
type Message struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	From Sender    `json:"from"`
	Name string    `json:"name"`
	Text string    `json:"text"`
	// Private messages are for human agents only.
	Private bool `json:"private,omitempty"`
	// Attachments are those of an activity, as they came.
	Attachments []any `json:"attachments,omitempty"`
}

// Delivery is one request to a bot.
type Delivery struct {
	Activity wire.Object
	Status   int    // 0: there was no answer
	Problem  string // why there was none
}

// Conversation is what may be known of one.
type Conversation struct {
	ID           string // of its record
	Thread       string // conversation.id of its activities
	Organisation string
	Status       Status
	Reason       Reason
	Queue        string // id
	QueueName    string
	Agent        string // id of the user who has it: the bot's or a person's
	Offered      string // id of the person to whom it is offered
	Escalations  int
	Messages     []Message
	// Context are the variables.
	Context map[string]any
	// Problems are what the real hub would drop or ignore in silence.
	Problems   []string
	Deliveries []Delivery
	// Sent are the activities that the bot sent, as they came.
	Sent []wire.Object
	// Explanation says how it was routed, a line a step.
	Explanation []string
}

// conversation is a chat. The hub's lock guards it.
type conversation struct {
	hub          *Hub
	db           *tables.Database
	id, thread   string
	stream       tables.Row // its workstream
	customer     string
	customerID   string
	status       Status
	reason       Reason
	bot          *bot
	queue, agent string
	offered      string
	declined     []string
	escalations  int
	messages     []Message
	problems     []string
	deliveries   []Delivery
	sent         []wire.Object
	explanation  []string

	native    Native // of a bot that is no program of its own
	outbox    []wire.Object
	sending   bool
	said      int // numbers what is said
	stopQuiet func()
	queued    time.Time
	stopQueue func()
}

func (c *conversation) snapshot() Conversation {
	s := Conversation{
		ID: c.id, Thread: c.thread, Organisation: c.db.ID, Status: c.status, Reason: c.reason, Queue: c.queue, Agent: c.agent, Offered: c.offered,
		Escalations: c.escalations, Messages: slices.Clone(c.messages), Context: c.context(), Problems: slices.Clone(c.problems),
		Deliveries: slices.Clone(c.deliveries), Sent: slices.Clone(c.sent), Explanation: slices.Clone(c.explanation),
	}
	s.QueueName = wire.String(c.db.Get("queues", c.queue), "name")
	return s
}

// context returns the variables of the record.
func (c *conversation) context() map[string]any {
	all := make(map[string]any)
	for _, r := range c.db.All(c.db.ContextItems(), "_msdyn_ocliveworkitemid_value", c.id) {
		all[wire.String(r, "msdyn_name")] = value(r)
	}
	return all
}

// value returns what a context item holds, in its kind.
func value(item tables.Row) any {
	text := wire.String(item, "msdyn_value")
	var v any
	if kind := item["msdyn_datatype"]; (kind == number || kind == boolean) && json.Unmarshal([]byte(text), &v) == nil {
		return v
	}
	return text
}

// move changes the status, where that is legal.
func (c *conversation) move(to Status, why Reason) error {
	if c.status == Closed || to != c.status && !legal(c.status, to) {
		return fault.Newf(fault.Conflict, "transition-illegal", "A conversation that is %s can't become %s.", c.status, to)
	}
	c.status, c.reason = to, why
	c.write(tables.Row{"statecode": to.state(), "statuscode": float64(to), "msdyn_statuschangereason": float64(why)})
	return nil
}

// write changes columns of the record.
func (c *conversation) write(changes tables.Row) {
	c.db.Put("msdyn_ocliveworkitems", c.id, changes)
	c.hub.notify()
}

func (c *conversation) now() string { return tables.Stamp(c.hub.Clock.Now()) }

// add keeps what is said.
func (c *conversation) add(m Message) string {
	c.said++
	m.ID, m.At = fmt.Sprintf("%d%03d", c.hub.Clock.Now().UnixMilli(), c.said), c.hub.Clock.Now()
	c.messages = append(c.messages, m)
	c.hub.notify()
	return m.ID
}

func (c *conversation) notice(text string) { c.add(Message{From: System, Text: text}) }

// problem remembers what the real hub would not have told.
func (c *conversation) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
	c.hub.notify()
}

// close ends the conversation for good and leaves its transcript.
func (c *conversation) close(why Reason) error {
	if err := c.move(Closed, why); err != nil {
		return err
	}
	c.stop()
	c.offered = ""
	c.write(tables.Row{"msdyn_closedon": c.now(), "msdyn_isabandoned": why == CustomerLeftOpen})
	c.record()
	c.hub.assign()
	return nil
}

// stop has nothing more happen by itself.
func (c *conversation) stop() {
	for _, stop := range []func(){c.stopQuiet, c.stopQueue} {
		if stop != nil {
			stop()
		}
	}
}

// record stores the transcript: a row, and a note with the messages.
func (c *conversation) record() {
	lines := []wire.Object{}
	for _, m := range c.messages {
		from := wire.Object{"user": wire.Object{"displayName": m.Name, "id": string(m.From)}}
		if m.From == Bot {
			from = wire.Object{"application": wire.Object{"displayName": m.Name, "id": c.bot.application}}
		}
		tags := map[bool]string{true: "private", false: "public"}[m.Private]
		if m.From == System {
			tags = "system"
		}
		lines = append(lines, wire.Object{
			"id": m.ID, "content": m.Text, "contentType": "text", "createdDateTime": m.At.UTC().Format(time.RFC3339Nano), "from": from,
			"isControlMessage": m.From == System, "tags": tags, "deliveryMode": "bridged", "attachments": []any{},
		})
	}
	raw, _ := json.Marshal(lines) //nolint:errchkjson // it is made of JSON
	id := c.db.Add("msdyn_transcripts", tables.Row{"msdyn_name": "Transcript", "_msdyn_liveworkitemidid_value": c.id})
	c.db.Add("annotations", tables.Row{
		"subject": "Transcript", "objectid": id, "objecttypecode": "msdyn_transcript", "isdocument": true, "filename": "message.txt",
		"mimetype": "application/json", "documentbody": base64.StdEncoding.EncodeToString(raw),
	})
}

// guard holds changes of records by clients to the legal transitions. A client
// that closes a record closes the conversation.
func (h *Hub) guard(before, after tables.Row) error {
	from, _ := before["statuscode"].(float64)
	to, _ := after["statuscode"].(float64)
	if from == to {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(wire.String(before, "activityid"))
	if err == nil && Status(to) == Closed {
		err = c.close(ClosedByAdministrator)
	} else if err == nil {
		err = fault.New(fault.Conflict, "transition-illegal", "The status of a conversation is changed by what happens in it.")
	}
	if err != nil {
		return wire.Refuse(400, "0x80048408", err.Error())
	}
	return nil
}

// forceClose is the action by which a supervisor ends a conversation.
func (h *Hub) forceClose(_, row tables.Row, _ wire.Object) (wire.Object, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(wire.String(row, "activityid"))
	if err == nil {
		err = c.close(ClosedBySupervisor)
	}
	if err != nil {
		return nil, wire.Refuse(400, "0x80048408", err.Error())
	}
	return nil, nil
}

// begin makes the record of a new conversation.
func (h *Hub) begin(db *tables.Database, stream tables.Row, chat Chat) *conversation {
	c := &conversation{
		hub: h, db: db, id: uuid.NewString(), thread: "19:acsV1_" + uuid.NewString() + "@thread.v2", stream: stream,
		customer: chat.Name, status: Open, reason: AwaitingAssignment,
	}
	row := tables.Row{
		"activityid": c.id, "msdyn_ocliveworkitemid": c.id, "msdyn_title": chat.Name, "subject": chat.Name, "prioritycode": 1.0,
		"_msdyn_liveworkstreamid_value": stream["msdyn_liveworkstreamid"], "msdyn_initiatedon": c.now(), "statecode": 0.0, "statuscode": 1.0,
		"msdyn_statuschangereason": float64(AwaitingAssignment), "msdyn_escalationcount": 0.0, "msdyn_transfercount": 0.0,
		"msdyn_overflowtransfercount": 0.0, "msdyn_isabandoned": false, "msdyn_isagentaccepted": false,
	}
	for _, contact := range db.All("contacts", "fullname", chat.Name) {
		c.customerID = wire.String(contact, "contactid")
		row["_msdyn_customer_value"] = c.customerID
	}
	db.Add("msdyn_ocliveworkitems", row)
	h.conversations = append(h.conversations, c)
	for _, name := range slices.Sorted(maps.Keys(chat.Context)) {
		c.set(name, chat.Context[name])
	}
	h.notify()
	return c
}
