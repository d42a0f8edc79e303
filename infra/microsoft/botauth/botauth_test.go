package botauth_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/botauth"
)

// check takes a request through both halves.
func (s *scene) check(t testing.TB, h http.Header, app, body string) (botauth.Caller, error) {
	t.Helper()
	token, err := s.Verify(t.Context(), h, app)
	if err != nil {
		return botauth.Caller{}, err
	}
	caller, _, err := token.Admit([]byte(body))
	return caller, err
}

func TestGenuineRequestsAreAdmitted(t *testing.T) {
	t.Parallel()
	for sentence, change := range map[string]func(*forge){
		"as the connector sends it":            func(*forge) {},
		"signed with RS384":                    func(f *forge) { f.header["alg"], f.hash = "RS384", crypto.SHA384 },
		"signed with RS512":                    func(f *forge) { f.header["alg"], f.hash = "RS512", crypto.SHA512 },
		"a service URL in another case":        func(f *forge) { f.claims["serviceurl"] = strings.ToUpper(service) },
		"the article's spelling of serviceUrl": func(f *forge) { delete(f.claims, "serviceurl"); f.claims["serviceUrl"] = service },
		"an audience in upper case":            func(f *forge) { f.claims["aud"] = strings.ToUpper(appID) },
		"a list of audiences":                  func(f *forge) { f.claims["aud"] = []string{"other", appID} },
		"no nbf":                               func(f *forge) { delete(f.claims, "nbf") },
		"times with a fraction":                func(f *forge) { f.claims["exp"] = float64(f.claims["exp"].(int64)) + .5 },
		"expired within the skew":              func(f *forge) { f.claims["exp"] = f.claims["exp"].(int64) - 3600 - 299 },
		"early within the skew":                func(f *forge) { f.claims["nbf"] = f.claims["nbf"].(int64) + 60 + 299 },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			f := s.genuine()
			change(f)
			got, err := s.check(t, bearer(f.sign(t)), appID, body)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.EqualFold(got.ServiceURL, service) || got.AppID != appID || got.ChannelID != "msteams" {
				t.Errorf("caller = %+v", got)
			}
		})
	}
}

