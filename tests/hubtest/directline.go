package hubtest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
)

const tokenPath = "/powervirtualagents/botsbyschema/" + simulation.StoreBotSchema + "/directline/token?api-version=2022-03-01-preview"

// directline is what is promised of Direct Line and the bot behind it.
var directline = map[string]func(*testing.T, Opener){
	"the token endpoint and the regional settings lead to a conversation": func(t *testing.T, start Opener) {
		b := start(t)
		token := b.Do(Request{Method: "GET", URL: b.URLs.PowerPlatform + tokenPath})
		settings := b.Do(Request{Method: "GET", URL: b.URLs.PowerPlatform + "/powervirtualagents/regionalchannelsettings?api-version=2022-03-01-preview"})
		at := settings.String("channelUrlsById/directline")
		if token.At("expires_in") != 3600.0 || at != b.URLs.DirectLineEurope+"/" {
			t.Errorf("token = %s, settings = %s", token.Text, settings.Text)
		}
		open := Request{Method: "POST", URL: at + "v3/directline/conversations", Token: token.String("token")}
		first := b.Do(open)
		b.Want(first, 201, "")
		if first.String("conversationId") != token.String("conversationId") || first.At("expires_in") != 1800.0 || !strings.HasPrefix(first.String("streamUrl"), "ws://") {
			t.Errorf("conversation = %s", first.Text)
		}
		b.Want(b.Do(open), 200, "")
	},
	"a token of another region is refused at the global address": func(t *testing.T, start Opener) {
		b := start(t)
		token := b.Do(Request{Method: "GET", URL: b.URLs.PowerPlatform + tokenPath}).String("token")
		b.Want(b.Do(Request{Method: "POST", URL: b.URLs.DirectLine + "/v3/directline/conversations", Token: token}), 403, "")
	},
	"the greeting, a variable, and the Transfer node with its payload": transfers,
	"reading again from the same watermark gives the same activities": func(t *testing.T, start Opener) {
		c := talk(start(t))
		c.post(map[string]any{"type": "message", "from": user(), "text": "store hours"})
		first, again := c.read(""), c.read("")
		if first.Text != again.Text || first.Len("activities") != 2 || first.String("watermark") == "" {
			t.Errorf("first %s\nthen %s", first.Text, again.Text)
		}
		if rest := c.read(first.String("watermark")); rest.Len("activities") != 0 {
			t.Errorf("after the watermark = %s", rest.Text)
		}
		c.Want(c.read("99"), 400, "BadArgument")
		Injected(c.Bench, simulation.Fault{Host: simulation.DirectLineEurope, Route: "GET *", Set: map[string]any{"watermark": nil}})
		if dropped := c.read(""); dropped.At("watermark") != nil || dropped.Len("activities") != 2 {
			t.Errorf("dropped = %s", dropped.Text)
		}
	},
	"a late reply comes when it is due, and what was said meanwhile is heard after it": func(t *testing.T, start Opener) {
		c := talk(start(t))
		c.say("is it in stock?")
		c.say("store hours")
		if got := c.texts(); len(got) != 3 {
			t.Errorf("texts = %q", got)
		}
		c.Clock.Advance(20 * time.Second)
		if got := c.texts(); len(got) != 5 || !strings.HasPrefix(got[3], "Yes") || !strings.HasPrefix(got[4], "We are open") {
			t.Errorf("texts = %q", got)
		}
	},
	"after three phrases that it does not understand the bot escalates": func(t *testing.T, start Opener) {
		c := talk(start(t))
		for range 3 {
			c.say("xyzzy")
		}
		if set := c.read(""); set.String("activities/6/name") != "handoff.initiate" {
			t.Errorf("activities = %s", set.Text)
		}
	},
	"a bot that is not published says so": func(t *testing.T, start Opener) {
		c := talk(start(t))
		c.Organisation(simulation.StoreOrganisation).Put("bots", simulation.StoreBot, map[string]any{"componentstate": 1.0})
		c.say("hello")
		if got := c.texts(); !strings.Contains(got[1], "LatestPublishedVersionNotFound") {
			t.Errorf("texts = %q", got)
		}
	},
	"tokens expire, are refreshed before, and are for one conversation": tokens,
	"an activity that breaks the rules is refused": func(t *testing.T, start Opener) {
		c := talk(start(t))
		for _, x := range []struct {
			body   any
			status int
			code   string
		}{
			{map[string]any{"from": user()}, 400, "MissingProperty"},
			{map[string]any{"type": "message"}, 400, "MissingProperty"},
			{map[string]any{"type": "event", "from": user()}, 400, "MissingProperty"},
			{map[string]any{"type": "Message", "from": user()}, 400, "BadArgument"},
			{"{", 400, "BadArgument"},
			{map[string]any{"type": "message", "from": user(), "text": strings.Repeat("x", 256<<10)}, 400, "MessageSizeTooBig"},
		} {
			c.Want(c.post(x.body), x.status, x.code)
		}
		Injected(c.Bench, simulation.Fault{Host: simulation.DirectLineEurope, Route: "POST */activities", Status: 502})
		c.Want(c.post(map[string]any{"type": "message", "from": user(), "text": "hi"}), 502, "BotError")
	},
	"a stream begins with a keep-alive, has typing, and ends when another begins": streams,
	"handoff.status and the end of the conversation reach the bot, unknown events are ignored": func(t *testing.T, start Opener) {
		c := talk(start(t))
		for _, a := range []map[string]any{
			{"type": "event", "name": "handoff.status", "from": user(), "value": map[string]any{"state": "accepted"}},
			{"type": "event", "name": "nobody.knows", "from": user()},
			{"type": "endOfConversation", "from": user()},
		} {
			c.Want(c.post(a), 200, "")
		}
		got := c.VirtualBots().Conversations()
		if len(got) != 1 || !got[0].Ended || len(got[0].Statuses) != 1 || got[0].Statuses[0]["state"] != "accepted" {
			t.Errorf("conversations = %+v", got)
		}
	},
}

