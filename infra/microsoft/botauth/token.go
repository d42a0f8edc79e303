package botauth

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256" // makes crypto.SHA256 available
	_ "crypto/sha512" // makes crypto.SHA384 and crypto.SHA512 available
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"handoff/infra/microsoft/activity"
)

// algorithm returns the hash of a signature algorithm (RFC 7518 §3.3), and
// false for all that is not RSA with SHA-2: none and HS256 above all.
func algorithm(name string) (crypto.Hash, bool) {
	switch name {
	case "RS256":
		return crypto.SHA256, true
	case "RS384":
		return crypto.SHA384, true
	case "RS512":
		return crypto.SHA512, true
	}
	return 0, false
}

// jwt is a token in compact serialization (RFC 7515 §7.1), its claims not yet
// looked at.
type jwt struct {
	algorithm, keyID string
	hash             crypto.Hash
	signed           string // what the signature is over
	payload          string
	signature        []byte
}

func parse(raw string) (*jwt, error) {
	signed, last := cutLast(raw)
	head, payload, ok := strings.Cut(signed, ".")
	if !ok || strings.Contains(payload, ".") {
		return nil, refuse(ReasonTokenMalformed)
	}
	header, err := section(head)
	if err != nil {
		return nil, err
	}
	j := &jwt{algorithm: header.Text("alg"), keyID: header.Text("kid"), signed: signed, payload: payload}
	_, critical := header["crit"] // extensions that must be understood (RFC 7515 §4.1.11): none is
	if j.signature, err = decode(last); err != nil || critical {
		return nil, refuse(ReasonTokenMalformed)
	}
	if j.hash, ok = algorithm(j.algorithm); !ok {
		return nil, refuse(ReasonAlgorithmRefused)
	}
	if j.keyID == "" {
		return nil, refuse(ReasonKeyIDMissing)
	}
	return j, nil
}

func cutLast(raw string) (before, after string) {
	i := strings.LastIndexByte(raw, '.')
	if i < 0 {
		return "", ""
	}
	return raw[:i], raw[i+1:]
}

func decode(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") { // which encoding/base64 passes over
		return nil, refuse(ReasonTokenMalformed)
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}

// section reads an object in which no name occurs twice (RFC 7519 §4 leaves
// that to us), names compared exactly.
func section(part string) (activity.Activity, error) {
	text, err := decode(part)
	if err != nil || bytes.HasPrefix(text, []byte("\ufeff")) {
		return nil, refuse(ReasonTokenMalformed)
	}
	fields, err := activity.Parse(text)
	if err != nil {
		return nil, refuse(ReasonTokenMalformed)
	}
	return fields, nil
}

func (j *jwt) verify(k key) error {
	h := j.hash.New()
	h.Write([]byte(j.signed))
	if rsa.VerifyPKCS1v15(k.public, j.hash, h.Sum(nil), j.signature) != nil {
		return refuse(ReasonSignatureInvalid)
	}
	return nil
}

// claims are what a token says, read after its signature was found good.
type claims struct {
	issuer     string
	audience   []string
	serviceURL string
	expiry     json.RawMessage
	notBefore  json.RawMessage
}

// claims reads the payload. The claim is serviceurl in tokens and the SDKs, and
// serviceUrl in the article; the former counts where both are there.
func (j *jwt) claims() (claims, error) {
	fields, err := section(j.payload)
	if err != nil {
		return claims{}, err
	}
	c := claims{issuer: fields.Text("iss"), serviceURL: fields.Text("serviceurl"), expiry: fields["exp"], notBefore: fields["nbf"]}
	if _, there := fields["serviceurl"]; !there {
		c.serviceURL = fields.Text("serviceUrl")
	}
	// One text or a list of them (RFC 7519 §4.1.3).
	if one := fields.Text("aud"); one != "" {
		c.audience = []string{one}
	} else if raw := fields["aud"]; len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &c.audience) != nil {
		c.audience = nil
	}
	return c, nil
}

func (c claims) check(issuer, appID string, now time.Time) error {
	expiry, hasExpiry := instant(c.expiry)
	notBefore, hasStart := instant(c.notBefore)
	switch {
	case c.issuer != issuer:
		return refuse(ReasonIssuerWrong)
	case len(c.audience) == 0:
		return refuse(ReasonAudienceMissing)
	case appID == "" || !contains(c.audience, appID):
		return refuse(ReasonAudienceWrong)
	case !hasExpiry:
		return refuse(ReasonExpiryMissing)
	case !now.Before(expiry.Add(Skew)):
		return refuse(ReasonExpired)
	case len(c.notBefore) > 0 && (!hasStart || notBefore.After(now.Add(Skew))):
		return refuse(ReasonNotYetValid)
	}
	return nil
}

// contains compares without case, for an application id is a GUID.
func contains(audience []string, appID string) bool {
	for _, a := range audience {
		if strings.EqualFold(a, appID) {
			return true
		}
	}
	return false
}

// instant reads seconds since 1970, which may have a fraction (RFC 7519 §2).
func instant(raw json.RawMessage) (time.Time, bool) {
	const latest = 1 << 40 // far beyond any clock, and no number that overflows
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(math.Abs(f) < latest) {
		return time.Time{}, false
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(part*1e9)), true
}
