package geography_test

import (
	"testing"

	g "handoff/domain/geography"
)

func TestSame(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		places []g.Geography
		want   bool
	}{
		"three in Europe":            {[]g.Geography{g.Europe, g.Europe, g.Europe}, true},
		"one of them in Germany":     {[]g.Geography{g.Europe, g.Europe, g.Germany}, false},
		"one is not known":           {[]g.Geography{g.Europe, g.Unknown, g.Europe}, false},
		"what is not known is alone": {[]g.Geography{g.Unknown, g.Unknown}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := g.Same(c.places...); got != c.want {
				t.Errorf("Same(%v) = %v", c.places, got)
			}
		})
	}
}
