package geography

import "strings"

// short are other names that people write for a geography in files.
//
//nolint:gochecknoglobals // a table that never changes
var short = map[string]Geography{
	"us": NorthAmerica, "usa": NorthAmerica, "united-states": NorthAmerica, "na": NorthAmerica,
	"eu": Europe, "emea": Europe, "uk": UnitedKingdom, "gb": UnitedKingdom, "uae": UnitedArabEmirates, "ae": UnitedArabEmirates,
	"ca": Canada, "au": Australia, "jp": Japan, "in": India, "fr": France, "za": SouthAfrica, "de": Germany,
	"ch": Switzerland, "no": Norway, "sg": Singapore, "kr": Korea, "asia": AsiaPacific, "apac": AsiaPacific, "apj": AsiaPacific,
}

// All returns the geographies by name.
func All() []Geography {
	return []Geography{
		AsiaPacific, Australia, Canada, Europe, France, Germany, India, Japan, Korea, NorthAmerica, Norway, Singapore,
		SouthAfrica, SouthAmerica, Switzerland, UnitedArabEmirates, UnitedKingdom,
	}
}

// Parse reads a geography as people write it: by its name, with blanks or
// hyphens, in any case, or by one of a few short names. It returns Unknown for
// anything else.
func Parse(text string) Geography {
	name := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), " ", "-")
	if g, ok := short[name]; ok {
		return g
	}
	for _, g := range All() {
		if string(g) == name {
			return g
		}
	}
	return Unknown
}
