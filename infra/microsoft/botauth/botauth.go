// Package botauth finds out whether a request comes from the Bot Framework's
// connector, before anything of it is believed.
//
// The checks are those of Microsoft's "Authentication with the Bot Connector
// API", section "Authenticate requests from the Bot Connector service to your
// bot" (documented), read beside the SDKs where the article is silent: a bearer
// token, signed by a key of the connector's JWKS, of the right issuer and
// audience and time, for the service URL and the channel that the activity
// names. Tokens of the emulator and of other bots (skills) are refused: nobody
// but a channel talks to Handoff.
//
// It promises that a stranger learns nothing: whatever failed, the fault says
// the same, and Reason tells the log which check it was. The sources differ
// about the status (the article wants 403 for a missing endorsement); like both
// SDKs it is 401 for everything. Keys that can't be fetched are Unavailable and
// let nobody in.
package botauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/activity"
)

// Cloud is where a cloud of Microsoft publishes the keys of its connector, and
// how it calls itself. The national clouds have others (login.botframework.azure.us
// and api.botframework.us); Handoff works with the public one.
type Cloud struct {
	Metadata string // URL of the OpenID configuration
	Issuer   string // what the claim iss must be
}

// Public returns the public cloud (same article, documented).
func Public() Cloud {
	return Cloud{Metadata: "https://login.botframework.com/v1/.well-known/openidconfiguration", Issuer: "https://api.botframework.com"}
}

// Skew is how far clocks may differ (same article: five minutes).
const Skew = 5 * time.Minute

// Limits of what is read.
const (
	MaxToken    = 16 << 10  // bytes of a token
	MaxActivity = 256 << 10 // bytes of an activity; hubs send at most 28 KiB
)

// Verifier checks requests. It is safe for concurrent use.
type Verifier struct {
	cloud Cloud
	now   func() time.Time
	keys  *keys
}

// New returns a verifier of the tokens of one cloud. It fetches keys with
// client when it first needs them.
func New(cloud Cloud, client *http.Client, now func() time.Time) *Verifier {
	return &Verifier{cloud: cloud, now: now, keys: newKeys(cloud.Metadata, client, now)}
}

// Token is a token that was checked. The zero value admits nothing.
type Token struct {
	appID        string
	serviceURL   string
	endorsements []string
	checked      bool
}

// Caller is the channel that sent an activity.
type Caller struct {
	AppID     string // of the bot that was called: ours
	ChannelID string
	// ServiceURL is the one that was signed: answers, and the token that comes
	// with them, go nowhere else.
	ServiceURL string
}

// Signed is a token that the connector signed, for whichever bot. The zero value
// is for none.
type Signed struct {
	claims       claims
	endorsements []string
	issuer       string
	now          func() time.Time
}

// Signed checks the header and the signature. Whoever passes may be looked up,
// and whoever does not can't find out what there is, nor have anybody ask a
// store for it.
//
// A refusal is an Unauthenticated fault, always the same; see Reason. Keys that
// are out of reach are Unavailable, with a RetryAfter.
func (v *Verifier) Signed(ctx context.Context, h http.Header) (Signed, error) {
	raw, err := bearer(h)
	if err != nil {
		return Signed{}, err
	}
	j, err := parse(raw)
	if err != nil {
		return Signed{}, err
	}
	k, err := v.keys.find(ctx, j.keyID, j.algorithm)
	if err != nil {
		return Signed{}, err
	}
	if err := j.verify(k); err != nil {
		return Signed{}, err
	}
	c, err := j.claims()
	if err != nil {
		return Signed{}, err
	}
	return Signed{c, k.endorsements, v.cloud.Issuer, v.now}, nil
}

// For checks issuer, audience and time. appID is the bot that is being called,
// by the path of the request; an empty one lets nobody in. Its fault is that of
// Signed.
func (s Signed) For(appID string) (Token, error) {
	if s.now == nil {
		return Token{}, refuse(ReasonHeaderMissing)
	}
	if err := s.claims.check(s.issuer, appID, s.now()); err != nil {
		return Token{}, err
	}
	return Token{appID: strings.ToLower(appID), serviceURL: s.claims.serviceURL, endorsements: s.endorsements, checked: true}, nil
}

