package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/events"
	"handoff/infra/microsoft/simulation"
)

// What is missing is found before anything is changed, and said together.
func TestWhatIsMissingIsFoundFirst(t *testing.T) {
	t.Parallel()
	const bots, stream = "bots", "msdyn_liveworkstreams"
	for sentence, c := range map[string]struct {
		before func(w *world)
		change func(r *connection.Request)
		code   string
	}{
		"the bot was never published": {before: func(w *world) { w.put(bots, simulation.StoreBot, "publishedon", nil) }, code: "bot-unpublished"},
		"the bot has no licence":      {before: func(w *world) { w.put(bots, simulation.StoreBot, "statuscode", 5.0) }, code: "bot-unpublished"},
		"the bot is deleted":          {before: func(w *world) { w.Organisation(simulation.StoreOrganisation).Remove(bots, simulation.StoreBot) }, code: "bot-deleted"},
		"the bot is of another id":    {change: func(r *connection.Request) { r.Fact.Bot.ID = simulation.Ana }, code: "bot-deleted"},
		"nobody is in the queue": {before: func(w *world) {
			w.put("systemusers", simulation.Ben, "isdisabled", true)
		}, code: "queue-without-people"},
		"there is no such queue":       {change: func(r *connection.Request) { r.Omnichannel.Queue = "Nowhere" }, code: "queue-not-found"},
		"the queue is a default queue": {change: func(r *connection.Request) { r.Omnichannel.Queue = simulation.DefaultQueue }, code: "queue-unfit"},
		"people pick their work":       {before: func(w *world) { w.put(stream, simulation.Workstream, "msdyn_workdistributionmode", 192350001.0) }, code: "workstream-not-push"},
		"there is no such workstream":  {change: func(r *connection.Request) { r.Omnichannel.Workstream = simulation.Ana }, code: "dataverse-not-found"},
		"there is no such Azure Bot": {change: func(r *connection.Request) {
			r.Omnichannel.AzureBot = strings.Replace(r.Omnichannel.AzureBot, simulation.BotName, "other", 1)
		}, code: "azure-not-found"},
		"the Azure Bot runs as another application": {change: func(r *connection.Request) { r.Fact.Hub.ApplicationID = simulation.BystanderID }, code: "application-id-differs"},
		"the Azure Bot is of another tenant": {
			change: func(r *connection.Request) { r.Omnichannel.Directory = simulation.TenantID },
			before: func(w *world) {
				w.inject(simulation.Fault{Host: simulation.Azure, Route: "GET *", Times: -1, Set: map[string]any{"properties": map[string]any{
					"msaAppId": simulation.RelayID, "msaAppType": "SingleTenant", "msaAppTenantId": simulation.Ana,
				}}})
			}, code: "azure-bot-other-tenant",
		},
		"the Azure Bot has no secret": {before: func(w *world) {
			w.inject(simulation.Fault{Host: simulation.Azure, Route: "GET *", Times: -1, Set: map[string]any{"properties": map[string]any{
				"msaAppId": simulation.RelayID, "msaAppType": "UserAssignedMSI",
			}}})
		}, code: "azure-bot-managed-identity"},
		"the application id works for something else": {before: func(w *world) {
			w.Organisation(simulation.StoreOrganisation).Add("systemusers", map[string]any{"applicationid": simulation.RelayID, "isdisabled": false})
		}, code: "application-user-exists"},
		"the Azure Bot posts elsewhere":     {before: func(w *world) { w.SetEndpoint(simulation.RelayID, "https://elsewhere.example/messages") }, code: "azure-bot-endpoint-differs"},
		"nobody knows how to reach the bot": {change: func(r *connection.Request) { r.Omnichannel.TokenEndpoint = "" }, code: "token-endpoint-missing"},
		"the bot is another's at its endpoint": {change: func(r *connection.Request) {
			r.Omnichannel.TokenEndpoint = strings.Replace(r.Omnichannel.TokenEndpoint, simulation.StoreBotSchema, "cr1_other", 1)
		}, code: "bot-not-reachable"},
		"the organisation has no Omnichannel": {before: func(w *world) {
			w.inject(simulation.Fault{Host: simulation.Dataverse, Route: "GET */msdyn_liveworkstreams", Status: http.StatusNotFound, Code: "0x8006088a"})
		}, code: "omnichannel-missing"},
		"a privilege is missing": {before: func(w *world) {
			w.inject(simulation.Fault{Host: simulation.Dataverse, Route: "GET */queues", Status: http.StatusForbidden, Code: "0x80040220", Message: "Principal lacks prvReadQueue."})
		}, code: "dataverse-permission-missing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.before != nil {
				c.before(w)
			}
			w.connect(plan(c.change))
			s := w.state()
			if s.Failure == nil || s.Failure.Step != connection.StepPrerequisites || s.Failure.Code != c.code || !s.Failure.Permanent {
				t.Errorf("failure = %+v, findings %+v, want %s", s.Failure, s.Findings, c.code)
			}
			if got := w.changes(); len(got) > 0 {
				t.Errorf("changes = %v, want none", got)
			}
			if got := w.holder(simulation.RelayID); got != "" {
				t.Errorf("the application id is reserved for %q", got)
			}
		})
	}
}

