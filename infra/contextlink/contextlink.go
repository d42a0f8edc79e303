// Package contextlink makes links to the context of an escalation that can be
// followed without a key, for a while: what an agent hub shows to human agents
// who have no account with Handoff.
//
// A link names the escalation and its own end, and is signed with a key of the
// system: that of the tenant would have to be asked for, by whatever name a
// stranger makes up. Nothing is stored for it. It can't be taken back, but by
// erasing what it leads to.
package contextlink

import (
	"context"
	"crypto/hmac"
	"strconv"
	"strings"
	"time"

	"handoff/domain/fault"
)

// Path begins the path of every link.
const Path = "/c/"

// Keys signs by hashing with a key that belongs to no tenant, and asks nobody
// for it.
type Keys interface {
	SystemRef(label, value string) string
}

const label = "context-link"

// Linker makes and reads links. It is safe for concurrent use.
type Linker struct {
	keys Keys
	base string
}

// New returns a linker whose links begin with a URL without a slash at its end.
// Without one it makes none.
func New(keys Keys, base string) *Linker { return &Linker{keys, base} }

// ContextURL returns a link to an escalation that ends at an instant, in whole
// seconds; nothing where there is no URL to begin it with.
func (l *Linker) ContextURL(_ context.Context, tenant, escalation string, until time.Time) (string, error) {
	if l.base == "" {
		return "", nil
	}
	return l.base + Path + l.sign(tenant, escalation, until.Unix()), nil
}

// Open returns what a link leads to, from what stands in it behind Path. Its
// faults are link-invalid and link-expired; strangers are not told why a link is
// not valid.
func (l *Linker) Open(token string, now time.Time) (tenant, escalation string, until time.Time, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 4 {
		return "", "", until, invalid()
	}
	seconds, err := strconv.ParseInt(parts[2], 36, 64)
	if err != nil {
		return "", "", until, invalid()
	}
	switch until = time.Unix(seconds, 0).UTC(); {
	case !hmac.Equal([]byte(l.sign(parts[0], parts[1], seconds)), []byte(token)):
		return "", "", until, invalid()
	case !now.Before(until):
		return "", "", until, fault.New(fault.Gone, "link-expired", "The link has expired. Whoever has a key of the agent hub reads the context with it.")
	}
	return parts[0], parts[1], until, nil
}

// sign returns tenant, escalation and end, which have no dots in them, and the
// signature of the three.
func (l *Linker) sign(tenant, escalation string, until int64) string {
	signed := strings.Join([]string{tenant, escalation, strconv.FormatInt(until, 36)}, ".")
	return signed + "." + l.keys.SystemRef(label, signed)
}

func invalid() error {
	return fault.New(fault.NotFound, "link-invalid", "There is no such link.")
}
