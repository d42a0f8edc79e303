package hubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/virtualbot"
)

// external is what is promised of a bot that is a program of its own.
var external = map[string]func(*testing.T, Opener){
	"an external bot is told of everything in turn, signed for it, and answers by the Connector": externalBot,
	"an external bot that refuses, or is not there, is a bad gateway": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
		b.VirtualBots().Connect(simulation.StoreBot, virtualbot.External{Endpoint: refusing.URL, ApplicationID: simulation.RelayID})
		c := talk(b.Bench)
		message := map[string]any{"type": "message", "from": user(), "text": "hello"}
		b.Want(c.post(message), 502, "BotRejectedActivity")
		refusing.Close()
		b.Want(c.post(message), 502, "BotError")
		if set := c.read(""); set.Len("activities") != 2 {
			t.Errorf("what was said = %s", set.Text)
		}
	},
	"nobody but the bot itself answers for an external bot": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		c := talk(b.Bench)
		at := b.URLs.DirectLineEurope + "/v3/conversations/" + c.id + "/activities"
		say := Request{Method: "POST", URL: at, Token: b.token, Body: map[string]any{"type": "message", "text": "hello"}}
		b.Want(b.Do(say), 403, "Forbidden") // it is none
		b.VirtualBots().Connect(simulation.StoreBot, virtualbot.External{ApplicationID: simulation.BystanderID})
		b.Want(b.Do(say), 403, "Forbidden")
		b.VirtualBots().Connect(simulation.StoreBot, virtualbot.External{ApplicationID: simulation.RelayID})
		b.Want(b.Do(say), 200, "")
		say.Token = ""
		b.Want(b.Do(say), 401, "")
		say.Token, say.Body = b.token, map[string]any{"text": "hello"}
		b.Want(b.Do(say), 400, "MissingProperty")
		say.URL, say.Body = b.URLs.DirectLineEurope+"/v3/conversations/nothing/activities", map[string]any{"type": "message"}
		b.Want(b.Do(say), 404, "ConversationNotFound")
	},
}

func externalBot(t *testing.T, start Opener) {
	b := Connect(t, start)
	told := make(chan Received, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got := Received{r.Header.Get("Authorization"), Answer{Text: string(raw)}}
		_ = json.Unmarshal(raw, &got.Body)
		told <- got
		if got.String("type") == "message" { // in the middle of its turn
			b.Reply(got, map[string]any{"type": "message", "text": "You said " + got.String("text"), "serviceUrl": "x", "recipient": user()})
		}
	}))
	t.Cleanup(s.Close)
	b.VirtualBots().Connect(simulation.StoreBot, virtualbot.External{Endpoint: s.URL, ApplicationID: simulation.RelayID})
	c := talk(b.Bench)
	b.Want(c.post(map[string]any{"type": "event", "name": "startConversation", "from": user()}), 200, "")
	c.say("talk to a person")
	for _, want := range []string{"conversationUpdate", "event", "message"} {
		got := <-told
		if got.String("type") != want || got.String("serviceUrl") != b.URLs.DirectLineEurope+"/" || got.String("recipient/role") != "bot" {
			t.Errorf("the bot is told %s, want a %s", got.Text, want)
		}
		if why := b.refused(got); why != "" {
			t.Errorf("the token has %s", why)
		}
	}
	set := c.read("")
	if set.Len("activities") != 3 || set.String("activities/2/text") != "You said talk to a person" || set.At("activities/2/serviceUrl") != nil || set.At("activities/2/recipient") != nil {
		t.Errorf("the client sees %s", set.Text)
	}
	initiate := map[string]any{"type": "event", "name": "handoff.initiate"}
	b.Want(b.Do(Request{Method: "POST", URL: b.URLs.DirectLineEurope + "/v3/conversations/" + c.id + "/activities", Token: b.token, Body: initiate}), 200, "")
	c.say("are you there?")
	if got := c.VirtualBots().Conversations()[0].AfterTransfer; got != 1 {
		t.Errorf("%d messages after the hand-off, want 1", got)
	}
}