func TestEachCheckRefusesForItsOwnReason(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		change func(*forge)
		header func(token string) http.Header
		noApp  bool // the bot that is called has no app id
		body   string
		want   botauth.Reason
	}{
		"no header":                       {header: func(string) http.Header { return nil }, want: botauth.ReasonHeaderMissing},
		"an empty header":                 {header: func(string) http.Header { return http.Header{"Authorization": {""}} }, want: botauth.ReasonHeaderMissing},
		"two headers":                     {header: func(s string) http.Header { return http.Header{"Authorization": {"Bearer " + s, "Bearer " + s}} }, want: botauth.ReasonHeaderRepeated},
		"another scheme":                  {header: func(s string) http.Header { return http.Header{"Authorization": {"Basic " + s}} }, want: botauth.ReasonSchemeWrong},
		"a token too long":                {header: func(string) http.Header { return bearer(strings.Repeat("a", botauth.MaxToken+1)) }, want: botauth.ReasonTokenTooLong},
		"no token at all":                 {header: func(string) http.Header { return bearer("") }, want: botauth.ReasonTokenMalformed},
		"two parts":                       {change: func(f *forge) { f.token = func(s string) string { return s[:strings.LastIndex(s, ".")] } }, want: botauth.ReasonTokenMalformed},
		"four parts":                      {change: func(f *forge) { f.token = func(s string) string { return s + ".x" } }, want: botauth.ReasonTokenMalformed},
		"padding":                         {change: func(f *forge) { f.token = func(s string) string { return s + "==" } }, want: botauth.ReasonTokenMalformed},
		"a header that is no JSON":        {change: func(f *forge) { f.header = object{"raw": "{"} }, want: botauth.ReasonTokenMalformed},
		"a name twice in the header":      {change: func(f *forge) { f.header = object{"raw": `{"alg":"RS256","kid":"k1","kid":"k1"}`} }, want: botauth.ReasonTokenMalformed},
		"an extension we do not know":     {change: func(f *forge) { f.header["crit"] = []string{"x"} }, want: botauth.ReasonTokenMalformed},
		"claims that are no object":       {change: func(f *forge) { f.claims = object{"raw": "[]"} }, want: botauth.ReasonTokenMalformed},
		"algorithm none":                  {change: func(f *forge) { f.header["alg"] = "none" }, want: botauth.ReasonAlgorithmRefused},
		"no algorithm":                    {change: func(f *forge) { delete(f.header, "alg") }, want: botauth.ReasonAlgorithmRefused},
		"an algorithm in another case":    {change: func(f *forge) { f.header["alg"] = "rs256" }, want: botauth.ReasonAlgorithmRefused},
		"HS256 under the public key":      {change: func(f *forge) { f.header["alg"] = "HS256"; f.token = symmetric }, want: botauth.ReasonAlgorithmRefused},
		"no key id":                       {change: func(f *forge) { delete(f.header, "kid") }, want: botauth.ReasonKeyIDMissing},
		"a key nobody publishes":          {change: func(f *forge) { f.header["kid"] = "k9" }, want: botauth.ReasonKeyUnknown},
		"another key's signature":         {change: func(f *forge) { f.key = pair()[1] }, want: botauth.ReasonSignatureInvalid},
		"another hash than it says":       {change: func(f *forge) { f.hash = crypto.SHA512 }, want: botauth.ReasonSignatureInvalid},
		"no signature":                    {change: func(f *forge) { f.token = func(s string) string { return s[:strings.LastIndex(s, ".")+1] } }, want: botauth.ReasonSignatureInvalid},
		"changed claims":                  {change: func(f *forge) { f.token = swapClaims }, want: botauth.ReasonSignatureInvalid},
		"another issuer":                  {change: func(f *forge) { f.claims["iss"] = "https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/" }, want: botauth.ReasonIssuerWrong},
		"no issuer":                       {change: func(f *forge) { delete(f.claims, "iss") }, want: botauth.ReasonIssuerWrong},
		"no audience":                     {change: func(f *forge) { delete(f.claims, "aud") }, want: botauth.ReasonAudienceMissing},
		"an empty audience":               {change: func(f *forge) { f.claims["aud"] = "" }, want: botauth.ReasonAudienceMissing},
		"an audience that is a number":    {change: func(f *forge) { f.claims["aud"] = 7 }, want: botauth.ReasonAudienceMissing},
		"another audience":                {change: func(f *forge) { f.claims["aud"] = "other" }, want: botauth.ReasonAudienceWrong},
		"a bot without an app id":         {noApp: true, want: botauth.ReasonAudienceWrong},
		"no expiry":                       {change: func(f *forge) { delete(f.claims, "exp") }, want: botauth.ReasonExpiryMissing},
		"an expiry that is a text":        {change: func(f *forge) { f.claims["exp"] = "tomorrow" }, want: botauth.ReasonExpiryMissing},
		"an expiry beyond all time":       {change: func(f *forge) { f.claims["exp"] = 1e300 }, want: botauth.ReasonExpiryMissing},
		"expired beyond the skew":         {change: func(f *forge) { f.claims["exp"] = f.claims["exp"].(int64) - 3600 - 300 }, want: botauth.ReasonExpired},
		"early beyond the skew":           {change: func(f *forge) { f.claims["nbf"] = f.claims["nbf"].(int64) + 60 + 301 }, want: botauth.ReasonNotYetValid},
		"a beginning that is a text":      {change: func(f *forge) { f.claims["nbf"] = "now" }, want: botauth.ReasonNotYetValid},
		"no service URL":                  {change: func(f *forge) { delete(f.claims, "serviceurl") }, want: botauth.ReasonServiceURLMissing},
		"another service URL":             {change: func(f *forge) { f.claims["serviceurl"] = "https://evil.example/" }, want: botauth.ReasonServiceURLWrong},
		"an activity without service URL": {body: `{"type":"message","channelId":"msteams"}`, want: botauth.ReasonServiceURLWrong},
		"a key for other channels":        {body: strings.Replace(body, "msteams", "slack", 1), want: botauth.ReasonEndorsementMissing},
		"an endorsement in another case":  {body: strings.Replace(body, "msteams", "MSTeams", 1), want: botauth.ReasonEndorsementMissing},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			f := s.genuine()
			if c.change != nil {
				c.change(f)
			}
			h := bearer(f.sign(t))
			if c.header != nil {
				h = c.header(f.sign(t))
			}
			app, sent := appID, body
			if c.noApp {
				app = ""
			}
			if c.body != "" {
				sent = c.body
			}
			_, err := s.check(t, h, app, sent)
			if got := botauth.ReasonOf(err); got != c.want {
				t.Errorf("reason = %q (%v), want %q", got, err, c.want)
			}
			refused := fault.Of(err)
			if refused == nil || refused.Kind != fault.Unauthenticated || refused.Code != "activity-not-authenticated" || refused.Detail != "The request is not authenticated." {
				t.Errorf("a stranger sees %+v", refused)
			}
		})
	}
}

// symmetric signs with the public modulus, which everybody knows, as the
// secret.
func symmetric(token string) string {
	text := token[:strings.LastIndex(token, ".")]
	mac := hmac.New(sha256.New, pair()[0].N.Bytes())
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}

func swapClaims(token string) string {
	p := strings.Split(token, ".")
	return p[0] + "." + b64([]byte(`{"iss":"https://api.botframework.com"}`)) + "." + p[2]
}

func TestAuthenticatedSendersAreToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token, err := s.Verify(t.Context(), bearer(s.genuine().sign(t)), appID)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		body string
		kind fault.Kind
		code string
	}{
		"no JSON":             {"{", fault.Invalid, "json-invalid"},
		"no channel":          {`{"serviceUrl":"` + service + `"}`, fault.Invalid, "channel-id-missing"},
		"larger than allowed": {strings.Repeat(" ", botauth.MaxActivity) + body, fault.TooLarge, "activity-too-large"},
	} {
		if _, _, err := token.Admit([]byte(c.body)); fault.KindOf(err) != c.kind || !fault.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", sentence, err, c.code)
		}
	}
	if _, _, err := token.Admit([]byte("\ufeff" + body)); err != nil {
		t.Errorf("a byte order mark: %v", err)
	}
	var none botauth.Token
	if _, _, err := none.Admit([]byte(body)); botauth.ReasonOf(err) != botauth.ReasonHeaderMissing {
		t.Errorf("a token that nobody checked: %v", err)
	}
}

func TestSkewEndsExactly(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	token := s.genuine().sign(t) // expires in an hour
	s.add(time.Hour + botauth.Skew - time.Second)
	if _, err := s.check(t, bearer(token), appID, body); err != nil {
		t.Error(err)
	}
	s.add(time.Second)
	if _, err := s.check(t, bearer(token), appID, body); botauth.ReasonOf(err) != botauth.ReasonExpired {
		t.Errorf("err = %v", err)
	}
}
