package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/events"
	"handoff/infra/cloud"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/httpapi"
	"handoff/infra/keyring"
	"handoff/infra/keyring/sqlitekeys"
	"handoff/infra/settings"
)

// served is a function that answers HTTP, with a key for its callers.
type served struct {
	answer cloud.Handler
	key    string
}

func serve(t *testing.T, log eventlog.Log, s settings.Settings) served {
	t.Helper()
	master, err := keyring.NewMasterKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sqlitekeys.Open(t.Context(), t.TempDir(), master, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	if err := keys.EnsureTenant(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	token, _, err := keys.APIKeys().Issue(t.Context(), identity.NewKey{Tenant: "default", Role: identity.Bot, Connection: "store-bot"})
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud.Cloud{Settings: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	raise := func(context.Context, identity.Principal, string, intake.HandOff, httpapi.Request) (conversation.Answer, error) {
		return conversation.Answer{EscalationID: "esc_1"}, nil
	}
	return served{cloud.OnHTTP(c.API(httpapi.API{Raise: raise}, keys, log)), token}
}

// ask sends the event that API Gateway sends.
func (s served) ask(t *testing.T, method, path, body string) lambdaevents.APIGatewayV2HTTPResponse {
	t.Helper()
	e := lambdaevents.APIGatewayV2HTTPRequest{RawPath: path, Body: body, Headers: map[string]string{"authorization": "Bearer " + s.key, "content-type": "application/json"}}
	e.RequestContext.HTTP.Method, e.RequestContext.DomainName, e.RequestContext.Stage = method, "a1b2c3.execute-api.eu-west-1.amazonaws.com", "$default"
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.answer(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var a lambdaevents.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAFunctionAnswersHTTP(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ public, want string }{
		"links begin with where the request arrived": {"", "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/v1/escalations/esc_1"},
		"links begin with the address that is set":   {"https://handoff.example", "https://handoff.example/v1/escalations/esc_1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, memlog.New(), settings.Settings{PublicURL: c.public, MaxBody: 64})
			a := s.ask(t, "POST", "/v1/connections/store-bot/escalations", `{"conversation_id":"c"}`)
			if a.StatusCode != http.StatusAccepted || a.Headers["Location"] != c.want {
				t.Errorf("answer = %+v, want 202 and %s", a, c.want)
			}
			if a := s.ask(t, "POST", "/v1/connections/store-bot/escalations", strings.Repeat(" ", 65)); a.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("a body that is too large was answered %d", a.StatusCode)
			}
			s.key = "hk_x"
			if a := s.ask(t, "POST", "/v1/connections/store-bot/escalations", `{"conversation_id":"c"}`); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("a stranger was answered %d", a.StatusCode)
			}
		})
	}
}

func TestWhatIsNoRequestIsAnError(t *testing.T) {
	t.Parallel()
	s := serve(t, memlog.New(), settings.Settings{})
	if _, err := s.answer(t.Context(), []byte(`{"version":2}`)); err == nil {
		t.Error("an event of another kind was answered")
	}
	recorded, err := os.ReadFile("../lambdahttp/testdata/httpapi-get.json")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.answer(t.Context(), recorded); err != nil || !strings.Contains(string(out), `"statusCode":404`) {
		t.Errorf("answer = %s (%v), want 404: the operation is another function's", out, err)
	}
}

// unreadable is a log whose table does not answer.
type unreadable struct {
	eventlog.Log

	err error
}

// Load implements eventlog.Log.
func (u unreadable) Load(context.Context, events.StreamID) (eventlog.Snapshot, error) {
	return eventlog.Snapshot{}, u.err
}

func TestAFunctionIsHealthyIfItsLogIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		log    eventlog.Log
		status int
	}{
		"it can be read":       {memlog.New(), http.StatusOK},
		"it is throttled":      {unreadable{err: fault.New(fault.Unavailable, "aws-unavailable", "")}, http.StatusServiceUnavailable},
		"it is not even there": {unreadable{err: errors.New("no such table")}, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := serve(t, c.log, settings.Settings{}).ask(t, "GET", "/healthz", "")
			if a.StatusCode != c.status || (a.Headers["Retry-After"] != "") != (c.status == http.StatusServiceUnavailable) {
				t.Errorf("answer = %+v, want %d", a, c.status)
			}
		})
	}
}