func (w *world) put(set, id, column string, value any) {
	w.Organisation(simulation.StoreOrganisation).Put(set, id, map[string]any{column: value})
}

func TestAllThatIsMissingIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("bots", simulation.StoreBot, "publishedon", nil)
	w.put("systemusers", simulation.Ben, "isdisabled", true)
	w.put("msdyn_liveworkstreams", simulation.Workstream, "msdyn_workdistributionmode", 192350001.0)
	w.connect(plan(nil))
	s := w.state()
	if want := []string{"bot-unpublished", "queue-without-people", "workstream-not-push"}; !slices.Equal(codes(s, false), want) || s.Failure.Code != "prerequisites-missing" {
		t.Errorf("blocking = %v, failure %+v, want %v", codes(s, false), s.Failure, want)
	}
	w.put("bots", simulation.StoreBot, "publishedon", "2026-11-22T09:00:00Z")
	w.put("systemusers", simulation.Ben, "isdisabled", false)
	w.put("msdyn_liveworkstreams", simulation.Workstream, "msdyn_workdistributionmode", 192350000.0)
	w.connect(plan(nil))
	w.ready()
}

// What is worth knowing is said and keeps nobody.
func TestWhatIsWorthKnowing(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		before func(w *world)
		change func(r *connection.Request)
		code   string
	}{
		"the last publishing failed": {before: func(w *world) {
			w.put("bots", simulation.StoreBot, "synchronizationstatus", `{"lastFinishedPublishOperation":{"status":"Failed"}}`)
		}, code: "bot-publish-failed"},
		"the bot's state is not known":      {before: func(w *world) { w.put("bots", simulation.StoreBot, "statuscode", 99.0) }, code: "bot-state-unknown"},
		"the bot asks customers to sign in": {before: func(w *world) { w.put("bots", simulation.StoreBot, "authenticationmode", 3.0) }, code: "bot-signs-in"},
		"nobody has a licence":              {before: func(w *world) { w.put("systemusers", simulation.Ben, "islicensed", false) }, code: "queue-without-licence"},
		"the workstream has another bot": {before: func(w *world) {
			w.put("msdyn_liveworkstreams", simulation.Workstream, "_msdyn_bot_user_value", simulation.Ana)
		}, code: "workstream-other-bot"},
		"the bot's name is long":  {before: func(w *world) { w.put("bots", simulation.StoreBot, "name", strings.Repeat("Store bot ", 5)) }, code: "bot-name-long"},
		"no workstream was named": {change: func(r *connection.Request) { r.Omnichannel.Workstream = "" }, code: "workstream-not-named"},
		"the workstream has no fallback": {before: func(w *world) {
			w.put("msdyn_liveworkstreams", simulation.Workstream, "_msdyn_defaultqueue_value", nil)
		}, code: "workstream-without-fallback"},
		"the extension was not seen":         {before: func(w *world) { w.withoutSolutions() }, code: "extension-not-seen"},
		"Handoff may not see the bot's rows": {before: func(w *world) { w.hideBots() }, code: "bot-state-unknown"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.before != nil {
				c.before(w)
			}
			w.connect(plan(c.change))
			if s := w.ready(); !slices.Contains(codes(s, true), c.code) {
				t.Errorf("findings = %v, want %s among them", codes(s, true), c.code)
			}
		})
	}
}

func (w *world) withoutSolutions() {
	org := w.Organisation(simulation.StoreOrganisation)
	for _, s := range org.All("solutions", "uniquename", "OmnichannelPowerVirtualAgentsExtension") {
		org.Remove("solutions", s["solutionid"].(string))
	}
}

func (w *world) hideBots() {
	w.inject(simulation.Fault{Host: simulation.Dataverse, Route: "GET */bots(*", Status: http.StatusForbidden, Code: "0x80040220", Times: -1, Message: "Principal lacks prvReadbot."})
}

