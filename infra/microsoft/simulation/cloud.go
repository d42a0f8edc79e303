package simulation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/simulation/azure"
	"handoff/infra/microsoft/simulation/clock"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/infra/microsoft/simulation/pages"
	"handoff/infra/microsoft/simulation/signing"
	"handoff/infra/microsoft/simulation/tables"
	"handoff/infra/microsoft/simulation/tenants"
	"handoff/infra/microsoft/simulation/virtualbot"
	"handoff/infra/microsoft/simulation/wire"
)

// The names of the hosts, as a Fault names them.
const (
	Login            = "login"             // login.microsoftonline.com and login.botframework.com
	Graph            = "graph"             // graph.microsoft.com
	Azure            = "azure"             // management.azure.com
	Dataverse        = "dataverse"         // the Web API of every organisation
	Discovery        = "discovery"         // globaldisco.crm.dynamics.com
	PowerPlatform    = "powerplatform"     // {environment}.environment.api.powerplatform.com and powerva.microsoft.com
	DirectLine       = "directline"        // directline.botframework.com
	DirectLineEurope = "directline-europe" // europe.directline.botframework.com
	Connector        = "connector"         // the Bot Connector, as serviceUrl names it
	Pages            = "pages"             // the customer's widget and the human agents' desk
	Control          = "control"           // the script, over HTTP
	LiveChat         = "livechat"          // what chat widgets talk to: {organisation}.omnichannelengagementhub.com
)

// Config is a cloud as it is at the start.
type Config struct {
	// Clock is the time of everything in it.
	Clock clock.Clock
	// Port is where the control host listens, the pages on the next one, and the
	// other hosts after it; 0 means any free ports.
	Port int
	// Log takes what people may want to know; nil: nothing is logged.
	Log *slog.Logger
	// Lag is how long what Entra creates is not seen by everybody.
	Lag time.Duration
	// TokenLifetime is how long access tokens are valid; 0 means an hour.
	TokenLifetime time.Duration
	// Keys makes the private keys of tokens; nil means new ones.
	Keys signing.Source
	// Tenants are the organisations' directories.
	Tenants []tenants.Tenant
	// Bots are the Azure Bots.
	Bots []azure.Bot
	// VirtualBots are the bots of Power Virtual Agents. A bot is published if the
	// row with its id is, in whichever organisation has one.
	VirtualBots []virtualbot.Bot
	// Organisations are the Dataverse environments.
	Organisations []tables.Organisation
	// PublishTakes is how long publishing a bot takes.
	PublishTakes time.Duration
}

// Cloud is the fake. It is safe for concurrent use; make it with New and start
// it once.
type Cloud struct {
	config    Config
	script    *wire.Script
	directory *tenants.Directory
	azure     *azure.Manager
	databases []*tables.Database
	virtual   *virtualbot.Service
	hub       *hub.Hub
	urls      *URLs
	hosts     []host
}

// New returns a cloud. It fails with cloud-invalid where what it is to be made
// of contradicts itself.
func New(c Config) (*Cloud, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	cloud := &Cloud{
		urls:   &URLs{Dataverse: make(map[string]string), Organisations: make(map[string]string)},
		config: c, script: wire.NewScript(c.Clock),
		directory: tenants.New(tenants.Options{Clock: c.Clock, Lag: c.Lag, Lifetime: c.TokenLifetime, Keys: c.Keys}, c.Tenants...),
	}
	cloud.azure = azure.New(cloud.directory, c.Bots...)
	for _, o := range c.Organisations {
		d, err := tables.New(tables.Options{Clock: c.Clock, Directory: cloud.directory, PublishTakes: c.PublishTakes}, o)
		if err != nil {
			return nil, fault.New(fault.Unprocessable, "cloud-invalid", "An organisation can't be made.").Because(err)
		}
		cloud.databases = append(cloud.databases, d)
	}
	cloud.virtual = virtualbot.New(virtualbot.Options{
		Clock: c.Clock, Published: cloud.published, URL: cloud.directLine, Directory: cloud.directory,
	}, c.VirtualBots...)
	cloud.hub = hub.New(hub.Options{
		Clock: c.Clock, Directory: cloud.directory, Azure: cloud.azure, Organisations: cloud.databases,
		ServiceURL: func() string { return cloud.urls.Connector + hub.Region + "/" },
		Native: func(application, conversation string) hub.Native {
			if n := cloud.virtual.Native(application, conversation); n != nil {
				return n
			}
			return nil
		},
	}, rand.IntN)
	cloud.hosts = cloud.all()
	return cloud, nil
}