func transfers(t *testing.T, start Opener) {
	c := talk(start(t))
	c.post(map[string]any{"type": "event", "name": "pvaSetContext", "from": user(), "value": map[string]any{"Shop": "web"}})
	c.post(map[string]any{"type": "event", "name": "startConversation", "from": user()})
	c.say("refund please")
	c.say("A-1234")
	set := c.read("")
	last := "activities/" + string(rune('0'+set.Len("activities")-1)) + "/"
	for path, want := range map[string]any{
		"type": "event", "name": "handoff.initiate", "from/role": "bot", "value/va_Scope": "bot", "value/va_LastTopic": "Refund", "value/va_LastPhrase": "refund please",
		"value/va_Topics/0": "Refund", "value/va_ConversationId": c.id, "value/OrderNumber": "A-1234", "value/Shop": "web", "value/Items": 2.0,
		"value/Member": true, "attachments/0/name": "Transcript", "attachments/0/contentType": "application/json", "serviceUrl": nil, "recipient": nil,
		"attachments/0/content/activities/0/text": "Hello, I'm the store's virtual assistant. How can I help?", "relatesTo/conversation/id": c.id,
	} {
		if got := set.At(last + path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	if id := set.String(last + "id"); !strings.HasPrefix(id, c.id+"|0000") {
		t.Errorf("id = %q", id)
	}
	c.say("are you there?")
	if got := c.VirtualBots().Conversations()[0].AfterTransfer; got != 1 {
		t.Errorf("%d messages after the transfer, want 1", got)
	}
}

func tokens(t *testing.T, start Opener) {
	c := talk(start(t))
	c.Clock.Advance(20 * time.Minute)
	at := c.URLs.DirectLineEurope + "/v3/directline"
	fresh := c.Do(Request{Method: "POST", URL: at + "/tokens/refresh", Token: c.token})
	c.Want(fresh, 200, "")
	c.Clock.Advance(10 * time.Minute)
	c.Want(c.read(""), 403, "TokenExpired")
	c.Want(c.Do(Request{Method: "POST", URL: at + "/tokens/refresh", Token: c.token}), 403, "TokenExpired")
	c.token = fresh.String("token")
	c.Want(c.read(""), 200, "")
	other := c.Do(Request{Method: "POST", URL: at + "/conversations", Token: simulation.StoreBotSecret})
	c.Want(other, 201, "")
	c.Want(c.Do(Request{Method: "GET", URL: at + "/conversations/" + other.String("conversationId") + "/activities", Token: c.token}), 403, "BadArgument")
	c.Want(c.Do(Request{Method: "GET", URL: at + "/conversations/nothing/activities", Token: c.token}), 404, "ConversationNotFound")
	c.Want(c.Do(Request{Method: "GET", URL: at + "/conversations/nothing/activities"}), 401, "")
	c.Want(c.Do(Request{Method: "GET", URL: at + "/conversations/nothing/activities", Token: "x"}), 403, "BadArgument")
	named := c.Do(Request{Method: "POST", URL: at + "/tokens/generate", Token: simulation.StoreBotSecret, Body: map[string]any{"user": map[string]any{"id": "dl_1"}}})
	c.Want(named, 200, "")
	post := func(token, conversation, user string) Answer {
		return c.Do(Request{Method: "POST", URL: at + "/conversations/" + conversation + "/activities", Token: token, Body: map[string]any{
			"type": "message", "from": map[string]any{"id": user}, "text": "hello",
		}})
	}
	begun := c.Do(Request{Method: "POST", URL: at + "/conversations", Token: named.String("token")}).String("conversationId")
	c.Want(post(named.String("token"), begun, "somebody"), 200, "")
	first := c.Do(Request{Method: "GET", URL: at + "/conversations/" + begun + "/activities", Token: named.String("token")})
	if got := first.String("activities/0/from/id"); got != "dl_1" {
		t.Errorf("who speaks = %q, want the user of the token", got)
	}
	c.Want(post(c.token, c.id, "dl_1"), 403, "BadArgument")
	c.Want(c.Do(Request{Method: "POST", URL: at + "/tokens/generate", Token: simulation.StoreBotSecret, Body: map[string]any{"user": map[string]any{"id": "1"}}}), 400, "BadArgument")
	c.VirtualBots().ExpireTokens()
	c.Want(c.read(""), 403, "TokenExpired")
}

func streams(t *testing.T, start Opener) {
	c := talk(start(t))
	s, _ := Dial(t, c.stream)
	if body, err := s.Read(); err != nil || len(body) != 0 {
		t.Fatalf("first frame = %q %v, want a keep-alive", body, err)
	}
	if _, status := Dial(t, c.stream); status != 403 {
		t.Errorf("a ticket is good twice: %d", status)
	}
	c.say("in stock?")
	var kinds []string
	for len(kinds) < 3 {
		set := s.Next(t)
		for i := range set.Len("activities") {
			kinds = append(kinds, set.String("activities/"+string(rune('0'+i))+"/type"))
		}
	}
	if got := strings.Join(kinds, " "); !strings.Contains(got, "typing") || strings.Count(got, "message") < 2 {
		t.Errorf("streamed = %s", got)
	}
	next := c.Do(Request{Method: "GET", URL: c.at("?watermark=2"), Token: c.token})
	c.Want(next, 200, "")
	second, _ := Dial(t, next.String("streamUrl"))
	if _, err := s.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("the first stream goes on: %v", err)
	}
	c.Clock.Advance(20 * time.Second)
	if set := second.Next(t); set.Len("activities") != 1 || set.String("watermark") != "3" {
		t.Errorf("after reconnecting = %s", set.Text)
	}
	late := c.Do(Request{Method: "GET", URL: c.at(""), Token: c.token}).String("streamUrl")
	c.Clock.Advance(time.Minute)
	if _, status := Dial(t, late); status != 403 {
		t.Errorf("an old address is answered with %d, want 403", status)
	}
}

// talking is a conversation with the shop's bot.
type talking struct {
	*Bench
	id, token, stream string
}

func talk(b *Bench) *talking {
	b.T.Helper()
	token := b.Do(Request{Method: "GET", URL: b.URLs.PowerPlatform + tokenPath}).String("token")
	a := b.Do(Request{Method: "POST", URL: b.URLs.DirectLineEurope + "/v3/directline/conversations", Token: token})
	b.Want(a, 201, "")
	return &talking{b, a.String("conversationId"), a.String("token"), a.String("streamUrl")}
}

func user() map[string]any { return map[string]any{"id": "customer-77", "role": "user"} }

func (c *talking) at(rest string) string {
	return c.URLs.DirectLineEurope + "/v3/directline/conversations/" + c.id + rest
}

func (c *talking) post(body any) Answer {
	c.T.Helper()
	return c.Do(Request{Method: "POST", URL: c.at("/activities"), Token: c.token, Body: body})
}

func (c *talking) say(text string) {
	c.T.Helper()
	c.Want(c.post(map[string]any{"type": "message", "from": user(), "text": text}), 200, "")
}

func (c *talking) read(watermark string) Answer {
	c.T.Helper()
	return c.Do(Request{Method: "GET", URL: c.at("/activities?watermark=" + watermark), Token: c.token})
}

func (c *talking) texts() (all []string) {
	c.T.Helper()
	set := c.read("")
	for i := range set.Len("activities") {
		all = append(all, set.String("activities/"+string(rune('0'+i))+"/text"))
	}
	return all
}
