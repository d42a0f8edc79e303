package identity

import "time"

// NewKey says what API key to issue.
type NewKey struct {
	Tenant string
	Role   Role
	// Connection is needed by a bot, optional for a hub, refused for others.
	Connection string
	Name       string    // for people
	Expires    time.Time // zero: never
}

// APIKey is what is known of a key that was issued: everything but its secret.
type APIKey struct {
	Principal
	Created time.Time
	Expires time.Time // zero: never
	Revoked time.Time // zero: it was not
}
