package vendor_test

import (
	"net/http"
	"testing"
	"time"

	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/signing"
	"handoff/tests/hubtest"
)

// What the fake signs the vendor's SDK lets in, what it forges the SDK refuses,
// and our own check says the same of each.
func TestTheVendorsCheckOfTokensAgreesWithOurs(t *testing.T) {
	t.Parallel()
	engine(t, nodeEnv)
	b := hubtest.Connect(t, cloud)
	p := run(t, "verify.mjs", object{
		"application": simulation.RelayID, "secret": simulation.RelaySecret, "tenant": simulation.TenantID, "login": b.URLs.Login,
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	keys := botauth.Cloud{Metadata: b.URLs.Login + "/v1/.well-known/openidconfiguration", Issuer: botauth.Public().Issuer}
	ours := botauth.New(keys, &http.Client{Transport: transport}, time.Now)
	w, _ := b.Open(nil)
	for _, f := range append(signing.Forgeries(), signing.Genuine) {
		b.Hub().Forge(f)
		got := b.Say(w, "forged: "+string(f))
		p.tell(object{"header": got.Authorization, "activity": got.Body})
		want := "out"
		if f == signing.Genuine {
			want = "in"
		}
		if verdict := p.next("verdict"); verdict != want {
			t.Errorf("%q: the vendor's check says %v, want %s", f, verdict, want)
		}
		if verdict := admitted(t, ours, got); verdict != want {
			t.Errorf("%q: our check says %s, want %s", f, verdict, want)
		}
	}
}

// admitted says whether our check lets a request in.
func admitted(t *testing.T, v *botauth.Verifier, got hubtest.Received) string {
	t.Helper()
	h := http.Header{}
	if got.Authorization != "" {
		h.Set("Authorization", got.Authorization)
	}
	token, err := v.Verify(t.Context(), h, simulation.RelayID)
	if err == nil {
		_, _, err = token.Admit([]byte(got.Text))
	}
	switch {
	case err == nil:
		return "in"
	case botauth.ReasonOf(err) != "":
		return "out"
	}
	return err.Error()
}
