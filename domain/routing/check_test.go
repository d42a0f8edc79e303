package routing_test

import (
	"strings"
	"testing"

	"handoff/domain/routing"
)

func TestChecks(t *testing.T) {
	t.Parallel()
	const file = "version: 1\nfallback: general\nqueues: [{id: general}, {id: trial}]\n"
	for sentence, c := range map[string]struct {
		more string
		want routing.Check
		says string // of the finding; empty: it is right
	}{
		"nothing is said of them":        {"", routing.Check{}, ""},
		"their queue and their phrase":   {"check: {queue: trial, phrase: a human please}\n", routing.Check{Queue: "trial", Phrase: "a human please"}, ""},
		"a queue alone":                  {"check: {queue: trial}\n", routing.Check{Queue: "trial"}, ""},
		"a queue that is not there":      {"check: {queue: trail}\n", routing.Check{}, `queue "trail" is not declared`},
		"no queue at all":                {"check: {queue: []}\n", routing.Check{}, "check.queue"},
		"a key that they have not":       {"check: {when: daily}\n", routing.Check{}, "when"},
		"a phrase that nobody would say": {"check: {phrase: " + strings.Repeat("a", 301) + "}\n", routing.Check{}, "check.phrase"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if c.says != "" {
				if all := problems(t, file+c.more); !strings.Contains(all[0].Detail, c.says) {
					t.Errorf("problems = %v, want one of %s", all, c.says)
				}
				return
			}
			set, err := routing.Parse([]byte(file + c.more))
			if err != nil || set.Check() != c.want {
				t.Errorf("check = %+v, %v; want %+v", set.Check(), err, c.want)
			}
		})
	}
}
