package dataverse_test

import (
	"encoding/json"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/publication"
	"handoff/infra/microsoft/dataverse"
)

var published = time.Date(2024, 4, 30, 8, 0, 0, 0, time.UTC)

func row(state, status, component int, on time.Time, synchronization string) dataverse.Bot {
	return dataverse.Bot{ID: botID, State: &state, Status: &status, Component: &component, PublishedOn: on, Synchronization: synchronization}
}

const (
	succeeded = `{"$kind":"BotSynchronizationDetails","lastFinishedPublishOperation":{"status":"Succeeded","operationEnd":"2024-04-30T08:00:00Z"}}`
	failed    = `{"$kind":"BotSynchronizationDetails","lastFinishedPublishOperation":{"status":"Failed"}}`
)

func TestBotPublication(t *testing.T) {
	t.Parallel()
	never := time.Time{}
	for sentence, c := range map[string]struct {
		bot    dataverse.Bot
		state  publication.State
		reason string
	}{
		"a bot that is published":                       {row(0, 1, 0, published, succeeded), publication.Published, "published"},
		"without a synchronisation status":              {row(0, 1, 0, published, ""), publication.Published, "published"},
		"with one that can't be read":                   {row(0, 1, 0, published, `{"last`), publication.Published, "published"},
		"with one that is null":                         {row(0, 1, 0, published, `{"lastFinishedPublishOperation":null}`), publication.Published, "published"},
		"with a word that is not known":                 {row(0, 1, 0, published, `{"lastFinishedPublishOperation":{"status":"Completed"}}`), publication.Published, "published"},
		"a failed publishing leaves the version before": {row(0, 1, 0, published, failed), publication.Outdated, "last-publish-failed"},
		"a failed first publishing leaves nothing":      {row(0, 1, 0, never, failed), publication.Unpublished, "first-publish-failed"},
		"a bot that was never published":                {row(0, 1, 0, never, ""), publication.Unpublished, "never-published"},
		"a bot that is switched off":                    {row(1, 1, 0, published, succeeded), publication.Unpublished, "inactive"},
		"a deprovisioned bot":                           {row(0, 2, 0, published, ""), publication.Unpublished, "deprovisioned"},
		"a bot in the making":                           {row(0, 3, 1, never, ""), publication.Unpublished, "never-published"},
		"a bot that is being provisioned again":         {row(0, 3, 0, published, ""), publication.Unknown, "provisioning"},
		"a bot that could not be provisioned":           {row(0, 4, 0, published, ""), publication.Unpublished, "provisioning-failed"},
		"a bot without a licence":                       {row(0, 5, 0, published, ""), publication.Unpublished, "licence-missing"},
		"a status of the future":                        {row(0, 6, 0, published, ""), publication.Unknown, "status-not-known"},
		"a state of the future":                         {row(2, 1, 0, published, ""), publication.Unknown, "state-not-known"},
		"a component that is not published":             {row(0, 1, 1, published, ""), publication.Unpublished, "component-unpublished"},
		"a deleted component":                           {row(0, 1, 2, published, ""), publication.Deleted, "component-deleted"},
		"one that was deleted unpublished":              {row(0, 1, 3, never, ""), publication.Deleted, "component-deleted"},
		"a row that says nothing":                       {dataverse.Bot{ID: botID}, publication.Unknown, "row-incomplete"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.bot.Publication(); got.State != c.state || got.Reason != c.reason || got.Detail == "" {
				t.Errorf("publication = %+v, want %q because %s", got, c.state, c.reason)
			}
		})
	}
}

func TestPublication(t *testing.T) {
	t.Parallel()
	want := "GET " + api + "/bots(" + botID + ")"
	sync, err := json.Marshal(failed)
	if err != nil {
		t.Fatal(err)
	}
	live := `{"botid":"` + botID + `","name":"Store bot","schemaname":"cr1_storeBot","statecode":0,"statuscode":1,"componentstate":0,"publishedon":"2024-04-30T08:00:00Z","synchronizationstatus":`
	limited := refused(step{Want: want, Set: map[string]string{"Retry-After": "60"}}, 429, "0x80072322")
	for sentence, c := range map[string]struct {
		script []step
		state  publication.State
		code   string
		after  time.Duration
	}{
		"a live bot":                                   {[]step{ask(want, live+`null}`)}, publication.Published, "", 0},
		"one whose last publishing failed":             {[]step{ask(want, live+string(sync)+`}`)}, publication.Outdated, "", 0},
		"a row that is gone is a bot that is deleted":  {[]step{refused(step{Want: want}, 404, "0x80040217")}, publication.Deleted, "", 0},
		"a table that is gone says nothing of the bot": {[]step{refused(step{Want: want}, 404, "0x8006088a")}, publication.Unknown, "dataverse-not-found", 0},
		"an organisation that is busy says nothing":    {[]step{limited}, publication.Unknown, "dataverse-throttled", time.Minute},
		"a privilege that is missing says nothing":     {[]step{refused(step{Want: want}, 403, "0x80040220")}, publication.Unknown, "dataverse-permission-missing", 0},
		"an answer that can't be read says nothing":    {[]step{ask(want, `<html>`)}, publication.Unknown, "internal", 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := client(t, c.script...).Publication(t.Context(), botID)
			check(t, err, c.code)
			if got.State != c.state {
				t.Errorf("state = %q, want %q", got.State, c.state)
			}
			if f := fault.Of(err); f != nil && f.RetryAfter != c.after {
				t.Errorf("retry after = %v", f.RetryAfter)
			}
		})
	}
}

// Whatever the text says, it makes no published bot unpublished and no other
// one published.
func FuzzSynchronization(f *testing.F) {
	for _, seed := range []string{succeeded, failed, "", "null", `[]`, `{"lastFinishedPublishOperation":[]}`, `{"lastFinishedPublishOperation":{"status":7}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s := row(0, 1, 0, published, text).Publication().State; s != publication.Published && s != publication.Outdated {
			t.Fatalf("%q makes a published bot %q", text, s)
		}
		for _, b := range []dataverse.Bot{row(0, 1, 0, time.Time{}, text), row(1, 1, 0, published, text), row(0, 2, 0, published, text)} {
			if live, _ := b.Publication().State.Live(); live {
				t.Fatalf("%q makes a bot live", text)
			}
		}
	})
}
