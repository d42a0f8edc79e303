// Package standardwebhooks signs webhooks and verifies them as Standard
// Webhooks 1.0.0 says (github.com/standard-webhooks/standard-webhooks,
// spec/standard-webhooks.md), with symmetric secrets.
//
// What is signed is the message id, the time of the attempt and the raw body,
// so a receiver verifies before it parses anything. Several secrets may be in
// force at once, on either side, so that they can be changed without a gap.
package standardwebhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"handoff/domain/fault"
)

// The headers of a signed webhook.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// DefaultTolerance is how far a timestamp may be from now, both ways.
const DefaultTolerance = 5 * time.Minute

const (
	version       = "v1," // HMAC-SHA256
	maxSignatures = 32    // of one request; nobody rotates through more secrets
	maxDigits     = 12    // of a timestamp, which reach past the year 30000
)

// Sign returns one signature for the webhook-signature header. The id must not
// contain a full stop, which separates it from what follows.
func Sign(secret Secret, id string, at time.Time, body []byte) string {
	sum := mac(secret, id, strconv.FormatInt(at.Unix(), 10), body)
	return version + base64.StdEncoding.EncodeToString(sum)
}

// SignAll returns the value of the webhook-signature header: one signature for
// each secret, separated by spaces.
func SignAll(secrets []Secret, id string, at time.Time, body []byte) string {
	all := make([]string, len(secrets))
	for i, s := range secrets {
		all[i] = Sign(s, id, at, body)
	}
	return strings.Join(all, " ")
}

func mac(secret Secret, id, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, secret.bytes())
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return h.Sum(nil)
}

// Verify reports whether one of the secrets signed the message, given the three
// headers as they came, the raw body and the time now. Signatures of versions
// that it does not know are passed over. A tolerance of zero is
// DefaultTolerance. Every refusal is an Unauthenticated fault: signature-missing,
// timestamp-outside-window or signature-invalid.
func Verify(secrets []Secret, id, timestamp, signature string, body []byte, now time.Time, tolerance time.Duration) error {
	if id == "" || timestamp == "" || signature == "" {
		return refuse("signature-missing", "The request needs the headers webhook-id, webhook-timestamp and webhook-signature.")
	}
	if strings.Contains(id, ".") {
		// Else one signed text could be read as two messages (section "Signature scheme").
		return refuse("signature-invalid", "The webhook-id must not contain a full stop.")
	}
	if err := checkTime(timestamp, now, tolerance); err != nil {
		return err
	}
	if !anySigned(secrets, id, timestamp, signature, body) {
		return refuse("signature-invalid", "No signature fits the request: check the secret, and that the raw body was signed.")
	}
	return nil
}

func checkTime(timestamp string, now time.Time, tolerance time.Duration) error {
	if tolerance <= 0 {
		tolerance = DefaultTolerance
	}
	seconds, err := strconv.ParseUint(timestamp, 10, 63)
	if err != nil || len(timestamp) > maxDigits {
		return refuse("signature-invalid", "The webhook-timestamp must be a whole number of seconds since 1970.")
	}
	at := time.Unix(int64(seconds), 0)
	if off := now.Sub(at); off > tolerance || off < -tolerance {
		return refuse("timestamp-outside-window", "The webhook-timestamp is more than "+tolerance.String()+
			" away from "+now.UTC().Format(time.RFC3339)+": check the sender's clock, and sign each attempt anew.")
	}
	return nil
}

func anySigned(secrets []Secret, id, timestamp, header string, body []byte) bool {
	signatures := signaturesIn(header)
	signed := false
	for _, s := range secrets {
		if s.IsZero() {
			continue
		}
		want := mac(s, id, timestamp, body)
		for _, got := range signatures {
			signed = hmac.Equal(got, want) || signed
		}
	}
	return signed
}

// signaturesIn returns the signatures of our version in a header.
func signaturesIn(header string) [][]byte {
	var all [][]byte
	for one := range strings.FieldsSeq(header) {
		text, ok := strings.CutPrefix(one, version)
		if !ok || len(all) == maxSignatures {
			continue
		}
		if sum, err := base64.StdEncoding.Strict().DecodeString(text); err == nil {
			all = append(all, sum)
		}
	}
	return all
}

func refuse(code, detail string) error {
	return fault.New(fault.Unauthenticated, code, detail)
}
