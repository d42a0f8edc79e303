package e2e_test

import (
	"testing"

	"handoff/infra/standardwebhooks"
)

func parse(t *testing.T, secret string) standardwebhooks.Secret {
	t.Helper()
	s, err := standardwebhooks.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// everything is a hand-off with a text that begins with mark in every private
// field.
func everything(mark string) map[string]any {
	return map[string]any{
		"topics": []string{mark + "-topics"}, "last_phrase": mark + "-last-phrase", "phrases": []string{mark + "-phrases"},
		"message_to_agent": mark + "-message-to-agent", "summary": mark + "-summary",
		"customer": map[string]any{
			"id": mark + "-customer-id", "name": mark + "-customer-name", "email": mark + "-email@example.org", "phone": mark + "-phone",
			"verified": true, "page_url": "https://shop.example/" + mark + "-page", "time_zone": "Europe/" + mark, "shoes": mark + "-shoes",
		},
		"variables":        map[string]any{"order_total": mark + "-total", mark + "-name": mark + "-value", "deep": map[string]any{"x": []string{mark + "-deep"}}},
		"variable_changes": []map[string]any{{"name": mark + "-changed", "value": mark + "-was", "topic": mark + "-in-topic"}},
		"transcript": map[string]any{"messages": []map[string]any{
			{
				"id": mark + "-message-id", "from": "customer", "name": mark + "-said-by", "text": mark + "-said",
				"attachments": []map[string]any{{"url": "https://files.example/" + mark + "-file", "name": mark + "-file-name"}}, "mood": mark + "-mood",
			},
			{"from": "bot", "text": mark + "-answered"},
		}},
		"wishes":  map[string]any{"queue": mark + "-wished", "skills": []string{mark + "-skill"}},
		"unknown": mark + "-unknown",
	}
}
