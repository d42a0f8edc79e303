package standardwebhooks_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	sw "handoff/infra/standardwebhooks"
)

// The vector of the reference libraries (libraries/go/webhook_test.go,
// TestWebhookSign).
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func secret(t testing.TB, s string) sw.Secret {
	t.Helper()
	parsed, err := sw.ParseSecret(s)
	if err != nil {
		t.Fatalf("ParseSecret: %v", err)
	}
	return parsed
}

func TestSignVector(t *testing.T) {
	t.Parallel()
	got := sw.Sign(secret(t, vectorSecret), vectorID, time.Unix(vectorTime, 0), []byte(vectorBody))
	if got != vectorSignature {
		t.Errorf("Sign = %s, want %s", got, vectorSignature)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	ours, other := secret(t, vectorSecret), sw.Generate()
	at := time.Unix(vectorTime, 0)
	stamp := strconv.Itoa(vectorTime)
	foreign := sw.Sign(other, vectorID, at, []byte(vectorBody))
	type c struct {
		secrets              []sw.Secret
		id, stamp, signature string
		body                 string
		now                  time.Time
		tolerance            time.Duration
		fault                string
	}
	for sentence, c := range map[string]c{
		"what was signed passes":                    {signature: vectorSignature},
		"a signature among others passes":           {signature: foreign + " " + vectorSignature},
		"either of two secrets passes":              {secrets: []sw.Secret{other, ours}, signature: vectorSignature},
		"unknown versions are passed over":          {signature: "v1a,AAAA v2,AAAA " + vectorSignature},
		"broken base64 is passed over":              {signature: "v1,! " + vectorSignature},
		"five minutes late passes":                  {signature: vectorSignature, now: at.Add(5 * time.Minute)},
		"five minutes early passes":                 {signature: vectorSignature, now: at.Add(-5 * time.Minute)},
		"no id":                                     {id: "-", signature: vectorSignature, fault: "signature-missing"},
		"no timestamp":                              {stamp: "-", signature: vectorSignature, fault: "signature-missing"},
		"no signature":                              {fault: "signature-missing"},
		"another secret's signature":                {signature: foreign, fault: "signature-invalid"},
		"only unknown versions":                     {signature: strings.Replace(vectorSignature, "v1", "v2", 1), fault: "signature-invalid"},
		"another body":                              {signature: vectorSignature, body: "{}", fault: "signature-invalid"},
		"another id":                                {id: "msg_2", signature: vectorSignature, fault: "signature-invalid"},
		"another timestamp":                         {stamp: strconv.Itoa(vectorTime + 1), signature: vectorSignature, fault: "signature-invalid"},
		"an id with a full stop":                    {id: "msg.1", signature: vectorSignature, fault: "signature-invalid"},
		"a timestamp that is no number":             {stamp: "soon", signature: vectorSignature, fault: "signature-invalid"},
		"a timestamp with a sign":                   {stamp: "+" + stamp, signature: vectorSignature, fault: "signature-invalid"},
		"a timestamp beyond all years":              {stamp: "9999999999999", signature: vectorSignature, fault: "signature-invalid"},
		"five minutes and a second late":            {signature: vectorSignature, now: at.Add(5*time.Minute + time.Second), fault: "timestamp-outside-window"},
		"five minutes and a second early":           {signature: vectorSignature, now: at.Add(-5*time.Minute - time.Second), fault: "timestamp-outside-window"},
		"late for a narrower window":                {signature: vectorSignature, now: at.Add(3 * time.Second), tolerance: time.Second, fault: "timestamp-outside-window"},
		"no secret at all":                          {secrets: []sw.Secret{}, signature: vectorSignature, fault: "signature-invalid"},
		"the zero secret, signed with an empty key": {secrets: []sw.Secret{{}}, signature: sw.Sign(sw.Secret{}, vectorID, at, []byte(vectorBody)), fault: "signature-invalid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if c.secrets == nil {
				c.secrets = []sw.Secret{ours}
			}
			if c.now.IsZero() {
				c.now = at
			}
			err := sw.Verify(c.secrets, given(c.id, vectorID), given(c.stamp, stamp), c.signature, []byte(given(c.body, vectorBody)), c.now, c.tolerance)
			if got := codeOf(err); got != c.fault {
				t.Errorf("Verify = %v, want code %q", err, c.fault)
			}
			if err != nil && fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("kind = %s, want unauthenticated", fault.KindOf(err))
			}
		})
	}
}

