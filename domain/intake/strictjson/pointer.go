package strictjson

import (
	"strconv"
	"strings"

	"handoff/domain/fault"
)

// Segment returns the RFC 6901 pointer to the member of that name.
func Segment(name string) string {
	if strings.ContainsAny(name, "~/") {
		name = strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	return "/" + name
}

// Index returns the RFC 6901 pointer to an element of a list.
func Index(i int) string { return "/" + strconv.Itoa(i) }

// Under puts a pointer before that of a fault which breaks a rule. Other
// errors, nil among them, are returned as they are.
func Under(pointer string, err error) error {
	if err == nil {
		return nil
	}
	if f := fault.Of(err); f != nil && f.Kind == fault.Unprocessable {
		return f.At(pointer + f.Pointer)
	}
	return err
}