// published reports whether a bot's row says that it is live.
func (c *Cloud) published(bot string) bool {
	for _, d := range c.databases {
		if r := d.Get("bots", bot); r != nil {
			return r["publishedon"] != nil && r["statecode"] == 0.0 && r["statuscode"] == 1.0 && r["componentstate"] == 0.0
		}
	}
	return false
}

func (c *Cloud) directLine(region string) string {
	if region == "europe" {
		return c.urls.DirectLineEurope
	}
	return c.urls.DirectLine
}

// host is one server of the cloud.
type host struct {
	name     string
	audience string // of the tokens that it takes, if any
	shape    wire.Shape
	handler  http.Handler
	listens  func(url string)
}

// URLs are where the hosts of a running cloud listen, without a slash at the end.
type URLs struct {
	Login            string `json:"login"`
	Graph            string `json:"graph"`
	Azure            string `json:"azure"`
	Discovery        string `json:"discovery"`
	PowerPlatform    string `json:"power_platform"`
	DirectLine       string `json:"direct_line"`
	DirectLineEurope string `json:"direct_line_europe"`
	Connector        string `json:"connector"`
	Pages            string `json:"pages"`
	Control          string `json:"control"`
	LiveChat         string `json:"live_chat"`
	// Dataverse has each organisation's address by its id.
	Dataverse map[string]string `json:"dataverse"`
	// Organisations has the same addresses by the organisations' official ones,
	// such as https://store.crm4.dynamics.com.
	Organisations map[string]string `json:"organisations"`
}

// stopping is how long requests that are being answered have to end.
const stopping = 5 * time.Second

// Running is a started cloud. It is safe for concurrent use.
type Running struct {
	*Cloud
	URLs *URLs

	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (c *Cloud) all() []host {
	u := c.urls
	discovery := tables.Discovery(c.directory, c.databases, func(d *tables.Database) string { return u.Dataverse[d.ID] })
	all := []host{
		{Control, "", pages.Shape, pages.Guarded(c.control()), func(at string) { u.Control = at }},
		{Pages, "", pages.Shape, pages.Handler(c.hub), func(at string) { u.Pages = at }},
		{Login, "", c.directory.LoginShape, c.directory.Login(), func(at string) { u.Login = at }},
		{Graph, tenants.Graph, c.directory.GraphShape, c.directory.Graph(), func(at string) { u.Graph = at }},
		{Azure, tenants.Azure, azure.Shape, c.azure.Handler(), func(at string) { u.Azure = at }},
		{Discovery, tenants.Discovery, tables.Shape, discovery, func(at string) { u.Discovery = at }},
		{PowerPlatform, "", virtualbot.Shape, c.virtual.TokenEndpoint(), func(at string) { u.PowerPlatform = at }},
		{DirectLine, "", virtualbot.Shape, c.virtual.DirectLine(""), func(at string) { u.DirectLine = at }},
		{DirectLineEurope, "", virtualbot.Shape, c.virtual.DirectLine("europe"), func(at string) { u.DirectLineEurope = at }},
		{Connector, "", hub.Shape, c.hub.Connector(), func(at string) { u.Connector = at }},
	}
	for _, d := range c.databases {
		all = append(all, host{Dataverse, d.URL, tables.Shape, d.Handler(), func(at string) {
			u.Dataverse[d.ID], u.Organisations[d.URL] = at, at
		}})
	}
	return append(all, host{LiveChat, "", hub.LiveChatShape, c.hub.LiveChat(), func(at string) { u.LiveChat = at }})
}

// Start serves every host on a port of its own on 127.0.0.1, until ctx ends. It
// fails with simulation-port-busy where another program has one of the ports.
func (c *Cloud) Start(ctx context.Context) (*Running, error) {
	r := &Running{Cloud: c, URLs: c.urls}
	listeners := make([]net.Listener, 0, len(c.hosts))
	for i, h := range c.hosts {
		port := 0
		if c.config.Port > 0 {
			port = c.config.Port + i
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, fault.Newf(fault.Conflict, "simulation-port-busy", "Can't listen on port %d, for %s. Choose other ports.", port, h.name).Because(err)
		}
		listeners = append(listeners, l)
		at := "http://" + l.Addr().String()
		if h.listens(at); h.audience != "" {
			c.directory.Serve(h.audience, at)
		}
	}
	c.hub.Start(ctx)
	c.virtual.Start(ctx)
	for i, h := range c.hosts {
		r.serve(ctx, listeners[i], c.script.Wrap(h.name, h.shape, h.handler))
	}
	return r, nil
}

// serve answers on a listener until ctx ends.
func (r *Running) serve(ctx context.Context, l net.Listener, h http.Handler) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(r.config.Log.Handler(), slog.LevelError),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
		defer cancel()
		r.failed(errors.Join(s.Shutdown(limited), s.Close()))
	})
	r.wg.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			stop()
			r.failed(fmt.Errorf("serve %s: %w", l.Addr(), err))
			return
		}
		<-stopped
	})
}

