package relaying_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/relaying"
)

func FuzzInbound(f *testing.F) {
	for _, seed := range []string{
		`{"type":"message","id":"1","conversation":{"id":"19:a"},"from":{"id":"8:c","name":"R"},"recipient":{"id":"28:b"},"text":"hi","timestamp":"2026-11-23T09:00:00Z"}`,
		`{"type":"event","name":"startConversation","conversation":{"id":"19:a"},"channeldata":{"tags":"Hidden"},"value":{"Store":"Delft","a":[{"RecordId":"x"}]}}`,
		`{"type":"endOfConversation","conversation":{"id":"19:a"}}`, `{"type":"message","conversation":{"id":7},"from":"8:c","text":null,"timestamp":1}`,
		`{"type":"event","name":"startConversation","conversation":{"id":"c"},"value":"{"}`, "\ufeff{}", "[]", "",
	} {
		f.Add([]byte(seed))
	}
	caller := botauth.Caller{ChannelID: "lcw", ServiceURL: hubURL}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := activity.Parse(body)
		if err != nil {
			return
		}
		in, ok, err := relaying.Inbound(caller, a, body)
		at := in.Address
		switch {
		case err != nil && (ok || fault.KindOf(err) != fault.Invalid):
			t.Errorf("%q is %t, %v", body, ok, err)
		case err == nil && (in.ID == "" || at.ConversationID == "" || at.ServiceURL != hubURL || len(at.ConversationID) > relaying.MaxID):
			t.Errorf("%q is received as %+v", body, in)
		case ok && (in.Kind == relay.Speaks) != (in.Message != nil), ok && in.Kind == "":
			t.Errorf("%q is of kind %q with message %+v", body, in.Kind, in.Message)
		}
	})
}

func FuzzListen(f *testing.F) {
	for _, seed := range []string{
		`{"watermark":"9","activities":[{"type":"message","id":"k1|0000003","from":{"id":"b"},"text":"first","channelData":{"x":1}}]}`,
		`{"activities":[{"type":"event","id":"k1|1","name":"handoff.initiate","conversation":{"id":"k1"},"value":{"va_LastTopic":"Refund"},"attachments":[{"contentType":"application/json","name":"Transcript","content":"{\"activities\":[]}"}]}]}`,
		`{"activities":[{"type":"message","from":{"id":"dl_c"},"channelData":{"handoffMark":"handoff-1-7"}},{"type":"endOfConversation"},{}]}`,
		`{"activities":null,"watermark":7}`, `{"activities":[7]}`, `[]`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if status, _, _ := strings.Cut(body, " "); status == "403" || status == "413" {
			return // which stand for something in services
		}
		s := &services{answers: map[string]string{"GET " + dl: body}}
		h, err := speaks(s, nil).Listen(t.Context(), link(), session(), "", 0)
		if err != nil && len(h.Spoken) > 0 {
			t.Errorf("%q is heard as %+v beside %v", body, h, err)
		}
		for _, p := range h.Spoken {
			said := 0
			for _, is := range []bool{p.Message != nil, p.HandOff != nil, p.Unreadable != nil, p.Ended, p.Mark != ""} {
				if is {
					said++
				}
			}
			if said != 1 {
				t.Errorf("%q is heard as %+v, which is %d things", body, p, said)
			}
			if m := p.Message; m != nil {
				for name := range m.Extensions {
					if strings.EqualFold(name, "channelData") || strings.EqualFold(name, "text") {
						t.Errorf("%q keeps %s", body, name)
					}
				}
			}
		}
	})
}

func FuzzChat(f *testing.F) {
	for _, seed := range []string{`{"Request":"7a1d0f0e-0000-4000-8000-00000000c0de","Session":"s","Thread":"19:a"}`, `{"Request":"../x"}`, `{"Request":"7a1d0f0e-0000-4000-8000-00000000c0de","Session":"a\r\nb: c"}`, "", "{"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(seed)))
	}
	r := speaks(new(services), nil)
	f.Fuzz(func(t *testing.T, chat string) {
		// The connection has no settings, so that a chat that can be read ends there.
		if err := r.CloseChat(t.Context(), connection.State{ID: "store-bot"}, chat); !fault.Is(err, "chat-not-found") && !fault.Is(err, "connection-not-omnichannel") {
			t.Errorf("%q: %v", chat, err)
		}
	})
}
