package conversation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"handoff/domain/conversation"
	"handoff/events"
	"handoff/tests/scenario"
)

// observe shows facts to a viewer; those whose place is in erased come without
// their private part, as they are read once their key is destroyed.
func observe(facts []events.Fact, erased ...int) *conversation.Viewer {
	var v conversation.Viewer
	for i, f := range facts {
		gone := false
		for _, place := range erased {
			gone = gone || place == i
		}
		v.Observe(events.Header{Version: i + 1, Type: f.FactType(), Actor: "key_1"}, f, gone)
	}
	return &v
}

func view(t *testing.T, v *conversation.Viewer, number int) conversation.View {
	t.Helper()
	w, ok := v.Escalation(number)
	if !ok {
		t.Fatalf("escalation %d can't be viewed", number)
	}
	return w
}

func TestViewTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	failed := &events.EscalationFailed{Number: 1, Code: "busy", Words: &events.Words{Message: "Nobody is there."}}
	v := observe([]events.Fact{raised(1, "r1", "f1"), routed(1, "store"), moved(1, "bank"), failed, raised(2, "r2", "f2")})
	w := view(t, v, 1)
	if w.Number != 1 || w.Status != conversation.Failed || w.Code != "busy" || w.Connection != "bank" || w.Context == nil || w.Raised.Context != nil || w.Erased {
		t.Errorf("view = %+v", w)
	}
	if len(w.Routes) != 2 || w.Routes[0].Version != 2 || w.Routes[1].Fact.Connection != "bank" {
		t.Errorf("routes = %+v", w.Routes)
	}
	var story []string
	for _, e := range w.Timeline {
		story = append(story, fmt.Sprint(e.Version, " ", e.Type, " ", e.Message))
	}
	if got, want := strings.Join(story, ", "), "1 EscalationRaised , 2 EscalationRouted , 3 EscalationRouted , 4 EscalationFailed Nobody is there."; got != want {
		t.Errorf("timeline = %s, want %s", got, want)
	}
	if next := view(t, v, 2); next.Status != conversation.Raised || len(next.Timeline) != 1 || len(v.Escalations()) != 2 {
		t.Errorf("the next one = %+v", next)
	}
	for _, number := range []int{0, -1, 3} {
		if _, ok := v.Escalation(number); ok {
			t.Errorf("there is a view of escalation %d", number)
		}
	}
}

func TestViewAddsWhatRepeatsSay(t *testing.T) {
	t.Parallel()
	more := added(1, "r2", "f2")
	more.Context = &events.Context{Summary: "a summary", Topics: []string{"Refund"}}
	w := view(t, observe([]events.Fact{raised(1, "r1", "f1"), more}), 1)
	if w.Context.Summary != "a summary" || w.Context.LastPhrase != scenario.Private || len(w.Context.Topics) != 1 {
		t.Errorf("context = %+v", w.Context)
	}
}

// A transcript may be read so late that the next escalation is there.
func TestViewPutsATranscriptWhereItBelongs(t *testing.T) {
	t.Parallel()
	late := &events.TranscriptStored{Number: 1, Messages: 1, Transcript: &events.Transcript{Messages: []events.Message{{From: "bot", Text: "hello"}}}}
	v := observe([]events.Fact{pending(1, "r1", "f1"), &events.EscalationExpired{Number: 1}, raised(2, "r2", "f2"), late})
	if w := view(t, v, 1); w.Context.Transcript == nil || w.Pending || w.Timeline[len(w.Timeline)-1].Type != "TranscriptStored" {
		t.Errorf("escalation 1 = %+v", w)
	}
	if w := view(t, v, 2); w.Context.Transcript != nil || len(w.Timeline) != 1 {
		t.Errorf("escalation 2 = %+v", w)
	}
}

func TestViewOfWhatIsErased(t *testing.T) {
	t.Parallel()
	gone := raised(1, "r1", "f1")
	gone.Context = nil
	route := routed(1, "store")
	route.Misses = nil
	w := view(t, observe([]events.Fact{gone, route, &events.ContextErased{}}, 0, 1), 1)
	if w.Context != nil || !w.Erased || !w.Routes[0].Erased || len(w.Timeline) != 3 {
		t.Errorf("view = %+v", w)
	}
}