func (r *Running) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// Wait returns when every host has stopped, with what went wrong.
func (r *Running) Wait() error {
	r.wg.Wait()
	r.hub.Wait()
	r.virtual.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.errs...)
}

// Fault is one misbehaviour of a host; see its fields.
type Fault = wire.Fault

// Call is a request that a host was asked.
type Call = wire.Call

// Inject adds a fault to the script. It fails with fault-invalid.
func (c *Cloud) Inject(f Fault) error {
	if !slices.Contains(c.names(), f.Host) {
		return fault.Newf(fault.Unprocessable, "fault-invalid", "There is no host %q; there are %s.", f.Host, strings.Join(c.names(), ", "))
	}
	return c.script.Inject(f)
}

// ClearFaults forgets all faults.
func (c *Cloud) ClearFaults() { c.script.Clear() }

// Calls returns the last 10,000 requests that a host was asked, earliest
// first; of all hosts where host is empty.
func (c *Cloud) Calls(host string) []Call { return c.script.Calls(host) }

// RotateKeys makes the Bot Connector sign with a new key from now on. The old
// one stays published until the next rotation.
func (c *Cloud) RotateKeys() error { return c.directory.Bots().Rotate() }

func (c *Cloud) names() (all []string) {
	for _, h := range c.hosts {
		if !slices.Contains(all, h.name) {
			all = append(all, h.name)
		}
	}
	return all
}

// Organisation returns a Dataverse organisation, to look at and to change as
// its administrators would; nil where there is none with that id.
func (c *Cloud) Organisation(id string) *tables.Database {
	for _, d := range c.databases {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// VirtualBots returns Direct Line and the bots behind it.
func (c *Cloud) VirtualBots() *virtualbot.Service { return c.virtual }

// Hub returns Omnichannel.
func (c *Cloud) Hub() *hub.Hub { return c.hub }

// Assign has a workstream give its conversations to the bot of an application,
// as an administrator chooses it in Omnichannel's administration. It fails with
// workstream-not-found, and with bot-not-found where the application has no user
// in the workstream's organisation.
func (c *Cloud) Assign(workstream, application string) error {
	for _, d := range c.databases {
		if d.Get("msdyn_liveworkstreams", workstream) == nil {
			continue
		}
		users := d.All("systemusers", "applicationid", application)
		if application == "" || len(users) == 0 {
			return fault.New(fault.NotFound, "bot-not-found", "The application has no user in the organisation of the workstream.")
		}
		d.Put("msdyn_liveworkstreams", workstream, tables.Row{"_msdyn_bot_user_value": users[0]["systemuserid"]})
		return nil
	}
	return fault.New(fault.NotFound, "workstream-not-found", "There is no such workstream.")
}

// SetEndpoint has the messages for the Azure Bot of an application posted to
// another address.
func (c *Cloud) SetEndpoint(application, endpoint string) { c.azure.SetEndpoint(application, endpoint) }
