package e2e_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"handoff/infra/standardwebhooks"
)

// signed returns the headers of a body that was signed.
func signed(t *testing.T, secret, id string, at time.Time, body string) []string {
	t.Helper()
	s, err := standardwebhooks.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"webhook-id", id, "webhook-timestamp", strconv.FormatInt(at.Unix(), 10),
		"webhook-signature", standardwebhooks.Sign(s, id, at, []byte(body)),
	}
}

func TestABotMaySignInsteadOfSendingAKey(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c, other := w.connect("store-bot", "full", rules), w.connect("other", "full", rules)
		path, body := "/v1/connections/store-bot/escalations", `{"conversation_id":"a","topic":"Refund"}`
		now := w.clock.now()
		var first, again answer
		w.must(http.StatusAccepted, &first, "", "POST", path, body, signed(t, c.webhook, "msg_1", now, body)...)
		w.must(http.StatusAccepted, &again, "", "POST", path, body, signed(t, c.webhook, "msg_1", now, body)...)
		if again.ID != first.ID || !again.Duplicate {
			t.Errorf("the repeat was answered %+v, want %s", again, first.ID)
		}
		refused := map[string]struct {
			secret string
			at     time.Time
			body   string // what was signed
		}{
			"another connection's secret": {other.webhook, now, body},
			"an endpoint's secret":        {c.secret.Reveal(), now, body},
			"another body":                {c.webhook, now, body + " "},
			"an old signature":            {c.webhook, now.Add(-6 * time.Minute), body},
			"one from the future":         {c.webhook, now.Add(6 * time.Minute), body},
		}
		for name, r := range refused {
			if status, out := w.call("", "POST", path, body, signed(t, r.secret, "msg_2", r.at, r.body)...); status != http.StatusUnauthorized {
				t.Errorf("%s was answered %d %s, want 401", name, status, out)
			}
		}
		// What is not authentic is not parsed: no JSON is no 400.
		if status, out := w.call("", "POST", path, "no json", signed(t, other.webhook, "msg_2", now, "no json")...); status != http.StatusUnauthorized {
			t.Errorf("unsigned nonsense was answered %d %s, want 401", status, out)
		}
		headers := signed(t, c.webhook, "msg_3", now, body)
		w.problem(http.StatusBadRequest, "credentials-ambiguous", c.bot, "POST", path, body, headers...)
		if status, _ := w.call("", "POST", strings.Replace(path, "store-bot", "nowhere", 1), body, headers...); status != http.StatusUnauthorized {
			t.Errorf("a connection that does not exist was answered %d, want 401 as for a wrong secret", status)
		}
		if status, _ := w.call("", "POST", path, body, append(headers, "Handoff-Tenant", "another")...); status != http.StatusUnauthorized {
			t.Errorf("another tenant was answered %d, want 401", status)
		}
		// A webhook-id is no conversation id.
		w.problem(http.StatusBadRequest, "conversation-id-missing", "", "POST", path, `{}`, signed(t, c.webhook, "msg_4", now, `{}`)...)
	})
}

func TestTwoWebhookSecretsOverlapAndNoThird(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		path, body := "/v1/connections/store-bot/escalations", `{"conversation_id":"a"}`
		secrets := []string{c.webhook}
		for range 2 {
			var made struct{ Secret string }
			w.must(http.StatusOK, &made, w.admin, "POST", "/v1/connections/store-bot/webhook-secret", nil)
			secrets = append(secrets, made.Secret)
			for i, s := range secrets {
				want := http.StatusAccepted
				if i < len(secrets)-2 {
					want = http.StatusUnauthorized
				}
				if status, out := w.call("", "POST", path, body, signed(t, s, "m"+strconv.Itoa(i), w.clock.now(), body)...); status != want {
					t.Errorf("with %d secrets, number %d was answered %d %s, want %d", len(secrets), i, status, out, want)
				}
			}
		}
		// A signature by a dead secret beside a good one is good.
		h := signed(t, secrets[2], "both", w.clock.now(), body)
		h[5] = signed(t, secrets[0], "both", w.clock.now(), body)[5] + " " + h[5]
		w.must(http.StatusAccepted, nil, "", "POST", path, body, h...)
	})
}

func TestDeliveriesAreSignedByBothSecretsWhileOneIsReplaced(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := w.connect("store-bot", "full", rules)
		if r := w.event(w.raise(c, "a").ID, routedEvent); r.signatures != 1 {
			t.Errorf("%d signatures, want 1", r.signatures)
		}
		var made struct{ Secret string }
		w.must(http.StatusOK, &made, w.admin, "POST", "/v1/connections/store-bot/endpoints/desk/secret", nil)
		fresh, err := standardwebhooks.ParseSecret(made.Secret)
		if err != nil {
			t.Fatal(err)
		}
		// The desk knows the old one still, then only the new one.
		if r := w.event(w.raise(c, "b").ID, routedEvent); r.signatures != 2 {
			t.Errorf("%d signatures, want 2", r.signatures)
		}
		w.desk.only(fresh)
		w.event(w.raise(c, "c").ID, routedEvent)
		w.must(http.StatusOK, nil, w.admin, "POST", "/v1/connections/store-bot/endpoints/desk/secret", nil)
		w.event(w.raise(c, "d").ID, routedEvent)
		w.desk.only(c.secret)
		w.raise(c, "e")
		w.eventually("the desk refuses", func() bool { w.desk.mu.Lock(); defer w.desk.mu.Unlock(); return w.desk.unsigned > 0 })
		w.problem(http.StatusNotFound, "endpoint-not-found", w.admin, "POST", "/v1/connections/store-bot/endpoints/nope/secret", nil)
	})
}
