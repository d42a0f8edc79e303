// Package guid reads the ids that Microsoft's services go by.
//
// People paste them from portals, files and chats: in braces or quotes, with
// blanks around, in upper case, without dashes. An ID is what they meant, in
// the one form that is stored and compared, and is safe in a path or a filter.
package guid

import (
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// ID is a GUID in lower case with dashes, 8-4-4-4-12 hexadecimal digits. The
// zero value is no id. Only Parse makes one of outside text.
type ID string

// Parse returns the id that was pasted, and whether there is one. The GUID of
// zeros is none: services write it where nothing is meant.
func Parse(pasted string) (ID, bool) {
	bare := strings.TrimFunc(pasted, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(bare) != 36 && len(bare) != 32 { // uuid.Parse knows longer forms too, some of them loosely
		return "", false
	}
	u, err := uuid.Parse(bare)
	if err != nil || u == uuid.Nil {
		return "", false
	}
	return ID(u.String()), true
}