// given returns s, the default for "" and nothing for "-".
func given(s, otherwise string) string {
	switch s {
	case "":
		return otherwise
	case "-":
		return ""
	}
	return s
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.CodeOf(err)
}

func TestSignAllVerifiesWithEach(t *testing.T) {
	t.Parallel()
	now, body := time.Unix(vectorTime, 0), []byte(vectorBody)
	secrets := []sw.Secret{sw.Generate(), sw.Generate()}
	header := sw.SignAll(secrets, "esc_1@2", now, body)
	for i, s := range secrets {
		if err := sw.Verify([]sw.Secret{s}, "esc_1@2", strconv.Itoa(vectorTime), header, body, now, 0); err != nil {
			t.Errorf("secret %d: %v", i, err)
		}
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	encode := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for sentence, c := range map[string]struct {
		text string
		ok   bool
	}{
		"24 bytes":          {encode(24), true},
		"64 bytes":          {encode(64), true},
		"23 bytes":          {encode(23), false},
		"65 bytes":          {encode(65), false},
		"no prefix":         {vectorSecret[6:], false},
		"not base64":        {"whsec_????", false},
		"base64 of the URL": {"whsec_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_", false},
		"nothing":           {"", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := sw.ParseSecret(c.text)
			if c.ok && (err != nil || got.Reveal() != c.text) {
				t.Errorf("ParseSecret = %v, reveals %q, want %q", err, got.Reveal(), c.text)
			}
			if !c.ok && !fault.Is(err, "webhook-secret-invalid") {
				t.Errorf("err = %v, want webhook-secret-invalid", err)
			}
		})
	}
}

func TestSecretShowsItselfToNobody(t *testing.T) {
	t.Parallel()
	s := secret(t, vectorSecret)
	hidden := struct{ s sw.Secret }{s}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "in", hidden)
	asJSON, err := json.Marshal(map[string]any{"secret": s})
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	raw, _ := base64.StdEncoding.DecodeString(vectorSecret[6:])
	for _, out := range []string{
		log.String(), string(asJSON), fmt.Sprint(s), fmt.Sprintf("%+v %#v %x %q", s, s, s, s), fmt.Sprintf("%v %+v %#v", hidden, hidden, hidden),
	} {
		if strings.Contains(out, vectorSecret[6:12]) || strings.Contains(out, fmt.Sprint(string(raw))[1:20]) || strings.Contains(out, string(raw)) {
			t.Errorf("the secret shows in %q", out)
		}
	}
	if a, b := sw.Generate(), sw.Generate(); a.Reveal() == b.Reveal() {
		t.Error("two generated secrets are equal")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorID, strconv.Itoa(vectorTime), vectorSignature, []byte(vectorBody))
	f.Add("a.b", "1", "v1,", []byte{})
	f.Add("a", "99999999999999999999", "v1,v1, v1a,x", []byte("{}"))
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte) {
		s := secret(t, vectorSecret)
		err := sw.Verify([]sw.Secret{s}, id, stamp, signature, body, time.Unix(vectorTime, 0), 0)
		if err == nil && !strings.Contains(signature, sw.Sign(s, id, parse(t, stamp), body)) && stamp == strconv.FormatInt(parse(t, stamp).Unix(), 10) {
			t.Errorf("Verify passed %q, which Sign does not make", signature)
		}
		if fresh := sw.Sign(s, "id", time.Unix(vectorTime, 0), body); sw.Verify([]sw.Secret{s}, "id", strconv.Itoa(vectorTime), fresh, body, time.Unix(vectorTime, 0), 0) != nil {
			t.Errorf("Verify refused what Sign made of %q", body)
		}
	})
}

func parse(t *testing.T, stamp string) time.Time {
	t.Helper()
	n, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		t.Fatalf("Verify passed the timestamp %q", stamp)
	}
	return time.Unix(n, 0)
}

func FuzzParseSecret(f *testing.F) {
	f.Add(vectorSecret)
	f.Add("whsec_")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := sw.ParseSecret(text); err == nil && s.Reveal() != strings.NewReplacer("\r", "", "\n", "").Replace(text) {
			t.Errorf("ParseSecret(%q) reveals %q", text, s.Reveal())
		}
	})
}

func BenchmarkSign(b *testing.B) {
	for _, size := range []int{1 << 10, 20 << 10} {
		b.Run(strconv.Itoa(size>>10)+"KiB", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			s, at, body := sw.Generate(), time.Unix(vectorTime, 0), make([]byte, size)
			for b.Loop() {
				sw.Sign(s, "esc_00000000000000000000000010@2", at, body)
			}
		})
	}
}
