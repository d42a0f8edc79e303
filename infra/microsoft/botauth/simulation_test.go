package botauth_test

import (
	"net/http"
	"testing"

	"handoff/infra/microsoft/botauth"
	"handoff/infra/microsoft/simulation/signing"
)

// The forgeries that the simulated Bot Connector can send are refused, each for
// what is wrong with it.
func TestSimulatedForgeries(t *testing.T) {
	t.Parallel()
	keys := signing.New("msteams")
	set, err := keys.Set()
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t)
	for _, k := range set["keys"].([]any) {
		s.keys = append(s.keys, k.(object))
	}
	want := map[signing.Forgery]botauth.Reason{
		signing.Genuine: "", signing.NoHeader: botauth.ReasonHeaderMissing, signing.OtherScheme: botauth.ReasonSchemeWrong,
		signing.Unsigned: botauth.ReasonAlgorithmRefused, signing.Symmetric: botauth.ReasonAlgorithmRefused,
		signing.OtherKey: botauth.ReasonSignatureInvalid, signing.UnknownKey: botauth.ReasonKeyUnknown,
		signing.OtherIssuer: botauth.ReasonIssuerWrong, signing.OtherAudience: botauth.ReasonAudienceWrong,
		signing.NoAudience: botauth.ReasonAudienceMissing, signing.EmptyAudience: botauth.ReasonAudienceMissing,
		signing.Expired: botauth.ReasonExpired, signing.NotYet: botauth.ReasonNotYetValid,
		signing.NoServiceURL: botauth.ReasonServiceURLMissing, signing.OtherServiceURL: botauth.ReasonServiceURLWrong,
		signing.NotEndorsed: botauth.ReasonEndorsementMissing,
	}
	for _, f := range append(signing.Forgeries(), signing.Genuine) {
		value, err := keys.Header(f, s.genuine().claims, s.now())
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		if value != "" {
			h.Set("Authorization", value)
		}
		_, err = s.check(t, h, appID, body)
		if reason, known := want[f]; !known || botauth.ReasonOf(err) != reason || (err == nil) != (reason == "") {
			t.Errorf("%q: %v, want %q", f, err, reason)
		}
	}
}
