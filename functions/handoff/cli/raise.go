package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/functions/handoff/cli/terminal"
	"handoff/infra/httpapi"
)

const maxBody = 64 << 20 // the server has its own, smaller limit

type raiseOptions struct {
	file       string
	activities bool
	key        string
	quick      quickBody
	variables  []string
}

// quickBody is a small hand-off in the plain dialect.
type quickBody struct {
	ConversationID string                     `json:"conversation_id"`
	Reason         string                     `json:"reason,omitempty"`
	Topic          string                     `json:"topic,omitempty"`
	Language       string                     `json:"language,omitempty"`
	Channel        string                     `json:"channel,omitempty"`
	LastPhrase     string                     `json:"last_phrase,omitempty"`
	MessageToAgent string                     `json:"message_to_agent,omitempty"`
	Customer       map[string]string          `json:"customer,omitempty"`
	Variables      map[string]json.RawMessage `json:"variables,omitempty"`
}

func (a *app) raiseCommand() *cobra.Command {
	var o raiseOptions
	var customer string
	c := &cobra.Command{
		Use: "raise CONNECTION", GroupID: groupWork, Args: names("CONNECTION"), Short: "Hand a conversation over, as a bot does",
		Long: "Raises an escalation, as a bot does: from a file with the JSON that bots send, or quickly from flags, to try rules and endpoints out. " +
			"The same conversation again while its escalation is open is the same escalation, and gets the same answer.",
		Example: "  handoff raise store-bot --topic Refund --language nl-NL --var order_total=380\n  handoff raise store-bot -f body.json\n" +
			"  handoff raise store-bot -f activities.json --activities",
		Annotations: after("handoff why ESCALATION      why it went to its queue", "handoff status ESCALATION   where it stands"),
		RunE: func(c *cobra.Command, args []string) error {
			if customer != "" {
				o.quick.Customer = map[string]string{"id": customer}
			}
			return a.raise(c.Context(), args[0], o, quickFlag(c.Flags()))
		},
	}
	f := c.Flags()
	f.StringVarP(&o.file, "file", "f", "", "`file` with the request's body, - for standard input")
	f.BoolVar(&o.activities, "activities", false, "the body is Bot Framework activities")
	f.StringVar(&o.key, "idempotency-key", "", "the same `key` with the same body is the same request")
	f.StringVar(&o.quick.ConversationID, "conversation", "", "the bot's `id` of the conversation (default: a new one)")
	f.StringVar(&o.quick.Reason, "reason", "", "customer_asked, not_understood, topic_needs_human, bot_failed, policy or other")
	f.StringVar(&o.quick.Topic, "topic", "", "what it is about")
	f.StringVar(&o.quick.Language, "language", "", "such as nl-NL")
	f.StringVar(&o.quick.Channel, "channel", "", "such as web or teams")
	f.StringVar(&o.quick.LastPhrase, "phrase", "", "what the customer said last")
	f.StringVar(&o.quick.MessageToAgent, "message", "", "a note for the human agent")
	f.StringVar(&customer, "customer", "", "the customer's `id`")
	f.StringArrayVar(&o.variables, "var", nil, "a variable, `name=value`; may be repeated")
	return c
}

// quickFlag returns the first flag that belongs to a quick body, empty if none
// was given.
func quickFlag(f *pflag.FlagSet) (name string) {
	f.Visit(func(g *pflag.Flag) {
		switch g.Name {
		case "conversation", "reason", "topic", "language", "channel", "phrase", "message", "customer", "var":
			name = g.Name
		}
	})
	return name
}

func (a *app) raise(ctx context.Context, id string, o raiseOptions, quick string) error {
	body, err := a.raiseBody(o, quick)
	if err != nil {
		return err
	}
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	if !o.activities {
		r, err := client.RaiseRaw(ctx, id, body, o.key)
		if err != nil {
			return err
		}
		return a.print(r, func() { a.raised(r) })
	}
	set, err := client.RaiseActivities(ctx, id, body, o.key)
	if err != nil {
		return err
	}
	if len(set.Escalations) == 0 {
		return a.print(set.Ignored, func() {
			a.out.Printf("nothing to hand over: %s ignored\n", counted(set.Ignored.Ignored, "activity", "activities"))
		})
	}
	return a.print(set.RaisedSet, func() {
		for _, r := range set.Escalations {
			a.raised(r)
		}
	})
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (a *app) raiseBody(o raiseOptions, quick string) ([]byte, error) {
	if o.file != "" && quick != "" {
		return nil, usage("the body comes from a file (-f) or from flags (--%s), not from both", quick)
	}
	if o.file != "" {
		return a.readFile(o.file, maxBody)
	}
	if o.activities {
		return nil, usage("--activities needs a file: -f activities.json")
	}
	b := o.quick
	if b.ConversationID == "" {
		b.ConversationID = "cli-" + strings.ToLower(rand.Text())
		a.tell("%s\n", terminal.Dim("conversation "+b.ConversationID))
	}
	for _, v := range o.variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usage("--var is name=value, not %q", v)
		}
		if b.Variables == nil {
			b.Variables = make(map[string]json.RawMessage)
		}
		b.Variables[name] = variable(value)
	}
	return json.Marshal(b)
}

// variable reads a value as JSON, and as a text if it is none.
func variable(value string) json.RawMessage {
	if json.Valid([]byte(value)) {
		return json.RawMessage(value)
	}
	quoted, err := json.Marshal(value)
	if err != nil { // a text
		panic(err)
	}
	return quoted
}

func (a *app) raised(r httpapi.Raised) {
	verb := "raised"
	if r.Duplicate {
		verb = "again"
	}
	a.out.Printf(" %-8s %s", verb, terminal.Bold(r.EscalationID))
	if r.Duplicate {
		a.out.Printf("  was there already; no second one was made")
	}
	a.out.Printf("\n")
	queue := queueName(events.Queue{ID: r.Queue, Name: r.QueueName})
	switch {
	case r.Status == conversation.Raised:
		a.out.Printf(" waits    to be routed\n")
	case r.Rule != "":
		a.out.Printf(" %-8s %s, because of rule %s\n", r.Status, queue, fmt.Sprintf("%q", r.Rule))
	default:
		a.out.Printf(" %-8s %s, the fallback: no rule matched\n", r.Status, queue)
	}
	a.next("handoff why "+r.EscalationID, "handoff status "+r.EscalationID)
}
