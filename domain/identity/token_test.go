package identity_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"handoff/domain/fault"
	"handoff/domain/identity"
)

func sample() identity.Token {
	var secret [32]byte
	for i := range secret {
		secret[i] = byte(i * 7)
	}
	return identity.NewToken([5]byte{1, 2, 3, 4, 5}, secret)
}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	text := sample().Reveal()
	if len(text) != len("hk_")+8+1+52 || !strings.HasPrefix(text, "hk_"+sample().ID()+"_") {
		t.Errorf("token = %q, want hk_<8 digits>_<52 digits>", text)
	}
	got, err := identity.ParseToken(text)
	if err != nil || got != sample() || got.Sum() != sample().Sum() {
		t.Errorf("ParseToken(%q) = %v, %v", text, got, err)
	}
}

func TestParseTokenIsStrict(t *testing.T) {
	t.Parallel()
	good := sample().Reveal()
	for name, s := range map[string]string{
		"empty":                          "",
		"without its prefix":             strings.TrimPrefix(good, "hk_"),
		"with another prefix":            "sk_" + strings.TrimPrefix(good, "hk_"),
		"in upper case":                  strings.ToUpper(good),
		"with a space":                   good + " ",
		"cut short":                      good[:len(good)-1],
		"with unused bits set":           good[:len(good)-1] + "7",
		"with a line end in the secret":  good[:20] + "\n" + good[21:],
		"with a line end in the id":      good[:5] + "\n" + good[6:],
		"with a digit that is none":      good[:20] + "1" + good[21:],
		"with an id digit that is none":  good[:5] + "0" + good[6:],
		"with one part":                  "hk_" + strings.Repeat("a", 61),
		"with an id of two bytes more":   "hk_aa" + good[3:],
		"with the prefix a second time":  "hk_" + good,
		"with padding, as base 32 would": good + "====",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := identity.ParseToken(s); !fault.Is(err, "key-invalid") || fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("ParseToken(%q) = %v, want key-invalid", s, err)
			}
		})
	}
}

func TestTokenIsNotFormatted(t *testing.T) {
	t.Parallel()
	token := sample()
	secret := strings.TrimPrefix(token.Reveal(), "hk_"+token.ID()+"_")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "x", "token", token)
	slog.New(slog.NewJSONHandler(&log, nil)).InfoContext(t.Context(), "x", "token", token)
	encoded, err := json.Marshal(token) //nolint:staticcheck // that it shows nothing is the point
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		fmt.Sprint(token), fmt.Sprintf("%+v %#v %x %d %s %q", token, token, token, token, token, token), log.String(), string(encoded),
	} {
		if strings.Contains(s, secret) || strings.Contains(s, "7, 14, 21") || strings.Contains(s, "070e15") || strings.Contains(s, "7 14 21") {
			t.Errorf("%q shows the secret", s)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	for _, s := range []string{sample().Reveal(), "", "hk_", "hk__", "hk_aaaaaaaa_", strings.ToUpper(sample().Reveal()), "hk_\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token, err := identity.ParseToken(s)
		if err == nil && token.Reveal() != s {
			t.Errorf("ParseToken(%q) reads what it would write as %q", s, token.Reveal())
		}
		if err != nil && fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("ParseToken(%q) = %v, want Unauthenticated", s, err)
		}
	})
}