// Verify is Signed and For, where the bot is known from the beginning.
func (v *Verifier) Verify(ctx context.Context, h http.Header, appID string) (Token, error) {
	s, err := v.Signed(ctx, h)
	if err != nil {
		return Token{}, err
	}
	return s.For(appID)
}

// Admit reads the activity that came with the token and checks that the token
// was made for it: same service URL, and a key that may sign for its channel.
//
// An activity that can't be read or names no channel is Invalid, one over
// MaxActivity is TooLarge: their sender is authenticated and may be told.
func (t Token) Admit(body []byte) (Caller, activity.Activity, error) {
	if !t.checked {
		return Caller{}, nil, refuse(ReasonHeaderMissing)
	}
	if len(body) > MaxActivity {
		return Caller{}, nil, fault.Newf(fault.TooLarge, "activity-too-large", "An activity may have %d bytes.", MaxActivity)
	}
	a, err := activity.Parse(body)
	if err != nil {
		return Caller{}, nil, err
	}
	channel := a.Text("channelId")
	switch {
	case channel == "":
		// Both SDKs let it pass, and so the endorsement with it.
		return Caller{}, nil, fault.New(fault.Invalid, "channel-id-missing", "An activity needs channelId.").At("/channelId")
	case t.serviceURL == "":
		return Caller{}, nil, refuse(ReasonServiceURLMissing)
	case !strings.EqualFold(t.serviceURL, a.Text("serviceUrl")):
		return Caller{}, nil, refuse(ReasonServiceURLWrong)
	case !endorsed(t.endorsements, channel):
		return Caller{}, nil, refuse(ReasonEndorsementMissing)
	}
	return Caller{AppID: t.appID, ChannelID: channel, ServiceURL: t.serviceURL}, a, nil
}

// endorsed reports whether a key may sign for a channel. A key without
// endorsements may sign for all; names are compared exactly (read from the SDK,
// EndorsementsValidator).
func endorsed(endorsements []string, channel string) bool {
	if slices.Contains(endorsements, channel) {
		return true
	}
	return len(endorsements) == 0
}

// bearer returns the token of the Authorization header.
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	switch len(values) {
	case 0:
		return "", refuse(ReasonHeaderMissing)
	case 1:
	default:
		return "", refuse(ReasonHeaderRepeated)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	switch {
	case values[0] == "":
		return "", refuse(ReasonHeaderMissing)
	case !strings.EqualFold(scheme, "Bearer"):
		return "", refuse(ReasonSchemeWrong)
	case len(token) > MaxToken:
		return "", refuse(ReasonTokenTooLong)
	}
	return token, nil
}

// Reason is which check failed. Reasons never change once released.
type Reason string

// The reasons of a refusal, in the order of the checks.
const (
	ReasonHeaderMissing      Reason = "header-missing"
	ReasonHeaderRepeated     Reason = "header-repeated"
	ReasonSchemeWrong        Reason = "scheme-wrong"
	ReasonTokenTooLong       Reason = "token-too-long"
	ReasonTokenMalformed     Reason = "token-malformed"
	ReasonAlgorithmRefused   Reason = "algorithm-refused"
	ReasonKeyIDMissing       Reason = "key-id-missing"
	ReasonKeyUnknown         Reason = "key-unknown"
	ReasonSignatureInvalid   Reason = "signature-invalid"
	ReasonIssuerWrong        Reason = "issuer-wrong"
	ReasonAudienceMissing    Reason = "audience-missing"
	ReasonAudienceWrong      Reason = "audience-wrong"
	ReasonExpiryMissing      Reason = "expiry-missing"
	ReasonExpired            Reason = "token-expired"
	ReasonNotYetValid        Reason = "token-not-yet-valid"
	ReasonServiceURLMissing  Reason = "service-url-missing"
	ReasonServiceURLWrong    Reason = "service-url-wrong"
	ReasonEndorsementMissing Reason = "endorsement-missing"
)

// refusal carries a reason to the log.
type refusal struct{ reason Reason }

func (r *refusal) Error() string { return "check failed: " + string(r.reason) }

func refuse(r Reason) error {
	return fault.New(fault.Unauthenticated, "activity-not-authenticated", "The request is not authenticated.").Because(&refusal{r})
}

// ReasonOf returns which check failed, or "" where none did. It is for the log.
func ReasonOf(err error) Reason {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.reason
	}
	return ""
}
