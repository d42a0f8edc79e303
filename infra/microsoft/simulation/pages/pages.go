// Package pages shows the fake's hub in a browser: the chat widgets of
// customers, and the desks of human agents. The pages are for one machine: only
// requests to a loopback address are answered, and none from other sites. They
// load nothing from elsewhere and need no build step.
//
// The pages are / (links to all others), /widgets/{data-app-id} and
// /desks/{id of the person}. Elements that tests and scripts may rely on, by
// their id:
//
//	all pages   simulated (the line that says so), error (what went wrong; role alert)
//	/           widgets, desks (lists of links)
//	/widgets/…  start (form) with name and open (button)
//	            chat (hidden before) with state, talk, say (form; hidden at the
//	            end) with text, send and leave, again (button; hidden before the end)
//	/desks/…    person (heading), news, nothing (hidden while there is work), work
//	            (list of buttons with data-conversation; aria-current says which is
//	            open), conversation (hidden without one) with queue, state, accept,
//	            decline, end, close, talk, answer (form; hidden unless the
//	            conversation is active) with reply and send, about with
//	            context-link (HandoffContextUrl), context (each dd has
//	            data-variable), explanation, dropped with problems
//
// Each message in talk is an li with data-from (customer, bot, agent or system),
// data-private where it is for human agents only, and a .who and a .text in it.
// Talk only ever grows, so that a screen reader reads nothing twice.
package pages

import (
	"context"
	"embed"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/wire"
)

//go:embed static
var static embed.FS

// patience is how long a question for news waits for some.
const patience = 20 * time.Second

type pages struct{ hub *hub.Hub }

// Handler returns the pages of a hub.
func Handler(h *hub.Hub) http.Handler {
	p := &pages{h}
	files, _ := fs.Sub(static, "static") // it fails for invalid names only
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	for pattern, name := range map[string]string{"GET /widgets/{app}": "widget.html", "GET /desks/{person}": "desk.html"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, name) })
	}
	mux.Handle("/api/", wire.Routes{
		"GET /api/places":                       p.places,
		"POST /api/chats":                       p.open,
		"GET /api/chats/{id}":                   p.follow,
		"POST /api/chats/{id}/messages":         p.say,
		"POST /api/chats/{id}/leave":            p.leave,
		"GET /api/desks/{person}":               p.desk,
		"GET /api/desks/{person}/{id}":          p.conversation,
		"POST /api/desks/{person}/{id}/{order}": p.order,
	}.Handler(Shape))
	return Guarded(mux)
}

// Guarded has a handler answer this machine only. It refuses what was asked
// under a name other than a loopback address, for another site's page could
// have that name resolved to this machine, and changes that another site asks
// for.
func Guarded(next http.Handler) http.Handler {
	next = new(http.CrossOriginProtection).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			name = r.Host
		}
		if ip, err := netip.ParseAddr(name); name != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "This page is for this machine.", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Shape writes a refusal as the pages read it.
func Shape(w http.ResponseWriter, _ *http.Request, f *wire.Error) {
	wire.JSON(w, f.Status, wire.Object{"code": f.Code, "detail": f.Message})
}

// told turns a fault of the hub into a refusal.
func told(err error) error {
	f := fault.Of(err)
	if f == nil {
		return err
	}
	status := map[fault.Kind]int{
		fault.NotFound: http.StatusNotFound, fault.Forbidden: http.StatusForbidden, fault.Conflict: http.StatusConflict,
		fault.TooLarge: http.StatusRequestEntityTooLarge,
	}[f.Kind]
	return wire.Refuse(max(status, http.StatusBadRequest), f.Code, f.Detail)
}

func (p *pages) places(w http.ResponseWriter, _ *http.Request) error {
	widgets, people := p.hub.Places()
	wire.JSON(w, http.StatusOK, wire.Object{"widgets": list(widgets), "people": list(people)})
	return nil
}

