// Package geography names the parts of the world that data stays in.
//
// Bot, hub and Handoff's own log each live in one. Vendors draw them with other
// words (EMEA, EUR, crm4, eu-west-1); adapters translate theirs into these, so
// that places of different makers can be compared.
package geography

// Geography is a part of the world. The zero value is one that is not known,
// which is the same as no other, not even as itself.
type Geography string

// The geographies that Power Platform has data centers in, in the vendor's
// division: the European Union is one, countries beside it are their own.
const (
	Unknown            Geography = ""
	NorthAmerica       Geography = "north-america" // the United States
	SouthAmerica       Geography = "south-america"
	Canada             Geography = "canada"
	Europe             Geography = "europe"
	AsiaPacific        Geography = "asia-pacific"
	Australia          Geography = "australia"
	Japan              Geography = "japan"
	India              Geography = "india"
	UnitedKingdom      Geography = "united-kingdom"
	France             Geography = "france"
	SouthAfrica        Geography = "south-africa"
	UnitedArabEmirates Geography = "united-arab-emirates"
	Germany            Geography = "germany"
	Switzerland        Geography = "switzerland"
	Norway             Geography = "norway"
	Singapore          Geography = "singapore"
	Korea              Geography = "korea"
)

// Same reports whether all places are known to be in one geography.
func Same(places ...Geography) bool {
	for _, p := range places {
		if p == Unknown || p != places[0] {
			return false
		}
	}
	return true
}
