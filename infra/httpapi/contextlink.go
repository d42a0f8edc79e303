package httpapi

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"handoff/domain/conversation"
	"handoff/events"
)

// linkPath begins the path of a link, of which the rest has so many dots.
const (
	linkPath = "/c/"
	linkDots = 3
)

// contextByLink answers a browser with a page and a program with JSON.
func (s *server) contextByLink(x *exchange, r *http.Request) error {
	if err := s.enter(x); err != nil {
		return err
	}
	v, err := s.api.ContextByLink(r.Context(), r.PathValue("link"))
	if err != nil {
		return err
	}
	x.Header().Set("X-Robots-Tag", "noindex")
	x.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return x.json(http.StatusOK, contextOf(v))
	}
	sum := sha256.Sum256([]byte(contextStyle))
	x.Header().Set("Content-Security-Policy",
		"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	x.body(http.StatusOK, "text/html; charset=utf-8", []byte(contextPage(v)))
	return nil
}

// messages hands a request over as it is.
func (s *server) messages(x *exchange, r *http.Request) error {
	r.Body = entering{r.Body, func() error { return s.enter(x) }}
	s.api.Messages.ServeHTTP(x, r)
	return nil
}

const contextStyle = `
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ccc;overflow-wrap:anywhere}
th{width:14rem;font-weight:600}ol{list-style:none;padding:0}li{margin:.6rem 0;white-space:pre-wrap}
.who{font-weight:600}.at,.end{color:#555}
`

// page writes HTML. It uses no templates: they would keep the linker from
// leaving anything out of the functions that serve it.
type page struct{ strings.Builder }

// add writes HTML in which every %s is text, not HTML.
func (p *page) add(format string, texts ...string) {
	escaped := make([]any, len(texts))
	for i, t := range texts {
		escaped[i] = html.EscapeString(t)
	}
	fmt.Fprintf(&p.Builder, format, escaped...)
}

func (p *page) row(name, value string) {
	if value != "" {
		p.add("<tr><th scope=row>%s</th><td>%s</td></tr>\n", name, value)
	}
}

// contextPage shows a human agent what the bot knew.
func contextPage(v conversation.View) string {
	p, c := new(page), v.Context
	p.add("<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Escalation %s</title>\n<style>", v.ID)
	p.WriteString(contextStyle)
	p.add("</style></head>\n<body><main>\n<h1>What the bot knew</h1>\n<table>\n")
	p.row("Queue", cmp.Or(v.Queue.Name, v.Queue.ID))
	p.row("Topic", v.Raised.Topic)
	p.row("Why", v.Raised.Reason)
	p.row("Note of the bot", c.MessageToAgent)
	p.row("Summary", c.Summary)
	p.row("Last words", c.LastPhrase)
	p.row("Language", v.Raised.Language)
	p.row("Raised", v.Raised.RaisedAt.UTC().Format(time.RFC1123))
	if who := c.Customer; who != nil {
		p.row("Customer", cmp.Or(who.Name, who.ID))
		p.row("E-mail", who.Email)
		p.row("Phone", who.Phone)
	}
	p.row("Escalation", v.ID)
	p.add("</table>\n")
	p.variables(c.Variables)
	p.transcript(c.Transcript, v.Pending)
	p.add("<p class=end>That this page was opened is recorded. It can be opened for a limited time.</p>\n</main></body></html>\n")
	return p.String()
}

func (p *page) variables(all map[string]json.RawMessage) {
	if len(all) == 0 {
		return
	}
	p.add("<h2>Variables</h2>\n<table>\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p.row(name, plain(all[name]))
	}
	p.add("</table>\n")
}

// plain writes a text without its quotes, and everything else as JSON.
func plain(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(v)
}

func (p *page) transcript(t *events.Transcript, pending bool) {
	p.add("<h2>Transcript</h2>\n")
	switch {
	case pending:
		p.add("<p>It is still being read from the bot. Open this page again in a moment.</p>\n")
	case t == nil || len(t.Messages) == 0:
		p.add("<p>The bot sent none.</p>\n")
	default:
		p.add("<ol>\n")
		for _, m := range t.Messages {
			p.message(m)
		}
		p.add("</ol>\n")
	}
}

func (p *page) message(m events.Message) {
	p.add("<li><span class=who>%s</span>", cmp.Or(m.Name, strings.ReplaceAll(m.From, "_", " ")))
	if m.At != nil {
		p.add(" <time class=at datetime=\"%s\">%s</time>", m.At.UTC().Format(time.RFC3339), m.At.UTC().Format("15:04:05 MST"))
	}
	p.add("<br>%s", m.Text)
	for _, a := range m.Attachments {
		p.add(" [%s]", cmp.Or(a.Name, a.ContentType))
	}
	p.add("</li>\n")
}