// Failures of signing in and of the network, by who can do something about them.
func TestWhoCantLook(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		before    func(w *world)
		change    func(r *connection.Request)
		code      string
		permanent bool
	}{
		"the secret is wrong":                  {before: func(w *world) { w.vault.rows["default hub/store-bot/client"] = "wrong~secret" }, permanent: true},
		"the secret is missing":                {before: func(w *world) { delete(w.vault.rows, "default hub/store-bot/client") }, code: "client-secret-missing", permanent: true},
		"the secret's id was given":            {before: func(w *world) { w.vault.rows["default hub/store-bot/client"] = simulation.Ana }, code: "entra-secret-invalid", permanent: true},
		"the tenant is not known":              {change: func(r *connection.Request) { r.Omnichannel.Directory = "nobody.example" }, permanent: true},
		"the application is of another tenant": {change: func(r *connection.Request) { r.Omnichannel.ClientID = simulation.Ana }, code: "entra-application-unknown", permanent: true},
		"the application is not a user":        {before: func(w *world) { w.bystander() }, change: func(r *connection.Request) { r.Omnichannel.ClientID = simulation.BystanderID }, permanent: true},
		"the environment is disabled":          {change: func(r *connection.Request) { r.Fact.Hub.Organisation = "https://store-old.crm4.dynamics.com" }, code: "environment-disabled", permanent: true},
		"the organisation refuses": {before: func(w *world) {
			w.inject(simulation.Fault{Host: simulation.Dataverse, Route: "GET */WhoAmI", Status: http.StatusForbidden, Times: -1})
		}, code: "dataverse-permission-missing", permanent: true},
		"the organisation wants a pause": {before: func(w *world) { w.busy() }, code: "dataverse-throttled"},
		"the login service is not in form": {before: func(w *world) {
			w.inject(simulation.Fault{Host: simulation.Login, Status: 503, RetryAfter: 60, Times: -1})
		}, code: "entra-unavailable"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.before != nil {
				c.before(w)
			}
			if err := w.request(plan(c.change)); err != nil {
				t.Fatal(err)
			}
			err := w.steps()
			f := w.state().Failure
			if f == nil || f.Permanent != c.permanent || c.code != "" && f.Code != c.code || (err == nil) != c.permanent {
				t.Errorf("failure = %+v, error %v; want %s, permanent %t", f, err, c.code, c.permanent)
			}
			if got := w.changes(); len(got) > 0 {
				t.Errorf("changes = %v, want none", got)
			}
			w.noSecrets()
		})
	}
}

func (w *world) bystander() {
	w.vault.rows["default hub/store-bot/client"] = simulation.BystanderSecret
}

func (w *world) busy() {
	w.inject(simulation.Fault{Host: simulation.Dataverse, Status: http.StatusTooManyRequests, RetryAfter: 60, Times: -1})
}

// An application id that is disabled in the organisation is taken up again, and
// one that works in another organisation is nobody's business here.
func TestApplicationIDsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.Organisation(simulation.StoreOrganisation).Add("systemusers", map[string]any{
		"applicationid": simulation.RelayID, "isdisabled": true, "accessmode": 4.0, "msdyn_agenttype": 192350001.0,
	})
	w.Organisation(simulation.AmericanOrganisation).Add("systemusers", map[string]any{"applicationid": simulation.RelayID, "isdisabled": false})
	w.connect(plan(nil))
	if u, _ := w.ready().User(); u.ID != id {
		t.Errorf("user = %+v, want %s", u, id)
	}
	if f := w.enabled(); f == nil || f.Done != events.UserEnabled {
		t.Errorf("enabled = %+v", f)
	}
}

func (w *world) enabled() (last *events.ApplicationUserEnabled) {
	for o := range w.Ledger.ReadOpen(w.Context(), w.stream()) {
		if f, ok := o.Fact.(*events.ApplicationUserEnabled); ok {
			last = f
		}
	}
	return last
}

// A user that Handoff made before something else failed is not taken for that of
// somebody else.
func TestAnAttemptThatFailedAfterItsUserWasMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inject(simulation.Fault{Host: simulation.Dataverse, Route: "POST */systemuserroles_association/$ref", Status: http.StatusForbidden})
	w.connect(plan(nil))
	if f := w.state().Failure; f == nil || f.Step != connection.StepUser || w.store()["isdisabled"] != false {
		t.Fatalf("failure = %+v, user %v", f, w.store())
	}
	w.connect(plan(nil))
	w.ready()
	if f := w.enabled(); f == nil || f.Done != events.UserFound || f.By != connection.ByHandoff {
		t.Errorf("enabled = %+v", f)
	}
}

func TestAUserThatIsNoBot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Organisation(simulation.StoreOrganisation).Add("systemusers", map[string]any{"applicationid": simulation.RelayID, "isdisabled": true, "msdyn_agenttype": 192350000.0})
	w.connect(plan(nil))
	if f := w.state().Failure; f == nil || f.Step != connection.StepUser || f.Code != "application-user-no-bot" {
		t.Errorf("failure = %+v", f)
	}
}

// The application's secret has to work before the connection goes by it.
func TestTheApplicationsSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vault.rows["default hub/store-bot/application"] = "wrong~secret"
	w.connect(plan(nil))
	if f := w.state().Failure; f == nil || f.Step != connection.StepApplication || !f.Permanent {
		t.Fatalf("failure = %+v", f)
	}
	delete(w.vault.rows, "default hub/store-bot/application")
	w.connect(plan(nil))
	if f := w.state().Failure; f == nil || f.Code != "application-secret-missing" {
		t.Fatalf("failure = %+v, for Graph does not let the installer make one", f)
	}
	w.vault.rows["default hub/store-bot/application"] = simulation.RelaySecret
	w.connect(plan(nil))
	w.ready()
}
