package intake

import "strings"

// IsLanguage reports whether s has the shape of a language tag (RFC 5646
// §2.1): subtags of one to eight letters and digits between hyphens, the first
// of letters alone. Whether its subtags are registered is not asked, and an
// underscore passes for a hyphen: an odd tag is no reason to lose a customer.
func IsLanguage(s string) bool {
	first := true
	for tag := range strings.SplitSeq(strings.ReplaceAll(s, "_", "-"), "-") {
		if len(tag) < 1 || len(tag) > 8 {
			return false
		}
		for i := range len(tag) {
			letter := tag[i]|0x20 >= 'a' && tag[i]|0x20 <= 'z'
			if !letter && (first || tag[i] < '0' || tag[i] > '9') {
				return false
			}
		}
		first = false
	}
	return true
}
