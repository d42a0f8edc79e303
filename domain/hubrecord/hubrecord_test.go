package hubrecord_test

import (
	"testing"

	"handoff/domain/conversation"
	"handoff/domain/hubrecord"
	"handoff/events"
)

func TestObservation(t *testing.T) {
	t.Parallel()
	q := events.HubQueue{ID: "q1", Name: "Refunds"}
	queued := conversation.Observation{Queue: q}
	taken := conversation.Observation{Queue: q, Agent: "h1", Accepted: true}
	ended := func(o conversation.Observation, end conversation.Status, code string) conversation.Observation {
		o.End, o.Code = end, code
		return o
	}
	for sentence, c := range map[string]struct {
		record hubrecord.Record
		want   conversation.Observation
	}{
		"nothing says nothing":                     {hubrecord.Record{}, conversation.Observation{}},
		"a status of tomorrow is unknown":          {hubrecord.Record{Status: "8", Queue: q, Agent: "h1"}, conversation.Observation{}},
		"an open one waits in a queue":             {hubrecord.Record{Status: hubrecord.Open, Queue: q}, queued},
		"one with the bot is where it was":         {hubrecord.Record{Status: hubrecord.Active, Queue: q, WithBot: true}, conversation.Observation{}},
		"an active one has a human agent":          {hubrecord.Record{Status: hubrecord.Active, Queue: q, Agent: "h1"}, taken},
		"an active one without one waits still":    {hubrecord.Record{Status: hubrecord.Active, Queue: q}, queued},
		"one that waits for the customer has one":  {hubrecord.Record{Status: hubrecord.Waiting, Queue: q, Agent: "h1"}, taken},
		"wrap-up is the end":                       {hubrecord.Record{Status: hubrecord.WrapUp, Reason: "moved-to-wrap-up", Queue: q, Agent: "h1"}, ended(taken, conversation.Completed, "moved-to-wrap-up")},
		"resolved is the end":                      {hubrecord.Record{Status: hubrecord.Resolved, Queue: q, Agent: "h1"}, ended(taken, conversation.Completed, "")},
		"an agent ended it":                        {hubrecord.Record{Status: hubrecord.Closed, Reason: hubrecord.ByAgent, Queue: q, Agent: "h1"}, ended(taken, conversation.Completed, "ended-by-agent")},
		"an agent ended it who is not told":        {hubrecord.Record{Status: hubrecord.Closed, Reason: hubrecord.ByAgent, Queue: q}, ended(queued, conversation.Completed, "ended-by-agent")},
		"an overflow closed it":                    {hubrecord.Record{Status: hubrecord.Closed, Reason: hubrecord.ByOverflow, Queue: q}, ended(queued, conversation.Failed, "closed-by-overflow")},
		"the customer left the queue":              {hubrecord.Record{Status: hubrecord.Closed, Reason: hubrecord.CustomerLeftQueue, Queue: q}, ended(queued, conversation.Failed, "customer-left-queue")},
		"the customer left the human agent":        {hubrecord.Record{Status: hubrecord.Closed, Reason: hubrecord.CustomerLeft, Queue: q, Agent: "h1"}, ended(taken, conversation.Completed, "customer-left")},
		"closed by the system after a human agent": {hubrecord.Record{Status: hubrecord.Closed, Reason: "closed-by-system", Queue: q, Agent: "h1"}, ended(taken, conversation.Completed, "closed-by-system")},
		"closed by the system before one":          {hubrecord.Record{Status: hubrecord.Closed, Reason: "closed-by-system", Queue: q}, ended(queued, conversation.Failed, "closed-by-system")},
		"closed with a reason of tomorrow":         {hubrecord.Record{Status: hubrecord.Closed, Reason: "reason-192350099", Queue: q}, ended(queued, conversation.Failed, "reason-192350099")},
		"closed without a reason":                  {hubrecord.Record{Status: hubrecord.Closed, Queue: q}, ended(queued, conversation.Failed, "hub-closed")},
		"closed while the bot had it":              {hubrecord.Record{Status: hubrecord.Closed, Reason: "ended-by-bot", Queue: q, WithBot: true}, ended(conversation.Observation{}, conversation.Failed, "ended-by-bot")},
		"scheduled for later":                      {hubrecord.Record{Status: hubrecord.Scheduled, Queue: q}, queued},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.record.Observation(); got != c.want {
				t.Errorf("observation = %+v\nwant %+v", got, c.want)
			}
		})
	}
}
