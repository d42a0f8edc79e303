package keyringtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/keyring"
	"handoff/infra/keyring/seal"
)

// transfers is what is promised of moving from one store to another.
var transfers = map[string]func(t *testing.T, from, to Open){
	"a keyring that moved is the same keyring":                      moved,
	"a row that is kept otherwise is named and stays":               differing,
	"a key that is destroyed on either side is destroyed on both":   destroyedOnEither,
	"what is exported opens under the key that it travels with":     wrongTransferKey,
	"a key that the tenant's secrets do not open is not taken over": foreignRows,
	"a row that was changed on the way is not taken over":           changedRows,
}

// travel is the key that tenants' secrets travel under.
func travel(t testing.TB) keyring.MasterKey {
	t.Helper()
	m, err := keyring.NewMasterKey(bytes.Repeat([]byte{0x5a}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// exported returns all rows as lines of JSON.
func exported(t testing.TB, k *keyring.Keyring) (lines []string) {
	t.Helper()
	for r, err := range k.Export(t.Context(), travel(t)) {
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	return lines
}

func imported(t testing.TB, k *keyring.Keyring, lines []string) error {
	t.Helper()
	for _, line := range lines {
		var r keyring.Row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if err := k.Import(t.Context(), travel(t), r); err != nil {
			return err
		}
	}
	return nil
}

// without leaves out the roots, which are wrapped anew each time.
func without(lines []string) []string {
	return slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, `{"roots"`) })))
}