func (p *pages) open(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.Body(w, r)
	if err != nil {
		return err
	}
	widget, err := p.hub.Open(hub.Chat{AppID: wire.String(body, "app_id"), Name: wire.String(body, "name")})
	if err != nil {
		return told(err)
	}
	wire.JSON(w, http.StatusCreated, wire.Object{"id": widget.ID()})
	return nil
}

func (p *pages) say(w http.ResponseWriter, r *http.Request) error {
	return p.chat(w, r, func(c *hub.Widget, body wire.Object) error { return c.Say(wire.String(body, "text")) })
}

func (p *pages) leave(w http.ResponseWriter, r *http.Request) error {
	return p.chat(w, r, func(c *hub.Widget, _ wire.Object) error { return c.Close() })
}

func (p *pages) chat(w http.ResponseWriter, r *http.Request, f func(*hub.Widget, wire.Object) error) error {
	body, err := wire.Body(w, r)
	if err != nil {
		return err
	}
	c, err := p.hub.Widget(r.PathValue("id"))
	if err == nil {
		err = f(c, body)
	}
	if err != nil {
		return told(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// follow answers what the customer sees, as soon as there are more messages
// than the page has or the status is another one.
func (p *pages) follow(w http.ResponseWriter, r *http.Request) error {
	has, _ := strconv.Atoi(r.URL.Query().Get("has"))
	status := r.URL.Query().Get("status")
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	c, err := p.hub.Await(ctx, r.PathValue("id"), func(c hub.Conversation) bool {
		return len(public(c)) > has || c.Status.String() != status
	})
	if err != nil && ctx.Err() == nil {
		return told(err)
	}
	wire.JSON(w, http.StatusOK, wire.Object{"messages": public(c), "status": c.Status.String()})
	return nil
}

func public(c hub.Conversation) []hub.Message {
	return slices.DeleteFunc(list(c.Messages), func(m hub.Message) bool { return m.Private })
}

// list copies a list into one that is [] in JSON where it is empty, not null.
func list[T any](all []T) []T { return append([]T{}, all...) }

// desk lists what a person may see: what waits, and what is theirs.
func (p *pages) desk(w http.ResponseWriter, r *http.Request) error {
	person := r.PathValue("person")
	d, err := p.hub.Desk(person)
	if err != nil {
		return told(err)
	}
	work := []any{}
	for _, c := range p.hub.Conversations() {
		if c.Status == hub.Closed || c.Agent != person && c.Offered != person {
			continue
		}
		work = append(work, wire.Object{"id": c.ID, "queue": c.QueueName, "status": c.Status.String(), "offered": c.Offered == person})
	}
	wire.JSON(w, http.StatusOK, wire.Object{"name": d.Name(), "conversations": work})
	return nil
}

// conversation shows everything of one that is the person's to see.
func (p *pages) conversation(w http.ResponseWriter, r *http.Request) error {
	c, err := p.hub.Conversation(r.PathValue("id"))
	if err != nil {
		return told(err)
	}
	if person := r.PathValue("person"); c.Agent != person && c.Offered != person {
		return wire.Refuse(http.StatusForbidden, "not-your-conversation", "Another has this conversation.")
	}
	wire.JSON(w, http.StatusOK, wire.Object{
		"id": c.ID, "queue": c.QueueName, "status": c.Status.String(), "context": c.Context, "messages": list(c.Messages),
		"explanation": list(c.Explanation), "problems": list(c.Problems),
	})
	return nil
}

func (p *pages) order(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.Body(w, r)
	if err != nil {
		return err
	}
	d, err := p.hub.Desk(r.PathValue("person"))
	if err != nil {
		return told(err)
	}
	orders := map[string]func(id string) error{
		"accept": d.Accept, "decline": d.Decline, "end": d.End, "close": d.Close,
		"say": func(id string) error { return d.Say(id, wire.String(body, "text")) },
	}
	f := orders[r.PathValue("order")]
	if f == nil {
		return wire.Refuse(http.StatusNotFound, "order-unknown", "There is no such order.")
	}
	if err := f(r.PathValue("id")); err != nil {
		return told(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
