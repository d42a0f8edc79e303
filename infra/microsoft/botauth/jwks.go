package botauth

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"

	"handoff/domain/intake/strictjson"
	"handoff/infra/microsoft/activity"
)

// Limits of keys. Smaller ones are too weak; larger ones make each check of a
// signature costly.
const (
	minBits = 2048
	maxBits = 8192
	maxKeys = 256
)

// key is a key of the connector.
type key struct {
	public       *rsa.PublicKey
	algorithm    string   // the only one it is for, or empty
	endorsements []string // channels it may sign for; none means all
}

// parseKeys reads a JWK set (RFC 7517 §5) and returns its RSA keys for
// signatures by their ids. Other keys, and those that can't be used, are passed
// over as §5 asks; a set in which nothing remains is an error.
func parseKeys(body []byte) (map[string]key, error) {
	set, err := strictjson.Members(body)
	if err != nil {
		return nil, err
	}
	items, err := strictjson.Elements(set["keys"])
	if err != nil {
		return nil, err
	}
	found := make(map[string]key)
	for _, item := range items[:min(len(items), maxKeys)] {
		if item[0] != '{' {
			continue
		}
		fields, err := strictjson.Members(item)
		if err != nil {
			return nil, err
		}
		if id, k, ok := parseKey(fields); ok {
			found[id] = k
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no usable key in the set")
	}
	return found, nil
}

func parseKey(f activity.Activity) (id string, k key, ok bool) {
	use := f.Text("use")
	if f.Text("kty") != "RSA" || f.Text("kid") == "" || use != "" && use != "sig" {
		return "", key{}, false
	}
	n, err := decode(f.Text("n"))
	if err != nil {
		return "", key{}, false
	}
	e, err := decode(f.Text("e"))
	if err != nil || len(e) > 4 {
		return "", key{}, false
	}
	k = key{public: &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, algorithm: f.Text("alg")}
	if bits := k.public.N.BitLen(); bits < minBits || bits > maxBits || k.public.E < 3 || k.public.E%2 == 0 {
		return "", key{}, false
	}
	if raw := f["endorsements"]; len(raw) > 0 && json.Unmarshal(raw, &k.endorsements) != nil {
		return "", key{}, false // a restriction that can't be read is not none
	}
	return f.Text("kid"), k, true
}
