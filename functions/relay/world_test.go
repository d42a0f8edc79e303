package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/intake"
	domain "handoff/domain/relay"
	"handoff/events"
	"handoff/functions/relay"
	"handoff/functions/webhook"
	"handoff/infra/eventlog"
	"handoff/infra/rulebook"
	"handoff/tests/functiontest"
)

const store = "store-bot"

// world is a relay between a bot and a hub that can be made to misbehave, over
// a log that can. Its process can be killed before and after whatever it does.
type world struct {
	*functiontest.Bench
	h *relay.Handler

	mu    sync.Mutex
	bot   *bot
	hub   *hub
	steps int // that were taken in all processes
	kill  int // at which step the process dies; 0: never
	dead  bool
	told  int64 // position of the last fact that the function was told of
}

var errKilled = errors.New("the process was killed")

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Bench: functiontest.New(t)}
	w.Give(store, functiontest.Ready(store, functiontest.Rules)...)
	w.bot, w.hub = &bot{world: w, says: parrot}, &hub{world: w}
	ids := 0
	ledger := eventlog.NewLedger(mortal{w.Log, w}, events.Register(), w.Keys, w.Now, func() string {
		ids++
		return "c" + strconv.Itoa(ids)
	})
	log := slog.New(slog.DiscardHandler)
	w.h = &relay.Handler{
		Ledger: ledger, Keys: w.Keys, Opener: w.bot, Bot: w.bot, Customer: w.hub, Hub: w.hub, Linker: links{}, Now: w.Now, Log: log, Notice: "One moment.",
		Raiser: &webhook.Handler{
			Ledger: ledger, Keys: w.Keys, Fingerprints: w.Keys, Router: rulebook.New(ledger), Now: w.Now, Log: log,
		},
	}
	return w
}

// Now is a clock that tests move.
func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Clock
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Clock = w.Clock.Add(d)
}

// alive is asked before and after everything that has an effect.
func (w *world) alive() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.steps++; w.steps == w.kill {
		w.dead = true
	}
	if w.dead {
		return errKilled
	}
	return nil
}

// mortal is a log whose writer may die before or after it wrote.
type mortal struct {
	eventlog.Log
	*world
}

func (m mortal) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	if err := m.alive(); err != nil {
		return eventlog.Head{}, err
	}
	head, err := m.Log.Append(ctx, c)
	return head, errors.Join(err, m.alive())
}

// links makes links.
type links struct{}

func (links) ContextURL(_ context.Context, _, escalation string, _ time.Time) (string, error) {
	return "https://handoff.example/c/" + escalation, nil
}

// bot is a bot behind something like Direct Line: what is said in a conversation
// comes back to those who listen, echoes of the customer included.
type bot struct {
	*world
	opened []domain.Opening
	convs  []*[]domain.Spoken
	got    []string // messages, states and ends, in their order
	says   func(text string) []domain.Spoken

	follows bool // somebody calls when it speaks
	waited  time.Duration

	openErr, postErr, listenErr func() error
	page                        func([]domain.Spoken) []domain.Spoken
}

func (b *bot) Open(_ context.Context, _ domain.Link, o domain.Opening) (domain.BotConversation, error) {
	if err := errors.Join(b.alive(), call(b.openErr)); err != nil {
		return domain.BotConversation{}, errors.Join(err)
	}
	b.opened = append(b.opened, o)
	b.convs = append(b.convs, new([]domain.Spoken))
	s := events.BotSession{ConversationID: "d" + strconv.Itoa(len(b.convs)), Token: "secret", UserID: o.UserID}
	if o.Greet {
		b.say(s, b.says("")...)
	}
	return domain.BotConversation{BotSession: s, Expires: b.Now().Add(30 * time.Minute)}, b.alive()
}

func (b *bot) Renew(_ context.Context, _ domain.Link, s events.BotSession) (domain.BotConversation, error) {
	s.Token += "+"
	return domain.BotConversation{BotSession: s, Expires: b.Now().Add(30 * time.Minute)}, b.alive()
}

func (b *bot) conv(s events.BotSession) *[]domain.Spoken {
	n, _ := strconv.Atoi(s.ConversationID[1:])
	return b.convs[n-1]
}

func (b *bot) say(s events.BotSession, all ...domain.Spoken) {
	c := b.conv(s)
	for _, p := range all {
		if p.ID == "" {
			p.ID = s.ConversationID + "|" + strconv.Itoa(len(*c))
		}
		*c = append(*c, p)
	}
}

func (b *bot) Post(_ context.Context, _ domain.Link, s events.BotSession, what domain.ToBot) error {
	if err := errors.Join(b.alive(), call(b.postErr)); err != nil {
		return err
	}
	switch {
	case what.Message != nil:
		b.got = append(b.got, what.Message.Text)
		b.say(s, domain.Spoken{Mark: what.Mark, Message: what.Message})
		b.say(s, b.says(what.Message.Text)...)
	case what.Ended:
		b.got = append(b.got, "(end)")
	default:
		b.got = append(b.got, "("+what.State+")")
	}
	return b.alive()
}

