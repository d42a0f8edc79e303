package relaying

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"handoff/events"
	"handoff/infra/microsoft/activity"
)

func newEar(let func()) *ear {
	e := &ear{changed: make(chan struct{}), listeners: 1, idle: time.AfterFunc(keptOpen, let)}
	e.idle.Stop()
	return e
}

func TestNobodyIsCalledForWhatTheBotDidNotSay(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		said string
		want bool
	}{
		"a message of the bot's": {`{"type":"message","from":{"id":"b"},"text":"Hello"}`, true},
		"its hand-off":           {`{"type":"event","name":"handoff.initiate","from":{"id":"b"}}`, true},
		"the end":                {`{"type":"endOfConversation","from":{"id":"b"}}`, true},
		"that it is typing":      {`{"type":"typing","from":{"id":"b"}}`, false},
		"our own message":        {`{"type":"message","from":{"id":"c"},"text":"Hi","channelData":{"handoffMark":"handoff-1-1"}}`, false},
		"our own event":          {`{"type":"event","name":"startConversation","from":{"id":"c"}}`, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			a, err := activity.Parse([]byte(c.said))
			if err != nil {
				t.Fatal(err)
			}
			if got := speaks(events.BotSession{ConversationID: "k1", UserID: "c"}, []activity.Activity{a}); got != c.want {
				t.Errorf("speaks = %t, want %t", got, c.want)
			}
		})
	}
}

// The bot may speak between the end of a wait and the moment at which the
// listener is gone: then nobody is called, for somebody seems to listen.
func TestWhatIsSaidToAListenerWhoLeavesIsNotLost(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		last   batch
		heard  bool
		others int
		want   bool
	}{
		"the bot spoke":                    {last: batch{bots: true}, want: true},
		"the bot spoke, and was heard":     {last: batch{bots: true}, heard: true},
		"the bot spoke, and another waits": {last: batch{bots: true}, others: 1},
		"our own words came back, no more": {last: batch{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			e := newEar(func() {})
			e.listeners += c.others
			if _, _, _, err := e.after(""); err != nil {
				t.Fatal(err)
			}
			if alone, err := e.add(c.last); alone || err != nil {
				t.Fatalf("alone = %t, %v, for somebody listens", alone, err)
			}
			if c.heard {
				_, _, _, _ = e.after("")
			}
			if got := e.leave(); got != c.want {
				t.Errorf("unheard = %t, want %t", got, c.want)
			}
			e.idle.Stop()
		})
	}
}

// An ear that is let go hears nothing any more, so nobody enters it.
func TestAnIdleEarIsLetGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Bool
		e := newEar(func() { gone.Store(true) })
		e.leave()
		time.Sleep(keptOpen - time.Second)
		if !e.enter("", "") || gone.Load() {
			t.Fatalf("gone = %t, before its time", gone.Load())
		}
		time.Sleep(2 * keptOpen)
		if e.leave(); gone.Load() {
			t.Error("it is let go while somebody listens")
		}
		time.Sleep(keptOpen)
		synctest.Wait()
		if !gone.Load() || e.enter("", "") {
			t.Errorf("gone = %t, and it is entered", gone.Load())
		}
	})
}
