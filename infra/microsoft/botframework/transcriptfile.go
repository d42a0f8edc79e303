package botframework

import (
	"encoding/json"

	"handoff/domain/fault"
	"handoff/domain/intake"
	"handoff/domain/intake/strictjson"
	"handoff/events"
)

// ParseTranscript reads a transcript file: a list of activities, or an object
// {"activities": […]} (botframework-sdk, specs/transcript/transcript.md). What
// of it is no message is kept under ExtensionKey in the transcript's
// extensions. It fails with json-invalid, or with field-invalid for JSON that
// is no transcript.
func ParseTranscript(body []byte) (*events.Transcript, error) {
	var whole json.RawMessage
	err := strictjson.Read(body, func(r *strictjson.Reader) (err error) {
		whole, err = r.Raw()
		return err
	})
	if err != nil {
		return nil, err
	}
	activities, _, _, ok := content(whole)
	if !ok {
		return nil, fault.New(fault.Unprocessable, "field-invalid", "This is no transcript: it has no list of activities.")
	}
	var h intake.HandOff
	t := reading{where: new(where)}
	for i, activity := range activities {
		t.activity(activity, origin{index: i}, &h)
	}
	t.dropRepeats()
	out := &events.Transcript{Messages: t.messages}
	if len(t.others) > 0 || t.repeats > 0 {
		out.Extensions = members{ExtensionKey: raw(extension{Others: t.others, Repeats: t.repeats})}
	}
	return out, nil
}