func (b *bot) Listen(_ context.Context, _ domain.Link, s events.BotSession, watermark string, wait time.Duration) (domain.Heard, error) {
	if err := errors.Join(b.alive(), call(b.listenErr)); err != nil {
		return domain.Heard{}, err
	}
	from, _ := strconv.Atoi(watermark)
	all := *b.conv(s)
	news := slices.Clone(all[min(from, len(all)):])
	if b.page != nil {
		news = b.page(news)
	}
	if len(news) == 0 {
		b.wait(wait)
		b.waited += wait
	}
	return domain.Heard{Spoken: news, Watermark: strconv.Itoa(len(all)), Followed: b.follows}, nil
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

// parrot answers twice, greets, and hands over when it is asked for a person.
func parrot(text string) []domain.Spoken {
	switch text {
	case "":
		return []domain.Spoken{says("Hello!")}
	case "person":
		return []domain.Spoken{says("I am getting somebody."), {HandOff: handOff()}, says("Too late.")}
	case "bye":
		return []domain.Spoken{says("Goodbye."), {Ended: true}}
	case "hush":
		return nil
	}
	return []domain.Spoken{says("You said " + text), says("Anything else?")}
}

func says(text string) domain.Spoken {
	return domain.Spoken{Message: &events.Message{From: events.FromBot, Text: text}}
}

func handOff() *intake.HandOff {
	return &intake.HandOff{
		Topic: "Refund", Format: intake.FormatBotFramework, RequestID: "r",
		Context: events.Context{ConversationID: "d1", MessageToAgent: "Wants money back", LastPhrase: "person"},
	}
}

// hub is a hub with a customer in it.
type hub struct {
	*world
	shown       []string // to the customer
	escalations []domain.Escalation
	at          []events.HubAddress
	ended       int

	err func() error
}

func (h *hub) Say(_ context.Context, _ domain.Link, to events.HubAddress, m events.Message) error {
	if err := errors.Join(h.alive(), call(h.err)); err != nil {
		return err
	}
	h.at, h.shown = append(h.at, to), append(h.shown, m.Text)
	return h.alive()
}

func (h *hub) Escalate(_ context.Context, _ domain.Link, _ events.HubAddress, e domain.Escalation) ([]events.Omission, error) {
	if err := errors.Join(h.alive(), call(h.err)); err != nil {
		return nil, err
	}
	h.escalations = append(h.escalations, e)
	return []events.Omission{{Name: "Huge", Code: "value-too-long"}}, h.alive()
}

func (h *hub) End(context.Context, domain.Link, events.HubAddress) error {
	if err := errors.Join(h.alive(), call(h.err)); err != nil {
		return err
	}
	h.ended++
	return h.alive()
}

func link() domain.Link { return domain.Link{Tenant: functiontest.Tenant, Connection: store} }

// hears has the hub say something, as often as it takes.
func (w *world) hears(kind domain.Kind, id, text string) {
	w.Helper()
	in := domain.Inbound{
		Kind: kind, ID: id, Channel: "lcw",
		Address: events.HubAddress{ServiceURL: "https://hub.example/", ConversationID: "19:a", CustomerID: "8:acs:b", CustomerName: "R. Bakker"},
	}
	if kind == domain.Speaks {
		in.Message = &events.Message{ID: id, From: events.FromCustomer, Text: text}
	}
	for range 3 {
		err := w.h.Receive(w.Context(), link(), in)
		if err == nil {
			return
		}
		if !errors.Is(err, errKilled) {
			w.Fatalf("receive %s: %v", id, err)
		}
		w.revive()
	}
	w.Fatalf("%s is not received", id)
}

func (w *world) revive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = false
}

// pump tells the function of all facts that it has not handled, as a
// subscription does, until there are none. A process that was killed is started
// again; what fails otherwise is tried again a little later.
func (w *world) pump() {
	w.Helper()
	for tries := 0; ; {
		r, ok := w.nextFact()
		if !ok {
			return
		}
		err := w.h.Handle(w.Context(), events.Notify(r))
		if err == nil {
			w.told = r.Position
			continue
		}
		if tries++; tries > 100 {
			w.Fatalf("handle %s: %v, for ever", r.Type, err)
		}
		if !errors.Is(err, errKilled) {
			if fault.KindOf(err).Permanent() {
				w.Fatalf("handle %s: %v, which would be parked", r.Type, err)
			}
			w.wait(10 * time.Second)
		}
		w.revive()
	}
}

func (w *world) nextFact() (events.Record, bool) {
	for r, err := range w.Log.ReadAll(w.Context(), w.told) {
		if err != nil {
			w.Fatal(err)
		}
		if r.Kind == events.KindConversation && slices.Contains(relay.Types(), r.Type) {
			return r, true
		}
	}
	return events.Record{}, false
}

func (w *world) stream() events.StreamID {
	return w.Stream(events.KindConversation, store, "19:a")
}

func (w *world) state() conversation.State {
	w.Helper()
	s, err := eventlog.State(w.Context(), w.Ledger, conversation.Decider, w.stream())
	if err != nil {
		w.Fatal(err)
	}
	return s.State
}

// report is what the hub says of the escalation.
func (w *world) report(facts ...events.Fact) {
	w.Helper()
	w.GiveTo(w.stream(), events.KindConversation, store, facts...)
	w.pump()
}

func (w *world) count(typ string) (n int) {
	w.Helper()
	for _, t := range w.Types(w.stream()) {
		if t == typ {
			n++
		}
	}
	return n
}

func (w *world) wantSaid(want ...string) {
	w.Helper()
	if !slices.Equal(w.hub.shown, want) {
		w.Errorf("the customer sees %q, want %q", w.hub.shown, want)
	}
}

func (w *world) wantGot(want ...string) {
	w.Helper()
	if !slices.Equal(w.bot.got, want) {
		w.Errorf("the bot gets %q, want %q", w.bot.got, want)
	}
}

// wantPrivate fails the test if a clear part holds what was said.
func (w *world) wantPrivate(words ...string) {
	w.Helper()
	for r, err := range w.Log.ReadAll(w.Context(), 0) {
		if err != nil {
			w.Fatal(err)
		}
		for _, word := range words {
			if text := fmt.Sprintf("%s %+v", r.Clear, r.Header); r.Kind == events.KindConversation && contains(text, word) {
				w.Errorf("%s tells %q in the clear: %s", r.Type, word, text)
			}
		}
	}
}
