package publication_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"handoff/domain/publication"
	"handoff/events"
)

func TestFact(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		before publication.State
		found  publication.Finding
		want   events.Fact
	}{
		"the first look finds it published":     {publication.Unknown, publication.Finding{State: publication.Published}, &events.BotPublished{}},
		"a publication fails":                   {publication.Published, publication.Finding{State: publication.Outdated, Detail: "It failed."}, &events.BotPublished{LastPublishFailed: true, Detail: "It failed."}},
		"the next one succeeds":                 {publication.Outdated, publication.Finding{State: publication.Published}, &events.BotPublished{}},
		"it is unpublished":                     {publication.Published, publication.Finding{State: publication.Unpublished, Reason: "inactive"}, &events.BotUnpublished{Code: "inactive"}},
		"for another reason":                    {publication.Unpublished, publication.Finding{State: publication.Unpublished, Reason: "inactive"}, nil},
		"it is deleted":                         {publication.Outdated, publication.Finding{State: publication.Deleted, Reason: "deleted"}, &events.BotUnpublished{Code: "deleted", Deleted: true}},
		"what is not known was not unpublished": {publication.Published, publication.Finding{}, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := c.found.Fact(c.before); !reflect.DeepEqual(got, c.want) {
				t.Errorf("Fact = %+v, want %+v", got, c.want)
			}
		})
	}
}

// What was recorded leads to no second fact, and knowing nothing to none.
func TestFactsAreToldOnce(t *testing.T) {
	t.Parallel()
	states := rapid.SampledFrom([]publication.State{publication.Published, publication.Outdated, publication.Unpublished, publication.Deleted, publication.Unknown})
	rapid.Check(t, func(t *rapid.T) {
		known := publication.Unknown
		for range 10 {
			found := publication.Finding{State: states.Draw(t, "state"), Reason: "reason", Detail: rapid.String().Draw(t, "detail")}
			f := found.Fact(known)
			if f == nil && found.State != known && found.State != publication.Unknown {
				t.Fatalf("%+v after %q leads to no fact", found, known)
			}
			if f == nil {
				continue
			}
			after, ok := publication.After(f)
			if !ok || after.State != found.State || after.Detail != found.Detail {
				t.Fatalf("%+v led to %+v, which says %+v", found, f, after)
			}
			if again := found.Fact(after.State); again != nil {
				t.Fatalf("%+v led to %+v, and then to %+v", found, f, again)
			}
			known = after.State
		}
	})
}

func TestOtherFactsSayNothing(t *testing.T) {
	t.Parallel()
	if f, ok := publication.After(new(events.ConnectionReady)); ok || f != (publication.Finding{}) {
		t.Errorf("After = %+v, %t", f, ok)
	}
}
