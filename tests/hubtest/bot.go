package hubtest

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
)

// Bot is a bot's endpoint that keeps what it is sent.
type Bot struct {
	*Bench
	Activities chan Received
	token      string
}

// Received is one request to a bot.
type Received struct {
	Authorization string
	Answer        // its body
}

// Connect starts a connected cloud with a bot at the other end of it.
func Connect(t *testing.T, start Opener, change ...func(*simulation.Config)) *Bot {
	t.Helper()
	b := &Bot{Bench: start(t, append([]func(*simulation.Config){simulation.Connected}, change...)...), Activities: make(chan Received, 1000)}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got := Received{r.Header.Get("Authorization"), Answer{Text: string(raw)}}
		_ = json.Unmarshal(raw, &got.Body)
		b.Activities <- got
	}))
	t.Cleanup(s.Close)
	b.SetEndpoint(simulation.RelayID, s.URL+"/messages")
	b.token = b.Token(simulation.RelayID, simulation.RelaySecret, "https://api.botframework.com")
	return b
}

// Next returns the next activity that the bot gets.
func (b *Bot) Next() Received {
	b.T.Helper()
	select {
	case a := <-b.Activities:
		return a
	case <-b.soon().Done():
		b.T.Fatal("the bot gets nothing")
		return Received{}
	}
}

// soon returns a context that ends when a test has waited too long.
func (b *Bench) soon() context.Context {
	ctx, cancel := context.WithTimeout(b.T.Context(), 20*time.Second)
	b.T.Cleanup(cancel)
	return ctx
}

// Open opens the shop's widget and passes the bot its first event.
func (b *Bot) Open(variables map[string]any) (*hub.Widget, Received) {
	b.T.Helper()
	w, err := b.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: "R. Bakker", Context: variables})
	if err != nil {
		b.T.Fatal(err)
	}
	return w, b.Next()
}

// Say has the customer say something.
func (b *Bot) Say(w *hub.Widget, text string) Received {
	b.T.Helper()
	if err := w.Say(text); err != nil {
		b.T.Fatal(err)
	}
	return b.Next()
}

// Reply answers an activity through the Connector.
func (b *Bot) Reply(to Received, activity map[string]any) Answer {
	b.T.Helper()
	at := to.String("serviceUrl") + "v3/conversations/" + url.PathEscape(to.String("conversation/id")) + "/activities"
	return b.Do(Request{Method: "POST", URL: at, Token: b.token, Body: activity})
}

// Bridged is a message that the customer sees.
func Bridged(text string) map[string]any {
	return map[string]any{"type": "message", "text": text, "channelData": map[string]any{"deliveryMode": "bridged"}}
}

// Command is a message with a command in its tags.
func Command(kind, text string, variables map[string]any) map[string]any {
	tags, _ := json.Marshal(map[string]any{"type": kind, "context": variables}) //nolint:errchkjson // tests give JSON
	return map[string]any{"type": "message", "text": text, "channelData": map[string]any{"tags": string(tags)}}
}

// State returns a conversation as it is.
func (b *Bench) State(w *hub.Widget) hub.Conversation {
	b.T.Helper()
	c, err := b.Hub().Conversation(w.ID())
	if err != nil {
		b.T.Fatal(err)
	}
	return c
}

// Reads returns the next message that the customer sees.
func (b *Bench) Reads(w *hub.Widget) string {
	b.T.Helper()
	m, err := w.Read(b.soon())
	if err != nil {
		b.T.Fatal(err)
	}
	return m.Text
}

// Clean reports everything that the real hub would have dropped in silence.
func (b *Bench) Clean(w *hub.Widget) {
	b.T.Helper()
	if p := b.State(w).Problems; len(p) > 0 {
		b.T.Errorf("problems = %q", p)
	}
}

// refused returns why a bot must refuse a request, or "". It is as strict as
// the vendor's article on Connector authentication.
func (b *Bench) refused(got Received) string {
	token, ok := strings.CutPrefix(got.Authorization, "Bearer ")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		return "no bearer token"
	}
	var header, claims Answer
	for i, into := range []*Answer{&header, &claims} {
		raw, _ := base64.RawURLEncoding.DecodeString(parts[i])
		_ = json.Unmarshal(raw, &into.Body)
	}
	if header.String("alg") != "RS256" {
		return "another algorithm"
	}
	now := float64(b.Clock.Now().Unix())
	exp, _ := claims.At("exp").(float64)
	nbf, _ := claims.At("nbf").(float64)
	switch {
	case claims.String("iss") != "https://api.botframework.com":
		return "another issuer"
	case claims.String("aud") != simulation.RelayID:
		return "another audience"
	case claims.String("serviceurl") != got.String("serviceUrl"):
		return "another service URL"
	case now > exp+300 || now < nbf-300:
		return "not valid now"
	}
	return b.signed(header.String("kid"), parts, got.String("channelId"))
}

func (b *Bench) signed(kid string, parts []string, channel string) string {
	keys := b.Do(Request{Method: "GET", URL: b.URLs.Login + "/v1/.well-known/keys"})
	for i := range keys.Len("keys") {
		at := fmt.Sprintf("keys/%d/", i)
		if keys.String(at+"kid") != kid {
			continue
		}
		n, _ := base64.RawURLEncoding.DecodeString(keys.String(at + "n"))
		signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if rsa.VerifyPKCS1v15(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, crypto.SHA256, digest[:], signature) != nil {
			return "a wrong signature"
		}
		endorsed, _ := keys.At(at + "endorsements").([]any)
		if !slices.Contains(endorsed, any(channel)) {
			return "a key without endorsement"
		}
		return ""
	}
	return "an unknown key"
}
