package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/standardwebhooks"
)

// HeaderTenant names the tenant of a signed request. A key says itself whose
// it is, so the header counts for nothing beside one.
const HeaderTenant = "Handoff-Tenant"

// DefaultTenant is the tenant of a signed request that names none.
const DefaultTenant = "default"

// checkURL refuses keys in a URL: it ends up in the logs of everything between
// caller and server.
func checkURL(u *url.URL) error {
	for name, values := range u.Query() {
		named := slices.Contains([]string{"access_token", "api_key", "apikey", "authorization", "key", "token"}, strings.ToLower(name))
		if named || slices.ContainsFunc(values, isKey) {
			return fault.New(fault.Invalid, "key-in-url",
				"A key never goes into a URL, where logs and proxies keep it. Send it as Authorization: Bearer, and revoke one that was sent in a URL.")
		}
	}
	return nil
}

func isKey(s string) bool {
	_, err := identity.ParseToken(s)
	return err == nil
}

// withoutKeys returns a path as it may be logged and repeated: without keys and
// links, however they are spelled.
func withoutKeys(path string) string {
	plain, err := url.PathUnescape(path)
	if err != nil {
		plain = path
	}
	if strings.Contains(plain, identity.TokenPrefix) {
		return "(withheld)"
	}
	_, token, is := strings.Cut(plain, linkPath) // who has it reads
	if is && (strings.Count(token, ".") >= linkDots || strings.HasPrefix(plain, linkPath)) {
		return linkPath + "(withheld)"
	}
	return path
}

// admit finds out who is calling and lets in who may use the route.
func (s *server) admit(rt route, x *exchange, r *http.Request) error {
	if rt.reach == reachOpen || rt.reach == reachOwn || rt.reach == reachIntake {
		return nil
	}
	if err := s.authenticate(x, r); err != nil {
		return err
	}
	if rt.reach == reachKey {
		return nil
	}
	return authorize(rt.action, rt.reach, x, r)
}

func (s *server) authenticate(x *exchange, r *http.Request) error {
	token, err := bearer(r.Header)
	if err != nil {
		return err
	}
	x.by, err = s.Authenticate(r.Context(), token)
	if err == nil && x.by.Role == "" {
		return errors.New("authenticated a principal without a role")
	}
	return err
}

func authorize(a identity.Action, to reach, x *exchange, r *http.Request) error {
	on := identity.Resource{Tenant: x.by.Tenant}
	if to == reachLimited {
		on.Connection = x.by.Connection
	}
	if to == reachConnection || to == reachIntake {
		on.Connection, on.Missing = r.PathValue("connection"), noConnection()
	}
	if err := x.by.Authorize(a, on); err != nil {
		return err
	}
	return checkPath(r)
}

// checkPath refuses names that nothing can have, so that no operation meets
// them.
func checkPath(r *http.Request) error {
	if id := r.PathValue("connection"); id != "" && !connection.ValidID(id) {
		return noConnection()
	}
	if id := r.PathValue("endpoint"); id != "" && !connection.ValidID(id) {
		return fault.New(fault.NotFound, "endpoint-not-found", "The connection has no such endpoint.")
	}
	for _, name := range [...]string{"escalation", "delivery", "key"} {
		if id := r.PathValue(name); id != "" && !isID(id) {
			return fault.Newf(fault.NotFound, name+"-not-found", "There is no such %s.", name)
		}
	}
	return nil
}

const maxID = 256

// isID reports whether s consists of what ids are made of.
func isID(s string) bool {
	odd := func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("-_@.:", c)
	}
	return len(s) <= maxID && !strings.ContainsFunc(s, odd)
}

func noConnection() error {
	return fault.New(fault.NotFound, "connection-not-found", "There is no such connection.")
}

// bearer returns the token of the Authorization header (RFC 6750 §2.1).
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", fault.New(fault.Unauthenticated, "credentials-missing", "Send a key, as Authorization: Bearer hk_….")
	}
	if len(values) > 1 {
		return "", ambiguous("Authorization was sent more than once.")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", fault.New(fault.Unauthenticated, "credentials-unsupported", "Only Authorization: Bearer with a key is understood here.")
	}
	return strings.TrimSpace(token), nil
}

func ambiguous(detail string) error {
	return fault.New(fault.Invalid, "credentials-ambiguous", detail)
}

// admitRaise reads the body of a hand-off, proves who sent it, and takes a
// place for it. Nothing of it is parsed before.
func (s *server) admitRaise(x *exchange, r *http.Request) ([]byte, error) {
	body, err := s.proveRaise(x, r)
	if err != nil {
		return nil, err
	}
	return body, s.enter(x)
}

// proveRaise finds out who hands over: by a key, which is checked before the
// body is read, or by a signature over the raw body. Both at once are refused,
// since it would be unclear which of them counts.
func (s *server) proveRaise(x *exchange, r *http.Request) ([]byte, error) {
	signed := r.Header.Get(standardwebhooks.HeaderSignature) != ""
	_, keyed := r.Header["Authorization"]
	switch {
	case signed && keyed:
		return nil, ambiguous("Sign the request or send a key, not both.")
	case signed:
		return s.verifySigned(x, r)
	case !keyed:
		return nil, fault.New(fault.Unauthenticated, "credentials-missing",
			"Send a key, as Authorization: Bearer hk_…, or sign the request as Standard Webhooks says.")
	}
	if err := s.authenticate(x, r); err != nil {
		return nil, err
	}
	if err := authorize(identity.ActRaise, reachIntake, x, r); err != nil {
		return nil, err
	}
	return s.body(x, r, isJSON)
}

// verifySigned reads a signed body. Whoever signs with a connection's secret is
// its bot.
func (s *server) verifySigned(x *exchange, r *http.Request) ([]byte, error) {
	id, tenant := r.PathValue("connection"), cmp.Or(r.Header.Get(HeaderTenant), DefaultTenant)
	body, err := s.body(x, r, isJSON)
	if err != nil {
		return nil, err
	}
	secrets, err := s.secrets(r.Context(), tenant, id)
	if err != nil {
		return nil, err
	}
	h := r.Header
	err = standardwebhooks.Verify(secrets, h.Get(standardwebhooks.HeaderID), h.Get(standardwebhooks.HeaderTimestamp),
		h.Get(standardwebhooks.HeaderSignature), body, s.Now(), standardwebhooks.DefaultTolerance)
	if err != nil {
		return nil, err
	}
	x.by = identity.Principal{ID: "webhook:" + id, Tenant: tenant, Role: identity.Bot, Connection: id}
	return body, authorize(identity.ActRaise, reachIntake, x, r)
}

// secrets returns none for a connection that does not exist, so that the answer
// is the same as for a wrong secret.
func (s *server) secrets(ctx context.Context, tenant, connectionID string) ([]standardwebhooks.Secret, error) {
	if s.WebhookSecrets == nil || !connection.ValidID(connectionID) {
		return nil, nil
	}
	all, err := s.WebhookSecrets(ctx, tenant, connectionID)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return all, err
}