// Between the fact and the destruction of the key, private parts still open.
func TestViewForgetsWhatAFactSaysIsErased(t *testing.T) {
	t.Parallel()
	failed := &events.EscalationFailed{Number: 1, Words: &events.Words{Message: scenario.Private}}
	v := observe([]events.Fact{raised(1, "r1", "f1"), routed(1, "store"), failed, raised(2, "r2", "f2"), &events.ContextErased{}, added(2, "r3", "f3")})
	if w := view(t, v, 1); !w.Erased || !w.Routes[0].Erased {
		t.Errorf("erased = %t, of its route %t", w.Erased, w.Routes[0].Erased)
	}
	b, err := json.Marshal(view(t, v, 1))
	if err != nil || strings.Contains(string(b), scenario.Private) || len(view(t, v, 1).Routes[0].Fact.Misses) > 0 {
		t.Errorf("%v: the view still tells %s", err, b)
	}
	if w := view(t, v, 2); !w.Erased || w.Context == nil || w.Context.LastPhrase != scenario.Private {
		t.Errorf("what came after the erasure is lost: %+v", w)
	}
}

func TestViewerIsTotal(t *testing.T) {
	t.Parallel()
	for _, f := range []events.Fact{
		routed(1, "store"), added(1, "r1", "f1"), &events.ContextErased{}, &events.TranscriptStored{Number: 7}, &events.TranscriptMissing{Number: -1},
		&events.EscalationCompleted{Number: 1}, &events.ConnectionReady{},
	} {
		if v := observe([]events.Fact{f}); len(v.Escalations()) != 0 || v.State().Version != 1 {
			t.Errorf("%s alone makes a view", f.FactType())
		}
		observe([]events.Fact{raised(1, "r1", "f1"), f})
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	one, two := json.RawMessage("1"), json.RawMessage("2")
	hi := func(id, text string) events.Message { return events.Message{ID: id, From: "customer", Text: text} }
	said := func(m ...events.Message) *events.Context {
		return &events.Context{Transcript: &events.Transcript{Messages: m}}
	}
	change := func(v json.RawMessage) events.VariableChange {
		return events.VariableChange{Name: "n", Value: v, At: new(at(1))}
	}
	for sentence, c := range map[string]struct{ older, newer, want *events.Context }{
		"nothing and nothing":              {nil, nil, nil},
		"something after nothing":          {nil, said(hi("", "a")), said(hi("", "a"))},
		"nothing after something":          {said(hi("", "a")), nil, said(hi("", "a"))},
		"a newer phrase replaces":          {&events.Context{LastPhrase: "a", Summary: "s"}, &events.Context{LastPhrase: "b"}, &events.Context{LastPhrase: "b", Summary: "s"}},
		"topics grow by what they lack":    {&events.Context{Topics: []string{"a", "b"}}, &events.Context{Topics: []string{"b", "c"}}, &events.Context{Topics: []string{"a", "b", "c"}}},
		"a newer variable replaces":        {&events.Context{Variables: map[string]json.RawMessage{"n": one, "m": one}}, &events.Context{Variables: map[string]json.RawMessage{"n": two}}, &events.Context{Variables: map[string]json.RawMessage{"n": two, "m": one}}},
		"changes grow by what they lack":   {&events.Context{VariableChanges: []events.VariableChange{change(one)}}, &events.Context{VariableChanges: []events.VariableChange{change(one), change(two)}}, &events.Context{VariableChanges: []events.VariableChange{change(one), change(two)}}},
		"a message that is there by id":    {said(hi("1", "a")), said(hi("1", "a"), hi("2", "b")), said(hi("1", "a"), hi("2", "b"))},
		"a message that is there by words": {said(hi("", "a")), said(hi("", "a"), hi("", "b")), said(hi("", "a"), hi("", "b"))},
		"a newer customer replaces":        {&events.Context{Customer: &events.Customer{ID: "1"}}, &events.Context{Customer: &events.Customer{ID: "2"}}, &events.Context{Customer: &events.Customer{ID: "2"}}},
		"newer wishes replace":             {&events.Context{Wishes: &events.Wishes{Queue: "a"}}, &events.Context{Wishes: &events.Wishes{Queue: "b"}}, &events.Context{Wishes: &events.Wishes{Queue: "b"}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			before := asJSON(t, []*events.Context{c.older, c.newer})
			if got := asJSON(t, conversation.Merge(c.older, c.newer)); got != asJSON(t, c.want) {
				t.Errorf("merged = %s, want %s", got, asJSON(t, c.want))
			}
			if after := asJSON(t, []*events.Context{c.older, c.newer}); after != before {
				t.Errorf("merging changed what was merged to %s, from %s", after, before)
			}
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
