package geography_test

import (
	"slices"
	"testing"

	g "handoff/domain/geography"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]g.Geography{
		"europe": g.Europe, " EU ": g.Europe, "EMEA": g.Europe, "United Kingdom": g.UnitedKingdom, "uk": g.UnitedKingdom,
		"north-america": g.NorthAmerica, "US": g.NorthAmerica, "": g.Unknown, "moon": g.Unknown, "de": g.Germany,
	} {
		if got := g.Parse(text); got != want {
			t.Errorf("Parse(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestEveryGeographyIsReadByItsName(t *testing.T) {
	t.Parallel()
	all := g.All()
	for _, one := range all {
		if got := g.Parse(string(one)); got != one {
			t.Errorf("Parse(%q) = %q", one, got)
		}
	}
	if !slices.IsSorted(all) || len(slices.Compact(all)) != 17 {
		t.Errorf("All = %v, want 17, sorted", all)
	}
}
