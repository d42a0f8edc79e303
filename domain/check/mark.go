// Package check is about end-to-end checks of a connection: a chat that Handoff
// opens in the hub by itself, as if a customer had, to see whether the bot gets
// it, hands it over, and where the hub puts it.
//
// The chat carries a mark by which Handoff knows it again when the hub gives it
// to the bot. The mark is signed with a key of the tenant, so that nobody else
// can make one: whoever invents one is a customer like any other.
package check

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"handoff/events"
)

// Variable is the context variable in which the hub carries a mark.
const Variable = "HandoffCheck"

// Lifetime is how long a mark is good for, and what it raised stays open. A mark
// can be read by whoever works in the hub. All that it is good for, until then
// and in a chat of the same connection, is another check.
const Lifetime = 15 * time.Minute

// Mark says which check a chat is of. Its zero value is none.
type Mark struct {
	ID         string       `json:"id"`
	Connection string       `json:"connection"`
	By         string       `json:"by"`  // principal who asked for it
	Say        string       `json:"say"` // what the customer who is none says
	Queue      events.Queue `json:"queue"`
	Until      time.Time    `json:"until"`
}

// Ref hashes a value under a key of a tenant; other labels give other hashes.
type Ref func(tenant, label, value string) (string, error)

// label keeps signatures of marks apart from every other use of the key.
const label = "check"

// Sign returns the mark as the hub carries it: letters, digits, - and _, and one
// dot.
func (m Mark) Sign(tenant string, ref Ref) (string, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("write the mark of a check: %w", err)
	}
	says := base64.RawURLEncoding.EncodeToString(raw)
	sum, err := signature(tenant, says, ref)
	return says + "." + sum, err
}

func signature(tenant, says string, ref Ref) (string, error) {
	sum, err := ref(tenant, label, says)
	if err != nil {
		return "", fmt.Errorf("sign the mark of a check: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(sum)), nil
}

// maxMark is longer than any mark that Handoff makes, in bytes.
const maxMark = 4000

// Open reads a mark that was signed for a connection and is still good. What is
// no such mark is false; the error is the key's alone.
func Open(tenant, connection, text string, ref Ref, now time.Time) (m Mark, ok bool, err error) {
	says, sum, found := strings.Cut(text, ".")
	if !found || len(text) > maxMark {
		return Mark{}, false, nil
	}
	want, err := signature(tenant, says, ref)
	if err != nil || subtle.ConstantTimeCompare([]byte(sum), []byte(want)) != 1 {
		return Mark{}, false, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(says)
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return Mark{}, false, fmt.Errorf("read the mark of a check that is signed: %w", err)
	}
	if m.Connection != connection || !now.Before(m.Until) {
		return Mark{}, false, nil
	}
	return m, true, nil
}
