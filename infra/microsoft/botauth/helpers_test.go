package botauth_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // for RS384 and RS512
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/infra/microsoft/botauth"
)

const (
	appID   = "0f0e0d0c-0000-4000-8000-00000000b07a"
	service = "https://smba.trafficmanager.net/emea/"
	body    = `{"type":"message","channelId":"msteams","serviceUrl":"` + service + `","text":"hi"}`
)

type object = map[string]any

// pair returns the same two keys every time: making one takes a while.
var pair = sync.OnceValue(func() (keys [2]*rsa.PrivateKey) {
	for i := range keys {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

// issuer is the login service: it publishes keys and counts who asks.
type issuer struct {
	*httptest.Server
	mu       sync.Mutex
	metadata object
	keys     []object
	status   atomic.Int64 // what it answers with; 0 is 200
	fetches  atomic.Int64
	hang     chan struct{} // what asks for keys waits for it; nil: nothing does
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{keys: []object{jwk("k1", &pair()[0].PublicKey, "msteams", "directline")}}
	i.Server = httptest.NewServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	i.metadata = object{"issuer": "https://api.botframework.com", "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "RS384", "RS512"}}
	return i
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.hang != nil {
		<-i.hang // who asks
		<-i.hang // what for
	}
	if s := i.status.Load(); s != 0 {
		w.WriteHeader(int(s))
		return
	}
	var answer any = i.metadata
	if r.URL.Path == "/keys" {
		i.fetches.Add(1)
		answer = object{"keys": i.keys}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (i *issuer) publish(keys ...object) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

func jwk(id string, k *rsa.PublicKey, endorsements ...string) object {
	o := object{"kty": "RSA", "use": "sig", "kid": id, "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	if len(endorsements) > 0 {
		o["endorsements"] = endorsements
	}
	return o
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// clock is a clock that is set by hand.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 5, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}
func (c *clock) add(d time.Duration) { c.offset.Add(int64(d)) }

// scene is a verifier, the service whose keys it uses, and its clock.
type scene struct {
	*issuer
	*clock
	*botauth.Verifier
}

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{issuer: newIssuer(t), clock: &clock{}}
	cloud := botauth.Cloud{Metadata: s.URL + "/openid", Issuer: botauth.Public().Issuer}
	s.Verifier = botauth.New(cloud, s.Client(), s.now)
	return s
}

// forge is a token as it is made, from good parts that a case changes.
type forge struct {
	header object
	claims object
	key    *rsa.PrivateKey
	hash   crypto.Hash
	// token changes the finished token.
	token func(string) string
}

func (s *scene) genuine() *forge {
	now := s.now().Unix()
	return &forge{
		header: object{"alg": "RS256", "typ": "JWT", "kid": "k1"},
		claims: object{"iss": "https://api.botframework.com", "aud": appID, "serviceurl": service, "nbf": now - 60, "exp": now + 3600},
		key:    pair()[0], hash: crypto.SHA256,
	}
}

func (f *forge) sign(t testing.TB) string {
	t.Helper()
	text := b64(raw(t, f.header)) + "." + b64(raw(t, f.claims))
	h := f.hash.New()
	h.Write([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, f.key, f.hash, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	text += "." + b64(signature)
	if f.token != nil {
		text = f.token(text)
	}
	return text
}

func raw(t testing.TB, v any) []byte {
	t.Helper()
	if o, ok := v.(object); ok {
		if text, ok := o["raw"].(string); ok {
			return []byte(text)
		}
		v = maps.Clone(o)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}
