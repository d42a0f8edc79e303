package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"time"

	"handoff/domain/fault"
)

// Forgery is a way in which the Authorization header of a request to a bot can
// be wrong. A bot must refuse each (Bot Connector authentication; protocol
// checks of the vendor's SDK tests).
type Forgery string

// The forgeries.
const (
	Genuine         Forgery = ""
	NoHeader        Forgery = "no-header"
	OtherScheme     Forgery = "other-scheme"      // Basic in place of Bearer
	Unsigned        Forgery = "unsigned"          // alg none
	Symmetric       Forgery = "symmetric"         // HS256 with the public modulus as its secret
	OtherKey        Forgery = "other-key"         // the published kid, another private key
	UnknownKey      Forgery = "unknown-key"       // a kid that nobody publishes
	OtherIssuer     Forgery = "other-issuer"      // another iss
	OtherAudience   Forgery = "other-audience"    // another bot's app id
	NoAudience      Forgery = "no-audience"       // no aud
	EmptyAudience   Forgery = "empty-audience"    // aud is ""
	Expired         Forgery = "expired"           // exp an hour ago
	NotYet          Forgery = "not-yet"           // nbf in an hour
	NoServiceURL    Forgery = "no-service-url"    // no serviceurl
	OtherServiceURL Forgery = "other-service-url" // another serviceurl than the activity's
	NotEndorsed     Forgery = "not-endorsed"      // a key that endorses another channel
)

// Forgeries returns all of them, without Genuine.
func Forgeries() []Forgery {
	return []Forgery{
		NoHeader, OtherScheme, Unsigned, Symmetric, OtherKey, UnknownKey, OtherIssuer, OtherAudience,
		NoAudience, EmptyAudience, Expired, NotYet, NoServiceURL, OtherServiceURL, NotEndorsed,
	}
}

// Header returns the value of the Authorization header with the given claims,
// wrong in the given way; empty means that there is no header. It fails with
// forgery-unknown.
func (k *Keys) Header(f Forgery, c Claims, now time.Time) (string, error) {
	if f == NoHeader {
		return "", nil
	}
	s, err := k.signer()
	if err != nil {
		return "", err
	}
	c = maps.Clone(c)
	if change, ok := changes(c, now)[f]; ok {
		change()
	}
	token, err := k.token(f, s, c)
	if f == OtherScheme {
		return "Basic " + token, err
	}
	return "Bearer " + token, err
}

// changes are what forgeries do to claims.
func changes(c Claims, now time.Time) map[Forgery]func() {
	return map[Forgery]func(){
		OtherIssuer:     func() { c["iss"] = "https://api.botframework.example" },
		OtherAudience:   func() { c["aud"] = "00000000-0000-4000-8000-00000000dead" },
		NoAudience:      func() { delete(c, "aud") },
		EmptyAudience:   func() { c["aud"] = "" },
		Expired:         func() { c["nbf"], c["exp"] = now.Add(-2*time.Hour).Unix(), now.Add(-time.Hour).Unix() },
		NotYet:          func() { c["nbf"], c["exp"] = now.Add(time.Hour).Unix(), now.Add(2*time.Hour).Unix() },
		NoServiceURL:    func() { delete(c, "serviceurl") },
		OtherServiceURL: func() { c["serviceurl"] = "https://connector.example/" },
	}
}

func (k *Keys) token(f Forgery, s *key, c Claims) (string, error) {
	switch f {
	case Unsigned:
		text, err := unsigned(map[string]any{"alg": "none", "typ": "JWT", "kid": s.id}, c)
		return text + ".", err
	case Symmetric:
		text, err := unsigned(map[string]any{"alg": "HS256", "typ": "JWT", "kid": s.id}, c)
		mac := hmac.New(sha256.New, s.private.N.Bytes())
		mac.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), err
	case UnknownKey:
		return s.sign("nobody-publishes-this", c)
	case NotEndorsed, OtherKey:
		if k.stranger == nil {
			return "", fault.New(fault.Unprocessable, "forgery-unknown", "This issuer's keys have no endorsements.")
		}
		if f == OtherKey {
			return k.stranger.sign(s.id, c)
		}
		return k.stranger.sign(k.stranger.id, c)
	case Genuine, OtherScheme, OtherIssuer, OtherAudience, NoAudience, EmptyAudience, Expired, NotYet, NoServiceURL, OtherServiceURL:
		return s.sign(s.id, c)
	default:
		return "", fault.Newf(fault.Unprocessable, "forgery-unknown", "There is no forgery %q.", f)
	}
}
