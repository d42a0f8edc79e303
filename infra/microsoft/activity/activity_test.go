package activity_test

import (
	"encoding/json"
	"testing"

	"handoff/infra/microsoft/activity"
)

func TestUnknownFieldsSurvive(t *testing.T) {
	t.Parallel()
	written := `{"cci_bot_id":"<REDACTED>","channelData":{"DialogTraceDetail":null},"id":"a|1","type":"message","v":1.0}`
	a, err := activity.Parse([]byte(written))
	if err != nil || string(a.JSON()) != written {
		t.Errorf("JSON = %s, %v", a.JSON(), err)
	}
}

func TestChangesLeaveTheOriginalAlone(t *testing.T) {
	t.Parallel()
	a := activity.Message("<b> & c")
	b := a.With("from", map[string]string{"id": "u"}).Without("text")
	if got, want := string(a.JSON()), `{"text":"<b> & c","type":"message"}`; got != want {
		t.Errorf("the original became %s, want %s", got, want)
	}
	if got, want := string(b.JSON()), `{"from":{"id":"u"},"type":"message"}`; got != want || b.From() != "u" {
		t.Errorf("the copy is %s, want %s", got, want)
	}
	if got := activity.Event("x", nil); string(got.JSON()) != `{"name":"x","type":"event"}` || !got.Is("x") || got.Is("X") {
		t.Errorf("event = %s", got.JSON())
	}
	var none activity.Activity
	if got := none.With("type", "typing"); got.Type() != activity.TypeTyping {
		t.Errorf("type = %q", got.Type())
	}
}

func TestReadingWhatIsNotThere(t *testing.T) {
	t.Parallel()
	a, err := activity.Parse([]byte(`{"id":7,"from":"me","conversation":null,"timestamp":1714640000,"role":"bot"}`))
	if err != nil {
		t.Fatal(err)
	}
	if a.ID() != "" || a.From() != "" || a.Object("conversation") != nil || a.Text("none") != "" {
		t.Errorf("read from %s: %q %q", a.JSON(), a.ID(), a.From())
	}
	if a.Scalar("timestamp") != "1714640000" || a.Scalar("role") != "bot" || a.Scalar("from") != "me" {
		t.Error("a number or text was not read")
	}
}

func TestSets(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		written, watermark string
		count              int
		ok                 bool
	}{
		"activities and watermark": {`{"activities":[{"id":"1"},{}],"watermark":"42","x":1}`, "42", 2, true},
		"a watermark of null":      {`{"activities":[],"watermark":null}`, "", 0, true},
		"no watermark":             {`{"activities":null}`, "", 0, true},
		"a watermark in digits":    {`{"watermark":42}`, "42", 0, true},
		"an activity that is none": {`{"activities":[1]}`, "", 0, false},
		"a list":                   {`[]`, "", 0, false},
	} {
		s, err := activity.ParseSet([]byte(c.written))
		if (err == nil) != c.ok || c.ok && (s.Watermark != c.watermark || len(s.Activities) != c.count) {
			t.Errorf("%s: %+v, %v", sentence, s, err)
		}
	}
}

func FuzzParseSet(f *testing.F) {
	for _, seed := range []string{`{"activities":[{"id":"1","from":{"id":"u"}}],"watermark":"1"}`, `{"activities":null,"watermark":null}`, "\ufeff{}", "[]", `{"watermark":1e9}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := activity.ParseSet(data)
		if err != nil {
			return
		}
		for _, a := range s.Activities {
			if !json.Valid(a.JSON()) {
				t.Errorf("%q is no JSON", a.JSON())
			}
			_, _, _ = a.From(), a.ID(), a.Scalar("timestamp")
		}
	})
}
