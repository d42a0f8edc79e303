// Package customer says by what the conversations of one customer are found
// again: keyed hashes of what identifies the person, which stand in facts in
// place of the values themselves.
package customer

import (
	"fmt"
	"strings"

	"handoff/events"
)

// Hash returns a tenant's keyed hash of a value; labels keep hashes of
// different things apart.
type Hash func(tenant, label, value string) (string, error)

// Refs returns the hashes of the customer's id, e-mail address and phone
// number, as far as they are known. Addresses compare without case, numbers by
// their digits.
func Refs(hash Hash, tenant string, c *events.Customer) ([]string, error) {
	if c == nil {
		return nil, nil
	}
	var refs []string
	for _, p := range [...]struct{ label, value string }{
		{"customer-id", strings.TrimSpace(c.ID)}, {"customer-email", strings.ToLower(strings.TrimSpace(c.Email))}, {"customer-phone", digits(c.Phone)},
	} {
		if p.value == "" {
			continue
		}
		ref, err := hash(tenant, p.label, p.value)
		if err != nil {
			return nil, fmt.Errorf("hash %s: %w", p.label, err)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// digits keeps what distinguishes a phone number, however it is written.
func digits(phone string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, phone)
}
