package system

import (
	"cmp"
	"context"

	"handoff/domain/emission"
	"handoff/events"
	"handoff/functions/api"
	"handoff/functions/appregistered"
	"handoff/functions/auditreplay"
	"handoff/functions/channelenabled"
	"handoff/functions/connectionrequested"
	"handoff/functions/contexterased"
	"handoff/functions/deadline"
	"handoff/functions/deliver"
	"handoff/functions/disconnected"
	"handoff/functions/escalationraised"
	"handoff/functions/hubwatch"
	"handoff/functions/publishcheck"
	"handoff/functions/relay"
	"handoff/functions/transcriptfetch"
	"handoff/functions/webhook"
	"handoff/infra/contextlink"
	"handoff/infra/healthcheck"
	"handoff/infra/providers"
	"handoff/infra/safehttp"
	"handoff/infra/subscription"
	"handoff/infra/transcripthttp"
	"handoff/infra/webhookout"
)

// bound are the functions with their adapters.
type bound struct {
	webhook             *webhook.Handler
	api                 *api.Handler
	audit               *auditreplay.Handler
	connectionRequested *connectionrequested.Handler
	appRegistered       *appregistered.Handler
	channelEnabled      *channelenabled.Handler
	escalationRaised    *escalationraised.Handler
	disconnected        *disconnected.Handler
	contextErased       *contexterased.Handler
	transcripts         *transcriptfetch.Handler
	deadline            *deadline.Handler
	deliver             *deliver.Handler
	relay               *relay.Handler
	hubwatch            *hubwatch.Rounds
	publishcheck        *publishcheck.Handler
}

func (s *System) bind() {
	c, keys := s.cfg, s.Keyring
	out := safehttp.Options{Allow: c.Allow, Timeout: c.Timeout}
	s.bindMicrosoft()
	hubs := providers.New(s.providerOptions(), healthcheck.Checker{Client: safehttp.NewClient(out)})
	in := safehttp.Options{Allow: c.Allow, MaxBody: transcripthttp.MaxBytes + 1, Timeout: c.Timeout}
	b := bound{
		webhook: &webhook.Handler{
			Ledger: s.Ledger, Keys: keys, Fingerprints: keys, Router: s.rules, Now: c.Now, Log: c.Log, Lifetime: c.Lifetime,
		},
		api: &api.Handler{
			Ledger: s.Ledger, Keys: keys, Destroyer: keys, Secrets: s.Vault, Issuer: keys.APIKeys(), APIKeys: keys.APIKeys(),
			Rules: s.rules, Lists: lists{s}, NextTry: s.nextTry, Now: c.Now, Drain: c.Drain,
			Hubs: hubs, HubSecrets: keys, Geography: c.Geography, Links: contextlink.New(keys, c.PublicURL),
			CheckURL: func(ctx context.Context, url string) error { return safehttp.CheckURL(ctx, url, out) },
			Opener:   s.microsoft.relaying, Chats: s.microsoft.relaying, Positions: s.Log,
		},
		audit:               &auditreplay.Handler{Ledger: s.Ledger, Feed: s.Log, Walker: s.Log, Streams: keys},
		connectionRequested: &connectionrequested.Handler{Ledger: s.Ledger, Applications: hubs, Inspector: hubs, Streams: keys},
		appRegistered:       &appregistered.Handler{Ledger: s.Ledger, Channels: hubs},
		channelEnabled:      &channelenabled.Handler{Ledger: s.Ledger, Hub: hubs, Users: hubs},
		escalationRaised:    &escalationraised.Handler{Ledger: s.Ledger, Streams: keys, Router: s.rules, Now: c.Now, Drain: cmp.Or(c.Drain, api.DefaultDrain)},
		transcripts:         &transcriptfetch.Handler{Ledger: s.Ledger, Now: c.Now, Fetcher: transcripthttp.Fetcher{Client: safehttp.NewClient(in)}},
		contextErased:       &contexterased.Handler{Ledger: s.Ledger, Destroyer: keys},
		deadline:            &deadline.Handler{Ledger: s.Ledger, Now: c.Now},
		deliver: &deliver.Handler{
			Ledger: s.Ledger, Streams: keys, Queue: s.queue, Now: c.Now, Builder: emission.Builder{Base: c.PublicURL},
			Sender: webhookout.NewSender(safehttp.NewClient(out), s.Vault, c.Version, c.Now),
		},
	}
	b.api.Resender = b.deliver
	b.relay, b.hubwatch, b.publishcheck = s.bindRelay(b.webhook), s.bindHubwatch(b.connectionRequested), s.bindPublishcheck(hubs)
	b.disconnected = &disconnected.Handler{
		Ledger: s.Ledger, Escalations: lists{s}, Settler: b.escalationRaised, Applications: b.connectionRequested, Users: hubs,
	}
	s.bound = b
}

// functions says which function is told of which facts.
func (s *System) functions() []subscription.Subscription {
	b := s.bound
	on := func(name string, handle func(context.Context, events.Notification) error, types ...string) subscription.Subscription {
		return subscription.Subscription{Name: name, Types: types, Handle: handle}
	}
	return []subscription.Subscription{
		on("connectionrequested", b.connectionRequested.Handle, "ConnectionRequested"),
		on("appregistered", b.appRegistered.Handle, "AppRegistered"),
		on("channelenabled", b.channelEnabled.Handle, "ChannelEnabled"),
		on("escalationraised", b.escalationRaised.Handle, "EscalationRaised"),
		on("disconnected", b.disconnected.Handle, "Disconnected"),
		on("transcriptfetch", b.transcripts.Handle, "EscalationRaised"),
		on("deliver", b.deliver.Handle, deliver.Types()...),
		on("finisherasure", b.contextErased.Handle, "ContextErased"),
		s.relaySubscription(),
	}
}

func (s *System) projections() []subscription.Projection {
	return []subscription.Projection{s.Directory.Projection()}
}
