package httpapi

import (
	"net/http"
	"slices"
	"strconv"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake/strictjson"
	"handoff/domain/listing"
	"handoff/events"
)

func (s *server) connections(x *exchange, r *http.Request) error {
	page, err := pageOf(r.URL.Query())
	if err != nil {
		return err
	}
	rows, next, err := s.api.Connections(r.Context(), x.by, listing.ConnectionQuery{Page: page, Tenant: x.by.Tenant})
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(c listing.Connection) bool { return x.by.Connection != "" && c.ID != x.by.Connection })
	return writePage(s, x, r, rows, next)
}

func (s *server) connect(x *exchange, r *http.Request) error {
	var p connection.Plan
	if err := s.decode(x, r, planFields(&p)); err != nil {
		return err
	}
	c, err := s.api.Connect(r.Context(), x.by, p)
	if err != nil {
		return err
	}
	x.Header().Set("Location", s.url(r, "/v1/connections/"+c.ID))
	return x.connection(http.StatusAccepted, c.State, c)
}

func planFields(p *connection.Plan) fields {
	return fields{
		"name": text(&p.Name), "rules": text(&p.Rules),
		"bot":    optional(fields{"id": text(&p.Bot.ID), "name": text(&p.Bot.Name), "version": text(&p.Bot.Version)}),
		"hub":    optional(fields{"type": text(&p.Hub.Type), "organisation": text(&p.Hub.Organisation), "application_id": text(&p.Hub.ApplicationID)}),
		"notice": optional(fields{"accepted_by": text(&p.Notice.AcceptedBy), "text_version": text(&p.Notice.TextVersion)}),
		"regions": func(r *strictjson.Reader) error {
			g := new(events.Regions)
			if null, err := r.Null(); null || err != nil {
				return err
			}
			p.Regions = g
			return fields{"bot": text(&g.Bot), "hub": text(&g.Hub), "log": text(&g.Log)}.read(r)
		},
		"regions_override": func(r *strictjson.Reader) error {
			o := new(connection.OverridePlan)
			if null, err := r.Null(); null || err != nil {
				return err
			}
			p.RegionsOverride = o
			return fields{"by": text(&o.By), "why": text(&o.Why)}.read(r)
		},
		"omnichannel":   omnichannelFields(p),
		"client_secret": text(&p.ClientSecret), "application_secret": text(&p.ApplicationSecret),
		"direct_line_secret": text(&p.DirectLineSecret), "health_url": text(&p.HealthURL),
		"endpoints": func(r *strictjson.Reader) error {
			if null, err := r.Null(); null || err != nil {
				return err
			}
			return r.Array(func(int) error {
				var e connection.EndpointPlan
				err := endpointFields(&e).read(r)
				p.Endpoints = append(p.Endpoints, e)
				return err
			})
		},
	}
}

func omnichannelFields(p *connection.Plan) func(*strictjson.Reader) error {
	return func(r *strictjson.Reader) error {
		if null, err := r.Null(); null || err != nil {
			return err
		}
		o := new(connection.OmnichannelPlan)
		p.Omnichannel = o
		return fields{
			"path": text(&o.Path), "routing": text(&o.Routing), "directory": text(&o.Directory), "client_id": text(&o.ClientID),
			"environment": text(&o.Environment), "bot_organisation": text(&o.BotOrganisation), "bot_schema": text(&o.BotSchema),
			"token_endpoint": text(&o.TokenEndpoint), "azure_bot": text(&o.AzureBot), "channel": text(&o.Channel),
			"queue": text(&o.Queue), "workstream": text(&o.Workstream),
			"add_hub_rules": truth(&o.AddHubRules), "take_over_endpoint": truth(&o.TakeOverEndpoint),
		}.read(r)
	}
}

func endpointFields(e *connection.EndpointPlan) fields {
	return fields{"id": text(&e.ID), "url": text(&e.URL), "mode": text(&e.Mode), "events": texts(&e.Events)}
}

func (s *server) connection(x *exchange, r *http.Request) error {
	c, err := s.api.Connection(r.Context(), x.by, r.PathValue("connection"))
	if err != nil {
		return err
	}
	return x.connection(http.StatusOK, c, c)
}

// connection answers with a connection, which its version tags.
func (x *exchange) connection(status int, c connection.State, v any) error {
	x.Header().Set("ETag", `"`+strconv.Itoa(c.Version)+`"`)
	return x.json(status, v)
}

