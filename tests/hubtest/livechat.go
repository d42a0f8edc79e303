package hubtest

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
)

// chat is a chat that a client opens by the live chat service.
type chat struct {
	*Bench
	request, session string
}

// newChat returns one that has a token.
func newChat(b *Bench) *chat {
	b.T.Helper()
	c := &chat{Bench: b, request: uuid.NewString()}
	a := c.ask("GET", "v2/getchattoken", nil)
	if a.Status != 200 || a.String("ChatId") == "" || a.String("Token") == "" || a.Header.Get("Oc-Sessionid") == "" {
		b.T.Fatalf("token = %d %v %s", a.Status, a.Header, a.Text)
	}
	c.session = a.Header.Get("Oc-Sessionid")
	return c
}

func (c *chat) ask(method, path string, body any) Answer {
	c.T.Helper()
	return c.askAt(method, path+"/"+simulation.StoreOrganisation+"/"+simulation.WidgetAppID+"/"+c.request+"?channelId=lcw", body)
}

func (c *chat) askAt(method, path string, body any) Answer {
	c.T.Helper()
	q := Request{Method: method, URL: c.URLs.LiveChat + "/livechatconnector/" + path, Body: body}
	if c.session != "" {
		q.Header = map[string]string{"Oc-Sessionid": c.session}
	}
	return c.Do(q)
}

// refused fails the test where an answer is another one than a refusal with a
// status and, unless it is empty, a code in its header.
func (c *chat) refused(a Answer, status int, code string) {
	c.T.Helper()
	if a.Status != status || a.Header.Get("errorcode") != code {
		c.T.Errorf("answer = %d %q, want %d %q", a.Status, a.Header.Get("errorcode"), status, code)
	}
}

func begin(variables map[string]any) map[string]any {
	return map[string]any{"locale": "en-us", "customContextData": variables}
}

