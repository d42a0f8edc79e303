package omnichannel_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/omnichannel"
)

func parse(t testing.TB, text string) activity.Activity {
	t.Helper()
	a, err := activity.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTags(t *testing.T) {
	t.Parallel()
	for tags, want := range map[string]string{
		`{"type":"Escalate","context":{"a":1}}`: `Escalate {"a":1} []`,
		` {"type":"EndConversation"}`:           `EndConversation null []`,
		`FromCustomer,ChannelId-lcw`:            ` null ["FromCustomer","ChannelId-lcw"]`,
		`"a" , ,b,`:                             ` null ["a","b"]`,
		``:                                      ` null []`,
		`{"type":""}`:                           ` null ["{\"type\":\"\"}"]`,
		`{"type":"Escalate"`:                    ` null ["{\"type\":\"Escalate"]`,
	} {
		c, words := omnichannel.ParseTags(tags)
		if words == nil {
			words = []string{}
		}
		if got := c.Type + " " + string(activity.Marshal(c.Context)) + " " + string(activity.Marshal(words)); got != want {
			t.Errorf("%s is %s, want %s", tags, got, want)
		}
	}
}

func TestWhoSpeaks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"type":"message","channelData":{"tags":"ChannelId-lcw,FromCustomer","deliveryMode":"bridged"}}`: true,
		`{"type":"message","channeldata":{"tags":"FromCustomer"}}`:                                        true,
		`{"type":"message","channelData":{"tags":"system,Hidden"}}`:                                       false,
		`{"type":"event","channelData":{"tags":"FromCustomer"}}`:                                          false,
		`{"type":"message","channelData":"FromCustomer"}`:                                                 false,
		`{"type":"message"}`: false,
	} {
		if got := omnichannel.FromCustomer(parse(t, text)); got != want {
			t.Errorf("FromCustomer(%s) = %t", text, got)
		}
	}
}

func TestBridged(t *testing.T) {
	t.Parallel()
	a := parse(t, `{"type":"message","id":"c|1","text":"hi","from":{"id":"bot"},"conversation":{"id":"c"},"serviceUrl":"https://x","cci_bot_id":"b",`+
		`"attachments":[],"suggestedActions":{"actions":[]},"channelData":{"DialogTraceDetail":{"secret":1},"tags":"{}"}}`)
	want := `{"attachments":[],"channelData":{"deliveryMode":"bridged","tags":"{}"},"suggestedActions":{"actions":[]},"text":"hi","type":"message"}`
	if got := string(omnichannel.Bridged(a).JSON()); got != want {
		t.Errorf("Bridged = %s, want %s", got, want)
	}
	if got := string(omnichannel.Bridged(activity.Message("hi")).JSON()); got != `{"channelData":{"deliveryMode":"bridged"},"text":"hi","type":"message"}` {
		t.Errorf("Bridged = %s", got)
	}
}

const opening = `{"type":"event","name":"startConversation","channelId":"lcw","timestamp":1714640000,
 "from":{"id":"8:acs:org_user","name":"Customer","role":1},"conversation":{"id":"19:thread-1"},
 "channeldata":{"tags":"ChannelId-lcw,OmnichannelContextMessage,Hidden","sourceChannelId":"omnichannel"},
 "value":{"StoreLocation":"Delft","Score":7,"msdyn_liveworkitemid":"{7A1D0F0E-0000-4000-8000-00000000C0DE}",
  "msdyn_contact_msdyn_ocliveworkitem_Customer":[{"RecordId":"5c5c5c5c-0000-4000-8000-000000000001","PrimaryDisplayValue":"R. Bakker"}],
  "msdyn_inbox_threadids":"{\"threads\":[]}","list":[{"RecordId":"none"}],"empty":[]}}`

func TestOpenings(t *testing.T) {
	t.Parallel()
	o, err := omnichannel.ReadOpening(parse(t, opening))
	if err != nil {
		t.Fatal(err)
	}
	if o.ConversationID != "19:thread-1" || o.Channel != "lcw" || o.Source != "omnichannel" || o.WorkItem != "7a1d0f0e-0000-4000-8000-00000000c0de" ||
		o.Customer != (omnichannel.Person{ID: "8:acs:org_user", Name: "Customer", Role: events.FromCustomer}) || !o.At.Equal(time.Unix(1714640000, 0)) {
		t.Errorf("opening = %+v", o)
	}
	if want := []string{"ChannelId-lcw", "OmnichannelContextMessage", "Hidden"}; !slices.Equal(o.Tags, want) {
		t.Errorf("tags = %q", o.Tags)
	}
	customer := o.Lookups["msdyn_contact_msdyn_ocliveworkitem_Customer"]
	if len(o.Lookups) != 1 || !slices.Equal(customer, []omnichannel.Lookup{{ID: "5c5c5c5c-0000-4000-8000-000000000001", Name: "R. Bakker"}}) {
		t.Errorf("lookups = %+v", o.Lookups)
	}
	want := `{"Score":7,"StoreLocation":"Delft","empty":[],"list":[{"RecordId":"none"}],"msdyn_inbox_threadids":"{\"threads\":[]}"}`
	if got := string(activity.Marshal(o.Variables)); got != want {
		t.Errorf("variables = %s, want %s", got, want)
	}
}

func TestOddOpenings(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ text, code string }{
		"the older name":                  {`{"type":"event","name":"omnichannelSetContext","value":{"a":1}}`, ""},
		"nothing else":                    {`{"type":"event","name":"startConversation"}`, ""},
		"a value of null (8.4)":           {`{"type":"event","name":"startConversation","value":null}`, ""},
		"a time in text, roles in words":  {`{"type":"event","name":"startConversation","timestamp":"2024-05-02T09:10:11.1234567+00:00","from":{"role":"user"}}`, ""},
		"an id that is none":              {`{"type":"event","name":"startConversation","value":{"msdyn_liveworkitemid":"<REDACTED>"}}`, ""},
		"another event (8.9)":             {`{"type":"event","name":"other"}`, "opening-invalid"},
		"a message of that name":          {`{"type":"message","name":"startConversation"}`, "opening-invalid"},
		"variables that are no variables": {`{"type":"event","name":"startConversation","value":"x"}`, "opening-invalid"},
	} {
		_, err := omnichannel.ReadOpening(parse(t, c.text))
		if c.code == "" && err != nil || c.code != "" && !fault.Is(err, c.code) {
			t.Errorf("%s: %v, want %q", sentence, err, c.code)
		}
	}
}

func FuzzReadOpening(f *testing.F) {
	f.Add([]byte(opening))
	f.Add([]byte(`{"type":"event","name":"startConversation","value":{"a":[[]],"b":[null],"msdyn_liveworkitemid":7}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := activity.Parse(data)
		if err != nil {
			return
		}
		o, err := omnichannel.ReadOpening(a)
		if err != nil && !fault.Is(err, "opening-invalid") {
			t.Error(err)
		}
		if !json.Valid(activity.Marshal(o.Variables)) {
			t.Errorf("variables = %s", o.Variables)
		}
	})
}

func FuzzParseTags(f *testing.F) {
	f.Add(`{"type":"Escalate","context":{}}`)
	f.Add(`a,"b",`)
	f.Fuzz(func(t *testing.T, tags string) {
		c, words := omnichannel.ParseTags(tags)
		if c.Type != "" && len(words) > 0 || slices.Contains(words, "") || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, ",") }) {
			t.Errorf("%q is %+v and %q", tags, c, words)
		}
	})
}