func (s *server) disconnect(x *exchange, r *http.Request) error {
	var p connection.DisconnectPlan
	if err := s.decode(x, r, fields{"reason": text(&p.Reason), "to": text(&p.To), "drain_for": span(&p.DrainFor)}); err != nil {
		return err
	}
	if p.To != "" && p.DrainFor != 0 {
		return fault.New(fault.Unprocessable, "disconnect-ambiguous", "Open escalations move to another connection or drain, not both.").At("/drain_for")
	}
	c, err := s.api.Disconnect(r.Context(), x.by, r.PathValue("connection"), p)
	if err != nil {
		return err
	}
	return x.connection(http.StatusOK, c, c)
}

func (s *server) checkConnection(x *exchange, r *http.Request) error {
	c, err := s.api.CheckConnection(r.Context(), x.by, r.PathValue("connection"))
	if err != nil {
		return err
	}
	return x.connection(http.StatusOK, c.Connection, c)
}

func (s *server) rotateApplicationSecret(x *exchange, r *http.Request) error {
	c, err := s.api.RotateApplicationSecret(r.Context(), x.by, r.PathValue("connection"))
	if err != nil {
		return err
	}
	return x.connection(http.StatusOK, c, c)
}

// EndpointSet is an endpoint that was set. Secret is there where it was made
// just now, and is not shown again.
type EndpointSet struct {
	connection.Endpoint

	Secret string `json:"secret,omitempty"`
}

func (s *server) setEndpoint(x *exchange, r *http.Request) error {
	var p connection.EndpointPlan
	if err := s.decode(x, r, endpointFields(&p)); err != nil {
		return err
	}
	id := r.PathValue("endpoint")
	if p.ID != "" && p.ID != id {
		return fault.New(fault.Unprocessable, "endpoint-name-differs", "The body names another endpoint than the path.").At("/id")
	}
	p.ID = id
	e, secret, err := s.api.SetEndpoint(r.Context(), x.by, r.PathValue("connection"), p)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, EndpointSet{Endpoint: e, Secret: secret})
}

func (s *server) removeEndpoint(x *exchange, r *http.Request) error {
	if err := s.api.RemoveEndpoint(r.Context(), x.by, r.PathValue("connection"), r.PathValue("endpoint")); err != nil {
		return err
	}
	x.WriteHeader(http.StatusNoContent)
	return nil
}

// Secret is a signing secret, shown once.
type Secret struct {
	Secret string `json:"secret"`
}

// rotateSecret serves endpoints and, without one in the path, the bot.
func (s *server) rotateSecret(x *exchange, r *http.Request) error {
	secret, err := s.api.RotateSecret(r.Context(), x.by, r.PathValue("connection"), r.PathValue("endpoint"))
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, Secret{Secret: secret})
}

// RuleSet names rules by their hash.
type RuleSet struct {
	RuleSet string `json:"rule_set"` // sha256:…
}

func (s *server) rules(x *exchange, r *http.Request) error {
	source, hash, err := s.api.Rules(r.Context(), x.by, r.PathValue("connection"))
	if err != nil {
		return err
	}
	x.Header().Set("ETag", `"`+hash+`"`)
	x.body(http.StatusOK, mediaYAML, source)
	return nil
}

func (s *server) adoptRules(x *exchange, r *http.Request) error {
	match, err := parseIfMatch(r.Header.Values("If-Match"))
	if err != nil {
		return err
	}
	source, err := s.body(x, r, isYAML)
	if err != nil {
		return err
	}
	hash, err := s.api.AdoptRules(r.Context(), x.by, r.PathValue("connection"), source, match)
	if err != nil {
		return err
	}
	x.Header().Set("ETag", `"`+hash+`"`)
	return x.json(http.StatusOK, RuleSet{RuleSet: hash})
}

func (s *server) checkRules(x *exchange, r *http.Request) error {
	source, err := s.body(x, r, isYAML)
	if err != nil {
		return err
	}
	hash, err := s.api.CheckRules(r.Context(), source)
	if err != nil {
		return err
	}
	return x.json(http.StatusOK, RuleSet{RuleSet: hash})
}

// within returns the connection that a list is about: the one asked for, or
// the only one that the caller reaches.
func within(by identity.Principal, asked string) (string, error) {
	if by.Connection == "" || asked == by.Connection {
		return asked, nil
	}
	if asked != "" {
		return "", noConnection()
	}
	return by.Connection, nil
}
