// Package contextlink makes links to the context of an escalation that can be
// followed without a key, for a while: what an agent hub shows to human agents
// who have no account with Handoff.
//
// A link names the escalation and its own end, and is signed with a key of the
// tenant. Nothing is stored for it. It can't be taken back, but by erasing what
// it leads to.
package contextlink

import (
	"context"
	"crypto/hmac"
	"fmt"
	"strconv"
	"strings"
	"time"

	"handoff/domain/fault"
)

// Path begins the path of every link.
const Path = "/c/"

// Keys signs by hashing with a tenant's key.
type Keys interface {
	Ref(tenant, label, value string) (string, error)
}

const label = "context-link"

// Linker makes links. It is safe for concurrent use.
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
	link := Link{Escalation: escalation, Until: until.UTC().Truncate(time.Second)}
	signature, err := link.sign(l.keys, tenant)
	if err != nil {
		return "", err
	}
	return l.base + Path + link.signed() + "." + signature, nil
}

// Link is what a link says. Parse it, then verify it.
type Link struct {
	Escalation string
	Until      time.Time

	signature string
}

// Parse reads what stands behind Path. Nothing of it is to be believed before
// Verify. Its fault is link-invalid.
func Parse(token string) (Link, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[0] == "" {
		return Link{}, invalid()
	}
	seconds, err := strconv.ParseInt(parts[1], 36, 64)
	if err != nil {
		return Link{}, invalid()
	}
	return Link{Escalation: parts[0], Until: time.Unix(seconds, 0).UTC(), signature: parts[2]}, nil
}

// Verify reports whether a tenant's key signed the link and it has not ended.
// Its faults are link-invalid and link-expired.
func (l Link) Verify(keys Keys, tenant string, now time.Time) error {
	want, err := l.sign(keys, tenant)
	switch {
	case err != nil:
		return err
	case !hmac.Equal([]byte(want), []byte(l.signature)):
		return invalid()
	case !now.Before(l.Until):
		return fault.New(fault.Gone, "link-expired", "The link has expired. Whoever has a key of the agent hub reads the context with it.")
	}
	return nil
}

func (l Link) sign(keys Keys, tenant string) (string, error) {
	s, err := keys.Ref(tenant, label, l.signed())
	if err != nil {
		return "", fmt.Errorf("sign the link to escalation %s: %w", l.Escalation, err)
	}
	return s, nil
}

func (l Link) signed() string { return l.Escalation + "." + strconv.FormatInt(l.Until.Unix(), 36) }

func invalid() error {
	return fault.New(fault.NotFound, "link-invalid", "There is no such link.")
}