// livechat is what is promised of the service that chat widgets talk to.
var livechat = map[string]func(*testing.T, Opener){
	"a chat is opened, given to the bot with its variables, and closed": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		c := newChat(b.Bench)
		if a := c.ask("GET", "getliveworkitemdetails", nil); a.Status != 204 {
			t.Errorf("details of a chat that has not begun: %d", a.Status)
		}
		variables := map[string]any{"Loyalty": map[string]any{"value": "gold", "isDisplayable": true}}
		if a := c.ask("POST", "sessioninit", begin(variables)); a.Status != 200 {
			t.Fatalf("session init = %d %v", a.Status, a.Header)
		}
		first := b.Next()
		if first.String("name") != "startConversation" || first.String("value/Loyalty") != "gold" {
			t.Errorf("the bot gets %s", first.Text)
		}
		details := c.ask("GET", "getliveworkitemdetails", nil)
		if details.String("State") != "Active" || details.String("ConversationId") == "" || details.String("ParticipantType") != "Bot" {
			t.Errorf("details = %s", details.Text)
		}
		for range 2 { // clients repeat it
			if a := c.ask("POST", "sessionclose", map[string]any{}); a.Status != 200 {
				t.Errorf("close = %d %v", a.Status, a.Header)
			}
		}
		now, err := b.Hub().Conversation(details.String("ConversationId"))
		if err != nil || now.Status != hub.Closed || now.Reason != hub.CustomerLeftActive {
			t.Errorf("conversation = %v, %v, %v", now.Status, now.Reason, err)
		}
		if a := c.ask("GET", "getliveworkitemdetails", nil); a.String("State") != "Closed" {
			t.Errorf("details after the end = %s", a.Text)
		}
	},
	"a session that is started twice is one": func(t *testing.T, start Opener) {
		b := Connect(t, start)
		c := newChat(b.Bench)
		for range 2 {
			c.ask("POST", "sessioninit", begin(nil))
		}
		if n := len(b.Hub().Conversations()); n != 1 {
			t.Errorf("%d conversations", n)
		}
	},
	"a chat that waits for a person is left in its queue": func(t *testing.T, start Opener) {
		b := start(t)
		c := newChat(b)
		c.ask("POST", "sessioninit", begin(nil))
		c.ask("POST", "sessionclose", nil)
		if all := b.Hub().Conversations(); len(all) != 1 || all[0].Reason != hub.CustomerLeftOpen {
			t.Errorf("conversations = %+v", all)
		}
	},
	"the widget says how it is to be used": func(t *testing.T, start Opener) {
		c := &chat{Bench: start(t)}
		at := "config/" + simulation.StoreOrganisation + "/" + simulation.WidgetAppID
		a := c.askAt("GET", at+"?requestId="+uuid.NewString()+"&channelId=lcw", nil)
		if a.Status != 200 || a.At("LiveChatVersion") != 2.0 || a.At("LiveChatConfigAuthSettings") != nil || a.String("LiveWSAndLiveChatEngJoin/msdyn_conversationmode") != "192350000" {
			t.Errorf("settings = %s", a.Text)
		}
		c.refused(c.askAt("GET", at+"?channelId=lcw", nil), 400, "")
		c.refused(c.askAt("GET", at+"?requestId="+uuid.NewString(), nil), 400, "")
	},
	"there are no chats at what is not there": func(t *testing.T, start Opener) {
		c := &chat{Bench: start(t)}
		end := "/" + uuid.NewString() + "?channelId=lcw"
		c.refused(c.askAt("GET", "v2/getchattoken/"+simulation.StoreOrganisation+"/"+uuid.NewString()+end, nil), 400, "701")
		c.refused(c.askAt("GET", "v2/getchattoken/"+simulation.ClosedOrganisation+"/"+simulation.WidgetAppID+end, nil), 404, "")
		c.refused(c.askAt("GET", "v2/getchattoken/"+uuid.NewString()+"/"+simulation.WidgetAppID+end, nil), 404, "")
		c.refused(c.askAt("GET", "v2/getchattoken/"+simulation.StoreOrganisation+"/"+simulation.WidgetAppID+"/me?channelId=lcw", nil), 400, "")
		c.refused(c.askAt("GET", "elsewhere", nil), 404, "")
	},
	"a session needs a token and its name": func(t *testing.T, start Opener) {
		b := start(t)
		c := &chat{Bench: b, request: uuid.NewString()}
		c.refused(c.ask("POST", "sessioninit", begin(nil)), 404, "")
		c = newChat(b)
		c.session = "another"
		c.refused(c.ask("POST", "sessioninit", begin(nil)), 401, "")
	},
	"a beginning that is not understood begins nothing": func(t *testing.T, start Opener) {
		b := start(t)
		for sentence, body := range map[string]any{
			"another member":          map[string]any{"locale": "en-us", "mood": "good"},
			"no language":             map[string]any{},
			"a language that is none": map[string]any{"locale": "English please"},
			"another chat":            map[string]any{"locale": "en-us", "chatId": "19:other"},
			"a bare variable":         begin(map[string]any{"Loyalty": "gold"}),
			"a variable of nothing":   begin(map[string]any{"Loyalty": map[string]any{"isDisplayable": true}}),
			"no object":               "[]",
		} {
			if a := newChat(b).ask("POST", "sessioninit", body); a.Status != 400 {
				t.Errorf("%s: %d", sentence, a.Status)
			}
		}
		if n := len(b.Hub().Conversations()); n != 0 {
			t.Errorf("%d conversations began", n)
		}
	},
	"a closed widget opens no chat": func(t *testing.T, start Opener) {
		b := start(t)
		b.Hub().SetShut(simulation.WidgetAppID, true)
		c := newChat(b)
		c.refused(c.ask("POST", "sessioninit", begin(nil)), 400, "705")
		if a := c.ask("GET", "v3/getchattoken", nil); a.Status != 200 || strings.Contains(a.Text, "error") {
			t.Errorf("token = %d %s", a.Status, a.Text)
		}
	},
}