func moved(t *testing.T, from, to Open) {
	old, ctx := Opened(t, from), t.Context()
	sealed := sealText(t, old, key(0), "", "text")
	sealText(t, old, key(1), "", "")
	token, bot := Issue(t, old, BotKey("store-bot"))
	_, revoked := Issue(t, old, BotKey("store-bot"))
	if err := errors.Join(
		old.Destroy(ctx, Acme, key(1)), old.PutSecret(ctx, Acme, signing, []byte("first")), old.APIKeys().Revoke(ctx, Acme, revoked.ID),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := old.RotateSecret(ctx, Acme, signing, []byte("second")); err != nil {
		t.Fatal(err)
	}
	lines := exported(t, old)

	k := to(t, now)
	if err := errors.Join(imported(t, k, lines[:len(lines)/2]), imported(t, k, lines)); err != nil { // interrupted, and begun again
		t.Fatal(err)
	}
	if got, want := without(exported(t, k)), without(lines); !slices.Equal(got, want) {
		t.Errorf("exported again: %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if k.ID() != old.ID() {
		t.Error("it has another id")
	}
	before, _ := old.StreamID(Acme, events.KindConversation, "a")
	if after, err := k.StreamID(Acme, events.KindConversation, "a"); err != nil || after != before {
		t.Errorf("stream = %s, %v, want %s", after, err, before)
	}
	if plain, err := k.Open(ctx, Acme, key(0), nil, sealed); err != nil || string(plain) != "text" {
		t.Errorf("Open = %q, %v", plain, err)
	}
	if _, err := k.Seal(ctx, Acme, key(1), nil, nil); !errors.Is(err, keyring.ErrErased) {
		t.Errorf("a key that was destroyed: error = %v, want ErrErased", err)
	}
	if p, err := k.APIKeys().Authenticate(ctx, token); err != nil || p != bot {
		t.Errorf("Authenticate = %+v, %v, want %+v", p, err, bot)
	}
	if all := list(ctx, t, k); all[0].Role != identity.Bot || all[0].Revoked.IsZero() == all[1].Revoked.IsZero() {
		t.Errorf("keys = %+v", all)
	}
	if got := values(t, k); !slices.Equal(got, []string{"second", "first"}) {
		t.Errorf("secret = %q", got)
	}
}

// taken returns a store's keyring after everything was imported from another's.
func taken(t *testing.T, from, to Open) (old, k *keyring.Keyring) {
	t.Helper()
	old, k = Opened(t, from), to(t, now)
	if err := imported(t, k, exported(t, old)); err != nil {
		t.Fatal(err)
	}
	return old, k
}

func differing(t *testing.T, from, to Open) {
	old, k := taken(t, from, to)
	ctx := t.Context()
	_, p := Issue(t, old, keyring.NewKey{Tenant: Acme, Role: identity.Admin})
	if err := imported(t, k, exported(t, old)); err != nil {
		t.Fatal(err)
	}
	for _, ring := range []*keyring.Keyring{old, k} { // both sides make one of the same name
		sealText(t, ring, key(0), "", "")
		if err := ring.PutSecret(ctx, Acme, signing, []byte("value")); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.APIKeys().Rename(ctx, Acme, p.ID, "renamed"); err != nil {
		t.Fatal(err)
	}
	mine := without(exported(t, k))
	for _, line := range without(exported(t, old)) {
		err := imported(t, k, []string{line})
		named := err != nil && (strings.Contains(err.Error(), string(key(0))) || strings.Contains(err.Error(), p.ID) || strings.Contains(err.Error(), signing))
		if !errors.Is(err, keyring.ErrRowDiffers) || !named {
			t.Errorf("error = %v, want ErrRowDiffers with the name of what differs", err)
		}
	}
	if got := without(exported(t, k)); !slices.Equal(got, mine) {
		t.Errorf("rows = %q, want %q", got, mine)
	}
}

func destroyedOnEither(t *testing.T, from, to Open) {
	old, ctx := Opened(t, from), t.Context()
	sealText(t, old, key(0), "", "")
	sealText(t, old, key(1), "", "")
	lines, k := exported(t, old), to(t, now)
	if err := imported(t, k, lines); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(old.Destroy(ctx, Acme, key(0)), k.Destroy(ctx, Acme, key(1))); err != nil {
		t.Fatal(err)
	}
	if err := imported(t, k, exported(t, old)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if _, err := k.Seal(ctx, Acme, key(i), nil, nil); !errors.Is(err, keyring.ErrErased) {
			t.Errorf("key %d: error = %v, want ErrErased", i, err)
		}
	}
}

func wrongTransferKey(t *testing.T, from, to Open) {
	old, k := Opened(t, from), to(t, now)
	other, err := keyring.NewMasterKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range old.Export(t.Context(), travel(t)) {
		if err != nil || r.Roots == nil {
			t.Fatalf("row = %v, %v, want roots", r, err)
		}
		if err := k.Import(t.Context(), other, r); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("import %s: error = %v, want ErrTampered", r, err)
		}
	}
	for _, err := range old.Export(t.Context(), keyring.MasterKey{}) {
		if err == nil {
			t.Error("exported under no key")
		}
	}
	if err := k.Import(t.Context(), travel(t), keyring.Row{}); err == nil {
		t.Error("an empty row was imported")
	}
}

func foreignRows(t *testing.T, from, to Open) {
	old, k := Opened(t, from), Opened(t, to) // with secrets of its own
	sealText(t, old, key(0), "", "")
	if err := old.PutSecret(t.Context(), Acme, signing, []byte("value")); err != nil {
		t.Fatal(err)
	}
	for _, line := range exported(t, old) {
		want := seal.ErrTampered
		if strings.HasPrefix(line, `{"roots"`) {
			want = keyring.ErrRowDiffers
		}
		if err := imported(t, k, []string{line}); !errors.Is(err, want) {
			t.Errorf("import of %s: error = %v, want %v", line, err, want)
		}
	}
}

func changedRows(t *testing.T, from, to Open) {
	old, k := taken(t, from, to)
	sealText(t, old, key(0), "", "")
	Issue(t, old, keyring.NewKey{Tenant: Acme, Role: identity.Auditor})
	before := without(exported(t, k))
	for _, line := range without(exported(t, old)) {
		for from, to := range map[string]string{`"role":"auditor"`: `"role":"admin"`, `"key":"key.0"`: `"key":"key.1"`} {
			if changed := strings.Replace(line, from, to, 1); changed != line {
				if err := imported(t, k, []string{changed}); !errors.Is(err, seal.ErrTampered) {
					t.Errorf("import of %s: error = %v, want ErrTampered", changed, err)
				}
			}
		}
	}
	if after := without(exported(t, k)); !slices.Equal(after, before) {
		t.Errorf("rows = %q, want %q", after, before)
	}
}
