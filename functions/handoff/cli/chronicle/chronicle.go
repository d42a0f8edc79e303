// Package chronicle tells facts in plain words, one line each, for people who
// want to know what happened and read no code.
//
// It tells the clear parts only, and every fact in the same words whether it
// comes from a server or from a data directory.
package chronicle

import (
	"fmt"
	"strings"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/escid"
	"handoff/events"
)

// Line is one fact in words.
type Line struct {
	At time.Time
	// About is what the fact is about: an escalation, connection or delivery.
	About string
	Text  string
	// Actor is who wanted it, such as "key mfrggzdf"; empty where nobody did.
	Actor string
}

// String returns the whole line, without its time.
func (l Line) String() string {
	s := l.About + " " + l.Text
	if l.Actor != "" {
		s += " (by " + l.Actor + ")"
	}
	return s
}

// Teller puts facts into words, in their order. It remembers deliveries that
// are under way and nothing else. It is not safe for concurrent use.
type Teller struct {
	codec   *events.Codec
	zone    *time.Location
	subject map[events.StreamID]events.DeliverySubject
}

// New returns a teller that writes times in a zone.
func New(codec *events.Codec, zone *time.Location) *Teller {
	return &Teller{codec: codec, zone: zone, subject: make(map[events.StreamID]events.DeliverySubject)}
}

// Tell returns a fact in words. One that it can't read, of a later version, it
// names by its type.
func (t *Teller) Tell(r events.Record) Line {
	l := Line{At: r.At().In(t.zone), About: about(r), Actor: ActorOf(r.Actor)}
	f, err := t.codec.Decode(r.Type, r.Schema, r.Clear)
	if err != nil {
		l.Text = fmt.Sprintf("has a fact %s of version %d, which this handoff can't read", r.Type, r.Schema)
		return l
	}
	switch r.Kind {
	case events.KindConversation:
		l.About, l.Text = "escalation "+escid.Of(r.Stream, max(numberOf(f), 1)), t.conversation(f)
		if ofConversation(f) {
			l.About = "conversation of " + escid.Of(r.Stream, 1)
		}
	case events.KindDelivery:
		var of string
		of, l.Text = t.delivery(r.Stream, f)
		l.About += of
	default:
		l.Text = t.connection(f)
	}
	return l
}

func about(r events.Record) string {
	switch r.Kind {
	case events.KindConversation:
		return "conversation of " + escid.Of(r.Stream, 1)
	case events.KindDelivery:
		return "delivery " + delivery.NameOf(r.Stream)
	case events.KindReservation:
		return "application id"
	default:
		return "connection " + r.Connection
	}
}

// ActorOf says who wanted a fact, by the id that it records. Functions act because of another fact.
func ActorOf(id string) string {
	kind, name, named := strings.Cut(id, ":")
	switch {
	case id == "" || kind == "function":
		return ""
	case kind == "webhook":
		return "the signed webhook of " + name
	case named:
		return id
	}
	return "key " + id
}

func (t *Teller) connection(f events.Fact) string {
	switch f := f.(type) {
	case *events.ConnectionRequested:
		return fmt.Sprintf("requested: %s with %s, organisation %s; notice %s acknowledged by %s",
			orElse(f.Bot.Name, f.Bot.ID, "the bot"), f.Hub.Type, f.Hub.Organisation, f.Notice.TextVersion, f.Notice.AcceptedBy)
	case *events.AppRegistered:
		return fmt.Sprintf("has application id %s%s", f.ApplicationID, when(f.Created, ", made for it"))
	case *events.ChannelEnabled:
		return fmt.Sprintf("has its channel %s on%s", f.Channel, when(f.AlreadyOn, ", as it was before"))
	case *events.ConnectionReady:
		return "is ready and takes escalations"
	case *events.EndpointSet:
		return fmt.Sprintf("sends to endpoint %s: %s, %s%s", f.Endpoint, f.URL, f.Mode, list("; only ", f.Events))
	case *events.EndpointDisabled:
		return fmt.Sprintf("sends to endpoint %s no more: %s", f.Endpoint, f.Code)
	case *events.RulesAdopted:
		return fmt.Sprintf("adopted rules %s (%s)", orElse(f.Name, "without a name"), short(f.RuleSet))
	case *events.StepFailed:
		return fmt.Sprintf("could not take step %s: %s (%s)%s", f.Step, f.Detail, f.Code, when(!f.Permanent, "; it is tried again"))
	case *events.Disconnected:
		return "disconnected" + t.policy(f) + because(f.Reason)
	case *events.Reserved:
		return fmt.Sprintf("%s reserved for %s", f.ApplicationID, f.Connection)
	case *events.Released:
		return "given back by " + f.Connection
	}
	return hub(f)
}

func (t *Teller) policy(f *events.Disconnected) string {
	switch {
	case f.Policy == events.PolicyMove:
		return "; open escalations move to " + f.Target
	case f.Deadline != nil:
		return "; open escalations may finish until " + t.time(*f.Deadline)
	}
	return ""
}

// delivery returns what a delivery is of, as far as that is known, and what
// happened to it.
func (t *Teller) delivery(stream events.StreamID, f events.Fact) (of, text string) {
	attempt, ok := f.(*events.DeliveryAttempted)
	if ok {
		t.subject[stream] = attempt.Subject
	}
	if s, known := t.subject[stream]; known {
		of = fmt.Sprintf(" of %s to %s:", kindOf(s.EventType), s.Endpoint)
	}
	switch f := f.(type) {
	case *events.DeliveryAttempted:
		return of, fmt.Sprintf("attempt %d: %s%s in %s%s", f.Attempt, f.Code, status(f.Status),
			time.Duration(f.DurationMS)*time.Millisecond, when(f.Erased, ", its context erased"))
	case *events.Delivered:
		delete(t.subject, stream)
		return of, "confirmed"
	case *events.DeliveryParked:
		delete(t.subject, stream)
		return of, "parked: " + f.Code
	case *events.DeliveryResent:
		return of, fmt.Sprintf("is sent again, round %d", f.Round)
	}
	return of, f.FactType()
}

// kindOf returns what an event type is about: "escalation routed".
func kindOf(eventType string) string {
	parts := strings.Split(eventType, ".")
	if len(parts) < 4 {
		return eventType
	}
	return strings.Join(parts[1:len(parts)-1], " ")
}

func status(code int) string {
	if code == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d)", code)
}

func (t *Teller) time(at time.Time) string { return at.In(t.zone).Format("2006-01-02 15:04:05 MST") }

func orElse(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

func when(yes bool, s string) string {
	if yes {
		return s
	}
	return ""
}

func list(lead string, all []string) string {
	return when(len(all) > 0, lead+strings.Join(all, ", "))
}

func because(reason string) string { return when(reason != "", "; reason: "+reason) }

// short returns the beginning of a hash, enough to tell rule sets apart.
func short(hash string) string {
	const digits = len("sha256:") + 12
	if len(hash) > digits {
		return hash[:digits] + "…"
	}
	return hash
}
