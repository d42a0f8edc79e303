package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/infra/httpapi"
)

const intakePath = "/v1/connections/store-bot/escalations"

// raised is one call of the operation.
type raised struct {
	conversation string
	httpapi.Request
}

// recorder returns a handler and what Raise was called with.
func recorder(fail error) (http.Handler, *[]raised) {
	var all []raised
	return serve(func(a *httpapi.API, _ *httpapi.Config) {
		raise := a.Raise
		a.Raise = func(ctx context.Context, by identity.Principal, conn string, h intake.HandOff, r httpapi.Request) (conversation.Answer, error) {
			all = append(all, raised{h.Context.ConversationID, r})
			if fail != nil && len(all) == 2 {
				return conversation.Answer{}, fail
			}
			return raise(ctx, by, conn, h, r)
		}
	}), &all
}

func TestRaisedAnswerIsFlatAndLinked(t *testing.T) {
	t.Parallel()
	w := call(t, serve(nil), "bot", "POST", intakePath, `{"conversation_id":"Kx81c"}`)
	expect(t, w, http.StatusAccepted, "")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	at := publicURL + "/v1/escalations/" + escalationID
	want := map[string]any{
		"escalation_id": escalationID, "status": "routed", "queue": "general", "queue_name": "General help",
		"rule": "refunds", "duplicate": false, "status_url": at + "/status", "why_url": at + "/why",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("answer = %v, want %v", got, want)
	}
	if got := w.Header().Get("Location"); got != at {
		t.Errorf("Location = %q, want %q", got, at)
	}
}

func TestIdsOfRequests(t *testing.T) {
	t.Parallel()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	const said = `{"conversation_id":"Kx81c"}`
	for name, c := range map[string]struct {
		body   string
		header []string
		want   raised
		code   string
	}{
		"none":                          {said, nil, raised{"Kx81c", httpapi.Request{}}, ""},
		"a key in quotes":               {said, []string{"Idempotency-Key", `"a \"b\" \\c"`}, raised{"Kx81c", httpapi.Request{Key: `a "b" \c`, Strict: true}}, ""},
		"a key without quotes":          {said, []string{"Idempotency-Key", " 8e03978e-40d5 "}, raised{"Kx81c", httpapi.Request{Key: "8e03978e-40d5", Strict: true}}, ""},
		"a webhook-id":                  {said, []string{"webhook-id", "msg_1"}, raised{"Kx81c", httpapi.Request{Key: "msg_1"}}, ""},
		"both":                          {said, []string{"webhook-id", "msg_1", "Idempotency-Key", `"k"`}, raised{"Kx81c", httpapi.Request{Key: "k", Strict: true}}, ""},
		"a trace":                       {said, []string{"traceparent", trace}, raised{"Kx81c", httpapi.Request{Trace: trace}}, ""},
		"a trace that is none":          {said, []string{"traceparent", trace + "x"}, raised{"Kx81c", httpapi.Request{}}, ""},
		"a key for the conversation":    {`{}`, []string{"Idempotency-Key", `"k"`}, raised{"", httpapi.Request{Key: "k", Strict: true}}, ""},
		"no conversation":               {`{}`, nil, raised{}, "conversation-id-missing"},
		"a webhook-id is none":          {`{}`, []string{"webhook-id", "msg_1"}, raised{}, "conversation-id-missing"},
		"an empty key":                  {said, []string{"Idempotency-Key", `""`}, raised{}, "idempotency-key-invalid"},
		"a key that is too long":        {said, []string{"Idempotency-Key", strings.Repeat("x", 257)}, raised{}, "idempotency-key-invalid"},
		"the longest key":               {said, []string{"Idempotency-Key", strings.Repeat("x", 256)}, raised{"Kx81c", httpapi.Request{Key: strings.Repeat("x", 256), Strict: true}}, ""},
		"a key with parameters":         {said, []string{"Idempotency-Key", `"k";a=1`}, raised{}, "idempotency-key-invalid"},
		"two keys in a list":            {said, []string{"Idempotency-Key", `"k", "l"`}, raised{}, "idempotency-key-invalid"},
		"a webhook-id that is too long": {said, []string{"webhook-id", strings.Repeat("x", 257)}, raised{}, "webhook-id-invalid"},
		"no JSON":                       {`{"conversation_id":`, nil, raised{}, "json-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, all := recorder(nil)
			w := call(t, h, "bot", "POST", intakePath, c.body, c.header...)
			if c.code != "" {
				expect(t, w, http.StatusBadRequest, c.code)
				if len(*all) != 0 {
					t.Errorf("raised %+v", *all)
				}
				return
			}
			expect(t, w, http.StatusAccepted, "")
			if len(*all) != 1 || (*all)[0] != c.want {
				t.Errorf("raised %+v, want %+v", *all, c.want)
			}
		})
	}
}

func TestTwoIdempotencyKeysAreRefused(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, intakePath, strings.NewReader(`{}`))
	r.Header = http.Header{"Authorization": {"Bearer bot"}, "Content-Type": {"application/json"}, "Idempotency-Key": {`"a"`, `"a"`}}
	w := httptest.NewRecorder()
	serve(nil).ServeHTTP(w, r)
	expect(t, w, http.StatusBadRequest, "idempotency-key-invalid")
}

const (
	initiate = `{"type":"event","name":"handoff.initiate","conversation":{"id":"Kx81c"}}`
	withID   = `{"type":"event","name":"handoff.initiate","id":"a-1","conversation":{"id":"Kx81d"}}`
	message  = `{"type":"message","text":"Hello"}`
)

func TestActivities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		header []string
		want   []raised
		status int
	}{
		"a hand-off":             {initiate, nil, []raised{{"Kx81c", httpapi.Request{}}}, 202},
		"its own id comes first": {withID, []string{"Idempotency-Key", `"k"`}, []raised{{"Kx81d", httpapi.Request{Key: "a-1"}}}, 202},
		"else the key and a place": {
			`{"activities":[` + message + `,` + initiate + `,` + withID + `,` + initiate + `]}`, []string{"Idempotency-Key", `"k"`}, []raised{
				{"Kx81c", httpapi.Request{Key: "k#0", Strict: true}},
				{"Kx81d", httpapi.Request{Key: "a-1"}},
				{"Kx81c", httpapi.Request{Key: "k#2", Strict: true}},
			}, 202,
		},
		"nothing to do": {`{"activities":[` + message + `]}`, nil, nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, all := recorder(nil)
			w := call(t, h, "bot", "POST", "/v1/connections/store-bot/activities", c.body, c.header...)
			expect(t, w, c.status, "")
			if !reflect.DeepEqual(*all, c.want) {
				t.Errorf("raised %+v, want %+v", *all, c.want)
			}
		})
	}
}

func TestASetIsAnsweredByItsFirstFailure(t *testing.T) {
	t.Parallel()
	h, all := recorder(fault.New(fault.Conflict, "connection-disconnected", "It is disconnected."))
	w := call(t, h, "bot", "POST", "/v1/connections/store-bot/activities", `[`+initiate+`,`+initiate+`,`+initiate+`]`)
	expect(t, w, http.StatusConflict, "connection-disconnected")
	if len(*all) != 2 {
		t.Errorf("raised %d times, want 2", len(*all))
	}
}

func TestUnknownParametersOfAnIntakeArePassed(t *testing.T) {
	t.Parallel()
	expect(t, call(t, serve(nil), "bot", "POST", intakePath+"?sv=1&sp=x", `{"conversation_id":"a"}`), http.StatusAccepted, "")
}
