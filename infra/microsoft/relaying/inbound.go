package relaying

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/domain/relay"
	"handoff/domain/transcript"
	"handoff/events"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/omnichannel"
)

// Receiver puts what a hub says on disk; functions/relay does.
type Receiver interface {
	Receive(ctx context.Context, l relay.Link, in relay.Inbound) error
}

// Endpoint is the address to which an Azure Bot posts what a hub says to a
// connection's bot. Every field is needed. It is safe for concurrent use.
type Endpoint struct {
	Verifier *botauth.Verifier
	Receiver Receiver
	// Link returns whose address a request came to, and the application id that
	// its token must be for. A fault of kind NotFound says that it is nobody's.
	Link func(r *http.Request) (l relay.Link, appID string, err error)
	Log  *slog.Logger
}

// ServeHTTP answers 200 once what was said is on disk, or is of no concern: the
// connector sends again what is answered otherwise. Strangers learn nothing:
// whatever is wrong with a token, and whether there is such a connection, the
// answer is the same empty 401.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := e.receive(w, r)
	switch k := fault.KindOf(err); {
	case err == nil, fault.Is(err, relay.CodeHandedOff):
		answer(w, http.StatusOK)
	case k == fault.Unauthenticated, k == fault.NotFound:
		answer(w, http.StatusUnauthorized)
	case k == fault.TooLarge:
		answer(w, http.StatusRequestEntityTooLarge)
	case k == fault.Invalid, k == fault.Unprocessable:
		answer(w, http.StatusBadRequest)
	default:
		again(w, err)
	}
	e.log(r.Context(), err)
}

// again asks the connector to come back.
func again(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch f := fault.Of(err); {
	case f == nil:
	case f.Kind == fault.RateLimited:
		status = http.StatusTooManyRequests
	case f.Kind == fault.Unavailable:
		status = http.StatusServiceUnavailable
	}
	if f := fault.Of(err); f != nil && f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	answer(w, status)
}

func answer(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "{}") // whoever is gone does not read it
}

func (e *Endpoint) log(ctx context.Context, err error) {
	switch {
	case err == nil:
	case fault.KindOf(err).Permanent():
		e.Log.WarnContext(ctx, "activity refused", "code", fault.CodeOf(err), "check", string(botauth.ReasonOf(err)), "error", err)
	default:
		e.Log.ErrorContext(ctx, "activity not received", "error", err)
	}
}

// receive checks who sends before it looks up whom it is for and reads what: for
// strangers nothing, and of them not one byte.
func (e *Endpoint) receive(w http.ResponseWriter, r *http.Request) error {
	signed, err := e.Verifier.Signed(r.Context(), r.Header)
	if err != nil {
		return err
	}
	l, appID, err := e.Link(r)
	if err != nil {
		return err
	}
	token, err := signed.For(appID)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, botauth.MaxActivity))
	if over, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.Newf(fault.TooLarge, "activity-too-large", "An activity may have %d bytes.", over.Limit)
	}
	if fault.Of(err) != nil { // of the server, which has too much to do
		return err
	}
	if err != nil {
		return fault.New(fault.Invalid, "body-unreadable", "The activity did not arrive whole.").Because(err)
	}
	caller, a, err := token.Admit(body)
	if err != nil {
		return err
	}
	in, ok, err := Inbound(caller, a, body)
	if err != nil || !ok {
		return err
	}
	return e.Receiver.Receive(r.Context(), l, in)
}

// MaxID is how many bytes an id may have, and the name of a channel, too: no
// channel's come near it, and a hand-off takes no longer ones.
const (
	MaxID      = intake.MaxConversationID
	maxChannel = intake.MaxChannel
)

// Inbound reads what the hub says; false for what is of no concern to a relay:
// the hub's own notes, typing, members that come and go, and messages without
// words, of which a Power Virtual Agents bot takes none (documented: it ignores
// attachments). Its faults are conversation-id-missing and id-too-long.
func Inbound(caller botauth.Caller, a activity.Activity, body []byte) (in relay.Inbound, ok bool, err error) {
	in = relay.Inbound{ID: a.ID(), Channel: caller.ChannelID, Address: address(caller, a)}
	if in.Address.ConversationID == "" {
		return in, false, fault.New(fault.Invalid, "conversation-id-missing", "An activity needs conversation.id.").At("/conversation/id")
	}
	if at := in.Address; max(len(in.ID), len(at.ConversationID), len(at.CustomerID), len(at.BotID)) > MaxID || len(in.Channel) > maxChannel {
		return in, false, fault.Newf(fault.Invalid, "id-too-long", "An id may have %d bytes, and the name of a channel %d.", MaxID, maxChannel)
	}
	if in.ID == "" { // the connector repeats an activity byte by byte
		sum := sha256.Sum256(body)
		in.ID = "sha256:" + hex.EncodeToString(sum[:])
	}
	switch {
	case omnichannel.IsOpening(a):
		return opening(in, a)
	case a.Type() == activity.TypeEndOfConversation:
		in.Kind = relay.Leaves
		return in, true, nil
	case fromCustomer(a):
		in.Kind, in.Message = relay.Speaks, said(a)
		in.Customer = &events.Customer{ID: in.Address.CustomerID, Name: in.Address.CustomerName}
		return in, in.Message.Text != "", nil
	}
	return in, false, nil
}

// opening reads the event with which the hub gives a customer to the bot. One
// whose variables can't be read begins a conversation all the same.
func opening(in relay.Inbound, a activity.Activity) (relay.Inbound, bool, error) {
	in.Kind = relay.Starts
	if o, err := omnichannel.ReadOpening(a); err == nil {
		in.Variables, in.Address.Record = o.Variables, string(o.WorkItem)
	}
	in.Customer = &events.Customer{ID: in.Address.CustomerID, Name: in.Address.CustomerName}
	return in, true, nil
}

// fromCustomer reports whether a message is the customer's. Where the hub puts
// no tags, as a channel without them may, it is whoever is not the bot.
func fromCustomer(a activity.Activity) bool {
	if omnichannel.TagsOf(a) != "" {
		return omnichannel.FromCustomer(a)
	}
	return a.Type() == activity.TypeMessage && a.From() != a.Object("recipient").Text("id")
}

func address(caller botauth.Caller, a activity.Activity) events.HubAddress {
	return events.HubAddress{
		ServiceURL: caller.ServiceURL, ConversationID: a.Object("conversation").Text("id"), ChannelID: caller.ChannelID,
		BotID: a.Object("recipient").Text("id"), CustomerID: a.From(), CustomerName: a.Object("from").Text("name"),
	}
}

func said(a activity.Activity) *events.Message {
	m := &events.Message{ID: a.ID(), From: events.FromCustomer, Name: a.Object("from").Text("name"), Text: a.Text("text")}
	if at, text, ok := transcript.Written(a.Scalar("timestamp")); ok {
		m.At, m.AtText = &at, text
	}
	return m
}
