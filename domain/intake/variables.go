package intake

import (
	"encoding/json"
	"strings"

	"handoff/domain/intake/strictjson"
)

// FillFromVariables fills the fields that were not said from the variables that
// Power Virtual Agents sets by itself (Microsoft, "Configure handoff to a
// generic engagement hub", context variables). The variables stay where they
// are. One that is not of the expected kind, or a language that is none, fills
// nothing.
//
// The documentation has va_LastPhrases where real bots send va_LastPhrase; both
// are read, the singular first.
func (h *HandOff) FillFromVariables() {
	if len(h.Context.Variables) == 0 {
		return
	}
	x := &h.Context
	h.fill(&x.ConversationID, "/conversation_id", "va_ConversationId")
	h.fill(&h.Topic, "/topic", "va_LastTopic")
	h.fillList(&x.Topics, "/topics", "va_Topics")
	h.fill(&x.LastPhrase, "/last_phrase", "va_LastPhrase")
	h.fill(&x.LastPhrase, "/last_phrase", "va_LastPhrases")
	h.fillList(&x.Phrases, "/phrases", "va_Phrases")
	h.fill(&x.MessageToAgent, "/message_to_agent", "va_AgentMessage")
	h.fill(&h.Bot.ID, "/bot/id", "va_BotId")
	h.fill(&h.Bot.Name, "/bot/name", "va_BotName")
	if language := text(x.Variables["va_Language"]); IsLanguage(language) {
		h.fill(&h.Language, "/language", "va_Language")
	}
}

func (h *HandOff) fill(field *string, pointer, variable string) {
	if *field != "" {
		return
	}
	if *field = text(h.Context.Variables[variable]); *field != "" {
		h.mark(pointer, variable)
	}
}

func (h *HandOff) fillList(field *[]string, pointer, variable string) {
	if len(*field) > 0 {
		return
	}
	if *field = list(h.Context.Variables[variable]); len(*field) > 0 {
		h.mark(pointer, variable)
	}
}

func (h *HandOff) mark(pointer, variable string) {
	if h.filled == nil {
		h.filled = make(map[string]string)
	}
	h.filled[pointer] = variable
}

// locate returns where the caller finds what a pointer in the plain dialect
// means.
func (h *HandOff) locate(pointer string) string {
	for field, variable := range h.filled {
		if rest, ok := strings.CutPrefix(pointer, field); ok && (rest == "" || rest[0] == '/') {
			pointer = "/variables" + strictjson.Segment(variable) + rest
			break
		}
	}
	if h.Locate != nil {
		return h.Locate(pointer)
	}
	return pointer
}

// text returns the text that raw is, or nothing.
func text(raw json.RawMessage) (s string) {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	if strictjson.Read(raw, func(r *strictjson.Reader) error { return r.Text(&s) }) != nil {
		return ""
	}
	return s
}

// list returns the texts that raw lists, either as a list or, as bots do that
// can only set texts, as a text that holds one.
func list(raw json.RawMessage) (all []string) {
	if inner := text(raw); inner != "" {
		raw = json.RawMessage(inner)
	}
	if len(raw) == 0 || strictjson.Read(raw, func(r *strictjson.Reader) error { return r.Texts(&all) }) != nil {
		return nil
	}
	return all
}
